"""/openapi.json: every operation says all that a client needs, and its examples are true."""

import re
from collections.abc import Iterator
from typing import Any, Final, get_args

import pytest
from fastapi.openapi.models import OpenAPI
from fastapi.routing import APIRoute, iter_route_contexts
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from mien_api.contract.catalogue import CATALOGUE
from mien_api.contract.examples import NAMES, Examples
from mien_api.contract.openapi import TAGS, declare, operations_of
from mien_api.contract.operations import OWN, STATUSES
from mien_api.credential_settings import CredentialSettings
from mien_api.cycle_schemas import NewPeriodBody
from tests.unit.api.conftest import Platform

DOCUMENT: Final = Platform().app().openapi()
OPERATIONS: Final = {f"{method.upper()} {path}": operation for path, method, operation in operations_of(DOCUMENT)}
PROBLEM: Final = "application/problem+json"


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """What stands at the end of a reference."""
    while "$ref" in value:
        found: Any = DOCUMENT
        for step in value["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        value = found
    return value


def check(schema: dict[str, Any], value: Any) -> None:
    """Hold an example to its schema, whose references lead into the document."""
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is sent and answered: where, and its schema with its examples."""
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        yield f"request as {kind}", media
    for status, answer in operation["responses"].items():
        for kind, media in answer.get("content", {}).items():
            yield f"{status} as {kind}", media


@pytest.fixture(params=OPERATIONS)
def operation(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each operation."""
    return OPERATIONS[request.param]


def test_the_document_is_openapi() -> None:
    """Its structure is the specification's, its schemas are JSON Schema, and asking twice changes nothing."""
    OpenAPI.model_validate(DOCUMENT)
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    app = Platform().app()
    first = repr(app.openapi())
    assert repr(app.openapi()) == first
    declare(app.openapi(), {"tryon"})
    assert repr(app.openapi()) == first


def test_each_operation_is_named_once() -> None:
    """Generated clients have a method of that name for good: it is the function's."""
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names), f"Two functions of routes have one name: {sorted(names)}"
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


def test_each_operation_says_which_problems_are_its_own() -> None:
    """A route that is added is asked for them; what is gone, or stands in no catalogue, is found as well."""
    names = {operation["operationId"] for operation in OPERATIONS.values()}
    missing = sorted(names - set(OWN))
    assert missing == [], (
        f"Add {missing} to OWN in api/mien_api/contract/operations.py with the codes that the operation may answer and "
        "that don't follow from its shape; () if there are none."
    )
    assert sorted(set(OWN) - names) == []
    assert set(STATUSES) <= names
    assert {code for codes in OWN.values() for code in codes} <= set(CATALOGUE)


def test_each_operation_is_described(operation: dict[str, Any]) -> None:
    """A summary in one line, a description, and a tag that says what it is."""
    assert 10 < len(operation["summary"]) < 120, "The first line of the route's docstring is its summary."
    assert "\n" not in operation["summary"]
    assert not operation["summary"].endswith(".")
    assert operation["description"]
    assert len(operation["tags"]) == 1
    assert operation["tags"][0] in TAGS, "Add the tag to TAGS in api/mien_api/contract/openapi.py"
    assert operation["tags"][0] in [tag["name"] for tag in DOCUMENT["tags"]]
    for parameter in operation["parameters"]:
        assert parameter.get("description"), (
            f"Say what {parameter['name']} is: description= where it is declared, or a line in _PARAMETERS in "
            "api/mien_api/contract/openapi.py"
        )


def test_each_answer_is_described(operation: dict[str, Any]) -> None:
    """What every answer carries is there with each, and what belongs to a status with that."""
    statuses = set(operation["responses"])
    assert any(status.startswith("2") for status in statuses)
    assert "500" in statuses
    for status, answer in operation["responses"].items():
        headers = {name: resolved(header) for name, header in answer["headers"].items()}
        assert answer["description"]
        assert {"X-Request-ID", "RateLimit", "RateLimit-Policy"} <= set(headers)
        assert ("Retry-After" in headers) == (status in {"202", "429", "503"})
        assert ("WWW-Authenticate" in headers) == (status == "401")
        assert all("schema" in header for header in headers.values())
        if int(status) >= 400:
            # health has its own words for what is away
            assert PROBLEM in answer["content"] or operation["operationId"] == "health"


