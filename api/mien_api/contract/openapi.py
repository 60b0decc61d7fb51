"""What OpenAPI says of every operation alike: problems, headers, credentials, examples. FastAPI says the rest.

Structural wherever it can be: a new route gets all of it from its shape, its docstring and its models.
"""

from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

from mien_api.contract.catalogue import CATALOGUE, Entry, title_of, type_of
from mien_api.contract.examples import Examples
from mien_api.contract.operations import METHODS, problems_of
from mien_api.limits import APPLICATIONS
from mien_api.problems import MEDIA_TYPE

JSON: Final = "application/json"

# What the tags are; a test asks for those that are missing.
TAGS: Final[Mapping[str, str]] = {
    "GlamAI": "Make-up: announce a photo, have it analysed, save looks. camelCase.",
    "Skin Chapters": "What a photo shows of the skin, from one call. snake_case.",
    "Glow Cycle": "Journal, periods, predictions and a skin diary. camelCase.",
    "TryOnAI": "Virtual try-on, without an account. snake_case.",
    "Posters": "Movie posters, paid for with credits. snake_case.",
    "Jobs": "Work that takes time, the same for all applications.",
    "Users": "What users may ask for: all that is held about them, and its erasure. The same for all applications.",
    "Operator": "What mien's operator asks for, of all tenants. camelCase. For keys with the scope operator only.",
    "Platform": "What is about the platform and the caller's tenant as a whole.",
}

_SECURITY_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of an OIDC issuer (RS256), which speaks for its `sub`, or an API key.",
    },
    "raw": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The same without the word Bearer, as older frontends send it.",
    },
}
_SECURITY: Final[list[dict[str, list[str]]]] = [{name: []} for name in _SECURITY_SCHEMES]

_REQUEST_ID: Final = {
    "name": "X-Request-ID",
    "in": "header",
    "required": False,
    "description": "1 to 128 letters, digits, dots, dashes or underscores; of anything else a new id is made.",
    "schema": {"type": "string"},
    "example": "0b0f9f0c-checkout",
}

# What a parameter is that doesn't say it itself; ids need no line here.
_PARAMETERS: Final[Mapping[str, str]] = {
    "from": "the first day",
    "to": "the last day",
    "tag": "only what has this tag",
    "prompt": "what the poster is to show",
    "title": "the film's title; without one, the prompt's first words",
    "genre": "the film's genre, which chooses the colours",
    "style": "how it is drawn",
    "aspect": "width to height",
    "upload_id": "a photo of purpose poster to be put on it",
}

