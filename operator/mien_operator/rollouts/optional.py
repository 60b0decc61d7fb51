"""Fields that may be left out of a resource, and may not be null."""

from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue


class LeftOut:
    """Marks a field whose default None means that it is not there.

    Where a schema doesn't allow null the API server drops a null before it checks anything, so that its rules see the
    same as the operator: has(self.pause) is never true of a pause that is null.
    """

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Leave null out of the alternatives."""
        schema = handler(core_schema)
        present = [branch for branch in schema["anyOf"] if branch.get("type") != "null"]
        return {**{name: value for name, value in schema.items() if name != "anyOf"}, **present[0]}