def test_each_problem_names_its_codes(operation: dict[str, Any]) -> None:
    """By status: an example for each code, with that status, and no other code."""
    for status, answer in operation["responses"].items():
        media = answer.get("content", {}).get(PROBLEM)
        if media is None:
            continue
        codes = media["schema"]["allOf"][1]["properties"]["code"]["enum"]
        assert codes == list(media["examples"])
        assert all(f"`{code}`" in answer["description"] for code in codes)
        for code, example in media["examples"].items():
            value = resolved(example)["value"]
            assert (value["code"], value["status"]) == (code, int(status))
            check(media["schema"], value)


def test_each_example_is_a_true_one(operation: dict[str, Any]) -> None:
    """What is sent and what is answered 2xx has an example that its own schema allows."""
    for place, media in bodies(operation):
        if place.endswith((PROBLEM, "event-stream")):
            continue
        assert "example" in media, place
        if "multipart" not in place:
            check(media["schema"], media["example"])
    for parameter in operation["parameters"]:
        if "example" in parameter:
            check(parameter["schema"], parameter["example"])


def test_each_field_has_an_example() -> None:
    """A text or a number that nobody gave an example would be shown as a placeholder."""
    unknown: set[str] = set()
    examples = Examples(DOCUMENT["components"]["schemas"], unknown.add)
    for operation in OPERATIONS.values():
        for place, media in bodies(operation):
            if not place.endswith(PROBLEM) and "event-stream" not in place:
                examples.of(media.get("schema", {}))
    assert unknown == set(), (
        f"Give {sorted(unknown)} an example: Field(examples=[...]) where the field is, or a line in NAMES in "
        "api/mien_api/contract/examples.py if it is the same everywhere."
    )
    assert all(value is not None for value in NAMES.values())


def test_a_missing_example_is_noticed() -> None:
    """The check above can fail."""
    unknown: set[str] = set()
    schema = {"type": "object", "properties": {"qux": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
    assert Examples({}, unknown.add).of(schema) == {"qux": "…"}
    assert unknown == {"qux"}


def test_what_is_unsafe_takes_a_key_and_what_is_conditional_its_tag() -> None:
    """Headers that an operation takes are among its parameters, and those that it gives among its answers'."""
    for label, operation in OPERATIONS.items():
        taken = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"}
        assert "X-Request-ID" in taken
        assert ("Idempotency-Key" in taken) == (not label.startswith("GET "))
        done = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
        if {name.lower() for name in taken} & {"if-match", "if-none-match"} and not label.startswith("DELETE "):
            assert all("ETag" in answer["headers"] for answer in done.values()), label
        if "prefer" in {name.lower() for name in taken}:
            assert all("Preference-Applied" in answer["headers"] for answer in done.values()), label
        if not label.startswith("GET "):
            assert all("Idempotency-Replayed" in answer["headers"] for answer in done.values()), label


def test_credentials_are_declared_as_they_are_taken() -> None:
    """As a bearer token and raw; both are the Authorization header."""
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert (schemes["bearer"]["type"], schemes["bearer"]["scheme"]) == ("http", "bearer")
    assert (schemes["raw"]["in"], schemes["raw"]["name"]) == ("header", "Authorization")
    asked = {label for label, operation in OPERATIONS.items() if operation.get("security")}
    assert OPERATIONS.keys() - asked == {"GET /api/health"}
    for label in asked:
        assert {"401", "403"} <= set(OPERATIONS[label]["responses"])


def test_where_no_credential_is_asked_for_it_is_said() -> None:
    """By the settings: an application that is open says so, and jobs, which somebody may have made without one."""
    open_to_all = Platform(credentials=CredentialSettings(anonymous={"glam": "visitors"})).app().openapi()
    closed = Platform(credentials=CredentialSettings(anonymous={})).app().openapi()
    for document, tags in ((open_to_all, {"GlamAI", "Jobs"}), (closed, set())):
        declared = [operation for _, _, operation in operations_of(document) if operation.get("security")]
        assert {operation["tags"][0] for operation in declared if {} in operation["security"]} == tags


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation, and in their fields' in turn."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _models(field.annotation)
    for part in get_args(annotation):
        yield from _models(part)


def test_a_field_is_read_by_its_documented_name_alone() -> None:
    """What code calls a field isn't a second name of it: userId is in the contract, and user_id is a field too many."""
    read = {
        model
        for route in iter_route_contexts(Platform().app().routes)
        if isinstance(route.original_route, APIRoute)
        for part in [*route.original_route.dependant.body_params, *route.original_route.dependant.query_params]
        for model in _models(part.field_info.annotation)
    }
    assert NewPeriodBody in read
    undocumented = [
        f"{model.__name__}.{name}"
        for model in read
        if model.model_config.get("populate_by_name")
        for name, field in model.model_fields.items()
        if field.validation_alias not in {None, name}
    ]
    assert undocumented == []