_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "X-Request-ID": {
        "required": True,
        "description": "The request's id, as the platform's log has it.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    },
    "RateLimit": {
        "required": True,
        "description": "What is left: the limit's name, requests (r), seconds until it is whole again (t).",
        "schema": {"type": "string", "pattern": '^"[a-z-]+";r=[0-9]+;t=[0-9]+$'},
        "example": '"glam";r=599;t=60',
    },
    "RateLimit-Policy": {
        "required": True,
        "description": "The limit: its name, requests (q) in seconds (w).",
        "schema": {"type": "string", "pattern": '^"[a-z-]+";q=[0-9]+;w=[0-9]+$'},
        "example": '"glam";q=600;w=60',
    },
    "Retry-After": {
        "description": "Seconds after which a repeat is sensible.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 1,
    },
    "Location": {
        "description": "Where to look next: what was made, or the job that makes it.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/jobs/6f9619ff-8b86-d011-b42d-00cf4fc964ff",
    },
    "Allow": {
        "required": True,
        "description": "The methods that the path knows.",
        "schema": {"type": "string"},
        "example": "DELETE, GET",
    },
    "WWW-Authenticate": {
        "required": True,
        "description": "How to show a credential.",
        "schema": {"type": "string"},
        "example": "Bearer",
    },
    "Preference-Applied": {
        "description": "What was made of Prefer.",
        "schema": {"type": "string"},
        "example": "wait=10",
    },
    "Server-Timing": {
        "description": "Where the time went, in milliseconds.",
        "schema": {"type": "string"},
        "example": "serving;dur=187.0",
    },
    "Idempotency-Replayed": {
        "description": "Present where an earlier request with this Idempotency-Key was answered so.",
        "schema": {"type": "string", "const": "true"},
    },
    "Age": {
        "description": "How many seconds ago a replayed answer was given.",
        "schema": {"type": "integer", "minimum": 0},
    },
}
_EVERYWHERE: Final = ("X-Request-ID", "RateLimit", "RateLimit-Policy")
_OF_STATUS: Final[Mapping[int, tuple[str, ...]]] = {
    201: ("Location",),
    202: ("Location", "Retry-After"),
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_OF_PREFER: Final = ("Preference-Applied", "Server-Timing")
_OF_UNSAFE: Final = ("Idempotency-Replayed", "Age")
_NO_PROBLEM: Final = 400

_PROBLEM_EXAMPLE_ID: Final = "3f1c2d9be8a94d0c8f1f4f0a6d2b7c55"
_PROBLEM: Final = {
    "title": "Problem",
    "description": f"An error (RFC 9457). Programs go by code; {type_of('<code>')} says more of each.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "leads to the code's explanation"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "what is wrong here, and what to do"},
        "code": {"type": "string", "pattern": "^[a-z]+(_[a-z]+)*$", "description": "stable"},
        "request_id": {"type": "string", "description": "as in X-Request-ID"},
        "errors": {
            "type": "array",
            "description": "with invalid_request: which fields",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "a JSON pointer into the request"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


def declare(document: dict[str, Any], anonymous: Collection[str] = ()) -> None:
    """Say it in a document that FastAPI made; a second time changes nothing.

    Args:
        document: the document.
        anonymous: the applications that ask for no credential here.
    """
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    components["headers"] = dict(_HEADERS)
    components["examples"] = {code: _problem_example(code, entry) for code, entry in CATALOGUE.items()}
    if "securitySchemes" in components:
        components["securitySchemes"] = dict(_SECURITY_SCHEMES)
    used = {tag for _, _, operation in operations_of(document) for tag in operation.get("tags", ())}
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items() if name in used]
    examples = Examples(schemas)
    for path, method, operation in operations_of(document):
        _describe(operation)
        _declare_problems(path, method, operation, schemas)
        _declare_headers(method, operation)
        _show(operation, examples)
        if operation.get("security"):
            operation["security"] = _security(operation["tags"][0], anonymous)
    # FastAPI's own words for what is a problem here
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)


def operations_of(document: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Give each operation of a document: its path, its method in small letters, and what is said of it."""
    return [
        (path, method, operation)
        for path, methods in document.get("paths", {}).items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def _security(tag: str, anonymous: Collection[str]) -> list[dict[str, list[str]]]:
    """Which credentials an operation takes; {} is none, which jobs may do without where they were made so."""
    application = APPLICATIONS.get(tag)
    optional = application in anonymous or (tag == "Jobs" and anonymous)
    return [*_SECURITY, {}] if optional else _SECURITY


def _describe(operation: MutableMapping[str, Any]) -> None:
    """Take the summary from the docstring, since FastAPI's is the function's name, and say what parameters are."""
    described = operation.get("description", "")
    first, _, _ = described.partition("\n\n")
    operation["summary"] = " ".join(first.split()).removesuffix(".")
    for parameter in operation.get("parameters", ()):
        name: str = parameter["name"]
        parameter["schema"] = _sent(parameter["schema"])
        if name.endswith("_id"):
            parameter.setdefault("description", f"the {name.removesuffix('_id').replace('_', ' ')}'s id")
        elif name in _PARAMETERS:
            parameter.setdefault("description", _PARAMETERS[name])


def _sent(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A parameter's schema without null: what isn't sent is left out, and there is no text that says it."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**{name: value for name, value in schema.items() if name != "anyOf"}, **kinds[0]}


def _declare_problems(path: str, method: str, operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    if _REQUEST_ID not in parameters:
        parameters.append(_REQUEST_ID)
    answers = operation["responses"]
    answers.get("422", {}).get("content", {}).pop(JSON, None)
    for status, codes in problems_of(path, method, operation, schemas).items():
        answer = answers.setdefault(str(status), {})
        meanings = "\n".join(f"- `{code}`: {CATALOGUE[code].meaning}" for code in codes)
        own = answer.get("description", "").partition("\n\n- `")[0]
        phrase = own or HTTPStatus(status).phrase
        answer["description"] = f"{phrase}\n\n{meanings}"
        answer.setdefault("content", {})[MEDIA_TYPE] = {
            "schema": {
                "allOf": [
                    {"$ref": "#/components/schemas/Problem"},
                    {"properties": {"status": {"const": status}, "code": {"enum": codes}}},
                ]
            },
            "examples": {code: _shown(code, status) for code in codes},
        }
    operation["responses"] = dict(sorted(answers.items()))


def _declare_headers(method: str, operation: dict[str, Any]) -> None:
    asked = {parameter.get("name", "").lower() for parameter in operation["parameters"]}
    for status, answer in operation["responses"].items():
        names = [*_EVERYWHERE, *_OF_STATUS.get(int(status), ())]
        if int(status) < _NO_PROBLEM:
            names += _OF_PREFER if "prefer" in asked else ()
        names += _OF_UNSAFE if method != "get" else ()
        headers = answer.setdefault("headers", {})
        for name in names:
            headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def _show(operation: dict[str, Any], examples: Examples) -> None:
    """Give each body and each parameter an example; those of problems are there already."""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        media.setdefault("example", examples.of(media.get("schema", {})))
    for status, answer in operation["responses"].items():
        for media in answer.get("content", {}).values():
            # of a stream its events are described
            if "itemSchema" in media:
                media.pop("schema", None)
        if int(status) < _NO_PROBLEM and JSON in answer.get("content", {}):
            media = answer["content"][JSON]
            media.setdefault("example", examples.of(media.get("schema", {})))
    for parameter in operation["parameters"]:
        if "schema" in parameter and "example" not in parameter and parameter.get("required"):
            parameter["example"] = examples.of(parameter["schema"], parameter["name"])


def _shown(code: str, status: int) -> dict[str, Any]:
    """The code's example; where a contract fixes another status, one of its own."""
    entry = CATALOGUE[code]
    if entry.status == status:
        return {"$ref": f"#/components/examples/{code}"}
    return _problem_example(code, replace(entry, status=HTTPStatus(status)))


def _problem_example(code: str, entry: Entry) -> dict[str, Any]:
    value: dict[str, Any] = {
        "type": type_of(code),
        "title": title_of(code),
        "status": entry.status.value,
        "detail": f"{entry.meaning} {entry.remedy}",
        "code": code,
        "request_id": _PROBLEM_EXAMPLE_ID,
    }
    if code == "invalid_request":
        value["errors"] = [{"pointer": "/userId", "detail": "Field required"}]
    return {"summary": entry.meaning, "value": value}
