"""The events as AsyncAPI 3.0: made of the facts, so that a fact that is added is in it.

Source: AsyncAPI 3.0.0, https://www.asyncapi.com/docs/reference/specification/v3.0.0; Kafka bindings 0.5.0; CloudEvents'
Kafka protocol binding 1.0.2, in its binary mode.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mien_core.events import CONTENT_TYPE, FACTS, SOURCE, Fact, published_schema

S3_NOTIFICATIONS: Final = "mien.s3-notifications"
_BINDING_VERSION: Final = "0.5.0"
_ID: Final = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
_MOMENT: Final = "2026-11-20T10:00:00+00:00"
_TRACEPARENT: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

# What fields of facts look like that are no ids.
_EXAMPLES: Final[Mapping[str, str]] = {
    "code": "no_face",
    "engine": "ranker",
    "model_revision": "face@sha256:0123456789ab",
}

_S3_PAYLOAD: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "As AWS has it, of which this is read; what else is there is passed over.",
    "properties": {
        "Records": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["eventName", "s3"],
                "properties": {
                    "eventName": {"type": "string", "description": "ObjectCreated:… begins work, all else is left"},
                    "s3": {
                        "type": "object",
                        "required": ["object"],
                        "properties": {
                            "object": {
                                "type": "object",
                                "required": ["key"],
                                "properties": {
                                    "key": {"type": "string", "description": "percent-encoded, + for a space"}
                                },
                            }
                        },
                    },
                },
            },
        }
    },
}
_S3_EXAMPLE: Final = {
    "Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": f"uploads/{_ID}/original"}}}]
}


def document(version: str) -> dict[str, Any]:
    """Make the document.

    Args:
        version: the platform's.
    """
    messages = {fact.__name__: _message(fact) for fact in FACTS}
    topics = {_camel(fact.__name__): (fact.topic, fact.__name__, _first_line(fact)) for fact in FACTS}
    topics["s3Notifications"] = (S3_NOTIFICATIONS, "S3Notification", "The object store tells of new objects.")
    messages["S3Notification"] = _s3_message()
    operations = {f"send{fact.__name__}": _operation("send", _camel(fact.__name__), fact.__name__) for fact in FACTS}
    operations["receiveS3Notification"] = _operation("receive", "s3Notifications", "S3Notification")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "mien's events",
            "version": version,
            "description": (
                "Facts, in the past tense, once they are committed: each at least once, those about one photo in "
                "order unless one is tried again. Consumers go by ce_id, which a repeat has again. Members that are "
                "not known are to be ignored; a published schema is never edited, another version is another topic."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "kafka": {
                "host": "{brokers}",
                "protocol": "kafka",
                "description": "The platform's brokers.",
                "variables": {"brokers": {"description": "MIEN_KAFKA__BROKERS", "default": "localhost:9092"}},
            }
        },
        "channels": {name: _channel(*parts) for name, parts in topics.items()},
        "operations": operations,
        "components": {"messages": messages},
    }


def _channel(topic: str, message: str, description: str) -> dict[str, Any]:
    return {
        "address": topic,
        "description": description,
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": _BINDING_VERSION}},
    }


def _operation(action: str, channel: str, message: str) -> dict[str, Any]:
    who = {"send": "The platform publishes", "receive": "The platform reads"}[action]
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": f"{who} {message}.",
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }


def _message(fact: type[Fact]) -> dict[str, Any]:
    published = published_schema(fact)
    payload = {name: value for name, value in published.items() if name not in {"$schema", "$id"}}
    shown = {name: _example(name, part, payload) for name, part in payload["properties"].items()}
    return {
        "name": fact.type,
        "title": fact.__name__,
        "summary": _first_line(fact),
        "contentType": CONTENT_TYPE,
        "headers": _headers(fact),
        "payload": payload,
        "bindings": {
            "kafka": {
                "key": {
                    "type": "string",
                    "format": "uuid",
                    "description": "the photo's id, else the job's; the same as ce_subject",
                },
                "bindingVersion": _BINDING_VERSION,
            }
        },
        "examples": [{"name": fact.__name__, "headers": _example_headers(fact), "payload": shown}],
    }


def _headers(fact: type[Fact]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": "CloudEvents 1.0 in Kafka's binary mode; further headers may stand beside them.",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"],
        "properties": {
            "ce_specversion": {"type": "string", "const": "1.0"},
            "ce_id": {"type": "string", "format": "uuid", "description": "of the event's cause: a repeat has it again"},
            "ce_source": {"type": "string", "const": SOURCE},
            "ce_type": {"type": "string", "const": fact.type},
            "ce_subject": {"type": "string", "format": "uuid", "description": "the photo's id, else the job's"},
            "ce_time": {"type": "string", "format": "date-time"},
            "content-type": {"type": "string", "const": CONTENT_TYPE},
            "ce_traceparent": {"type": "string", "description": "W3C trace context of what caused it"},
            "traceparent": {"type": "string", "description": "the same under the name that clients look for"},
        },
    }


def _example_headers(fact: type[Fact]) -> dict[str, str]:
    return {
        "ce_specversion": "1.0",
        "ce_id": "0b0c7a52-3f0e-5d0a-9b43-5a7a1c1de0aa",
        "ce_source": SOURCE,
        "ce_type": fact.type,
        "ce_subject": _ID,
        "ce_time": _MOMENT,
        "content-type": CONTENT_TYPE,
        "ce_traceparent": _TRACEPARENT,
        "traceparent": _TRACEPARENT,
    }


def _s3_message() -> dict[str, Any]:
    return {
        "name": "s3-notification",
        "title": "S3Notification",
        "summary": "Objects were written; a photo among them begins its work as POST /analyze would.",
        "contentType": CONTENT_TYPE,
        "payload": _S3_PAYLOAD,
        "examples": [{"name": "S3Notification", "payload": _S3_EXAMPLE}],
    }


def _example(name: str, part: Mapping[str, Any], payload: Mapping[str, Any]) -> Any:
    """What a member may be."""
    if "$ref" in part:
        part = payload["$defs"][part["$ref"].rpartition("/")[2]]
    alternatives: Sequence[Mapping[str, Any]] = part.get("anyOf", ())
    if alternatives:
        return _example(name, alternatives[0], payload)
    if "const" in part or "enum" in part:
        return part.get("const", part.get("enum", [None])[0])
    if part.get("format") == "uuid":
        return _ID
    if part.get("format") == "date-time":
        return _MOMENT
    if part.get("type") == "array":
        return [_example(name, part["items"], payload)]
    return {"integer": 1, "number": 1.0, "boolean": True}.get(part.get("type", ""), _EXAMPLES.get(name, name))


def _first_line(fact: type[Fact]) -> str:
    return (inspect.getdoc(fact) or "").partition("\n")[0]


def _camel(name: str) -> str:
    return name[0].lower() + name[1:]
