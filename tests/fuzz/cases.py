"""Drawn requests made to be about things that exist: ids that are drawn would be answered 404 for ever."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote
from uuid import uuid4

import schemathesis
from schemathesis.core.parameters import ParameterLocation

from mien_api.contract.openapi import JSON
from mien_api.routers.dependencies import SIGNATURE_HEADER
from mien_core.rules.tryon import DEFAULT_LOOK, LOOKS
from tests.operations.world import Call

FORM: Final = "multipart/form-data"
NO_PHOTO: Final = b"no photo"
# schemathesis draws the documented examples as well
DOCUMENTED_PHOTO: Final = "(the photo's bytes)"
# a pack is named as things are that have ids
_ID: Final = re.compile(r"(.*[a-z])?(_id|Id|ID)|id|pack")


def make_it_about(case: schemathesis.Case[Any], call: Call) -> None:
    """Put the ids of a valid call into a case, wherever the case is a valid one, and have rules allow it.

    What is wrong in it on purpose stays as wrong as it was drawn.
    """
    modes = {} if case.meta is None else {place: part.mode for place, part in case.meta.components.items()}
    valid = {place for place, mode in modes.items() if mode.is_positive}
    if ParameterLocation.PATH in valid:
        case.path_parameters = _of_path(case.path, call.path)
    if ParameterLocation.QUERY in valid:
        case.query = _in_order({**case.query, **_ids(call.params or {})})
    # a form is left as it was drawn: its photo is a good one most of the time, and its ids are the client's own
    if ParameterLocation.BODY in valid and isinstance(case.body, dict) and case.media_type == JSON:
        case.body = _with_ids(case.body, call)
    if ParameterLocation.HEADER in valid:
        _make_conditions_hold(case)


def is_a_form_as_rules_want_it(case: schemathesis.Case[Any]) -> bool:
    """Whether a form, if it is one, has a photo, agrees to its analysis and names a look.

    That what is sent is a photo, and presets are JSON, says no schema.
    """
    if case.media_type != FORM or not isinstance(case.body, dict):
        return True
    form: Mapping[str, Any] = case.body
    has_photo = not {NO_PHOTO, DOCUMENTED_PHOTO} & {value for value in form.values() if isinstance(value, str | bytes)}
    return has_photo and form.get("consent", True) is not False and form.get("look", DEFAULT_LOOK) in LOOKS


def can_be_sent(case: schemathesis.Case[Any]) -> bool:
    """A form has no lists: an empty one is a field left out, and one of a single text is that text. Both are right."""
    if case.media_type != FORM or not isinstance(case.body, dict):
        return True
    return not any(isinstance(value, list) and len(value) <= 1 for value in case.body.values())


def _of_path(template: str, path: str) -> dict[str, str]:
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
    found = re.fullmatch(pattern, path)
    assert found is not None, f"{path} is no path of {template}"
    return {name: unquote(value) for name, value in found.groupdict().items()}


def _with_ids(body: Mapping[str, Any], call: Call) -> dict[str, Any]:
    """The body with the call's ids; an id that the call does without is left out."""
    said = call.json or call.as_json
    kept = {name: value for name, value in body.items() if not _ID.fullmatch(name)}
    return _in_order({**kept, **_ids(said if isinstance(said, dict) else {})})


def _ids(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if _ID.fullmatch(name)}


def _in_order(said: Mapping[str, Any]) -> dict[str, Any]:
    """A query or a body without a drawn cursor, which is nobody's, and with consent and days that no rule refuses."""
    kept = {name: value for name, value in said.items() if name != "cursor"}
    if kept.get("consent") in {False, "false"}:
        del kept["consent"]
    return {**kept, "to": kept["from"]} if "from" in kept else kept


def _make_conditions_hold(case: schemathesis.Case[Any]) -> None:
    """A drawn version is never the current one, a key that comes twice another request's, a signature nobody's.

    Who refuses consent is refused.
    """
    case.headers.pop(SIGNATURE_HEADER, None)
    if case.headers.get("Consent") == "refused":
        case.headers["Consent"] = "given"
    if "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    make_key_new(case)


def make_key_new(case: schemathesis.Case[Any]) -> None:
    """Have a case that comes under an Idempotency-Key come under one of its own."""
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid4())
