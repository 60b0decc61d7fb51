"""docs/asyncapi.json: it is what the facts say, and it is AsyncAPI 3.0.

The structure is checked by a schema of the parts in use, which allows no other ones (AsyncAPI 3.0.0, "Schema").
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from mien_core import asyncapi
from mien_core.events import FACTS, Fact, to_record, upload_received
from mien_streams.handlers import s3_notifications

ROOT: Final = Path(__file__).parents[3]
DOCUMENT: Final = asyncapi.document("0.1.0")


def of(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """An object with these members, and with no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def named(value: dict[str, Any]) -> dict[str, Any]:
    """A map of things by names as components may have them."""
    return {"type": "object", "patternProperties": {r"^[\w.-]+$": value}, "additionalProperties": False}


TEXT: Final = {"type": "string", "minLength": 1}
REFERENCE: Final = of({"$ref": {"type": "string", "pattern": "^#/"}}, "$ref")
KAFKA_TOPIC: Final = of({"kafka": of({"topic": TEXT, "bindingVersion": {"const": "0.5.0"}}, "topic", "bindingVersion")})
KAFKA_MESSAGE: Final = of(
    {"kafka": of({"key": {"type": "object"}, "bindingVersion": {"const": "0.5.0"}}, "key", "bindingVersion")}
)
MESSAGE: Final = of(
    {
        "name": TEXT,
        "title": TEXT,
        "summary": TEXT,
        "contentType": {"const": "application/json"},
        "headers": {"type": "object", "properties": {"type": {"const": "object"}}, "required": ["type", "properties"]},
        "payload": {"type": "object", "required": ["type", "properties"]},
        "bindings": KAFKA_MESSAGE,
        "examples": {
            "type": "array",
            "minItems": 1,
            "items": of({"name": TEXT, "headers": {"type": "object"}, "payload": {}}, "payload"),
        },
    },
    "name",
    "title",
    "summary",
    "contentType",
    "payload",
    "examples",
)
STRUCTURE: Final = of(
    {
        "asyncapi": {"const": "3.0.0"},
        "info": of(
            {"title": TEXT, "version": TEXT, "description": TEXT, "license": of({"name": TEXT}, "name")},
            "title",
            "version",
        ),
        "defaultContentType": {"const": "application/json"},
        "servers": named(
            of(
                {
                    "host": TEXT,
                    "protocol": {"const": "kafka"},
                    "description": TEXT,
                    "variables": named(of({"description": TEXT, "default": TEXT})),
                },
                "host",
                "protocol",
            )
        ),
        "channels": named(
            of(
                {
                    "address": {"type": "string", "pattern": r"^mien\.[a-z0-9.-]+$"},
                    "description": TEXT,
                    "servers": {"type": "array", "items": REFERENCE, "minItems": 1},
                    "messages": named(REFERENCE),
                    "bindings": KAFKA_TOPIC,
                },
                "address",
                "messages",
            )
        ),
        "operations": named(
            of(
                {
                    "action": {"enum": ["send", "receive"]},
                    "channel": REFERENCE,
                    "summary": TEXT,
                    "messages": {"type": "array", "items": REFERENCE, "minItems": 1},
                },
                "action",
                "channel",
            )
        ),
        "components": of({"messages": named(MESSAGE)}),
    },
    "asyncapi",
    "info",
)


def resolved(reference: dict[str, str]) -> Any:
    """What a reference points at; a KeyError if there is nothing."""
    found: Any = DOCUMENT
    for step in reference["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return resolved(found) if isinstance(found, dict) and "$ref" in found else found


def test_the_published_document_is_what_the_facts_say() -> None:
    """docs/asyncapi.json is what the command prints."""
    printed = subprocess.run(
        [sys.executable, "-m", "mien_core", "asyncapi"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    published = (ROOT / "docs/asyncapi.json").read_text()
    assert published == printed, "Run: python -m mien_core asyncapi > docs/asyncapi.json"
    assert json.loads(printed)["channels"] == DOCUMENT["channels"]


def test_it_is_asyncapi() -> None:
    """Its structure is the specification's, and nothing is in it that the specification doesn't know."""
    errors = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(STRUCTURE).iter_errors(DOCUMENT)]
    assert errors == []


def test_a_structure_that_is_none_is_noticed() -> None:
    """The check above can fail: another version, an unknown member, a message without a payload."""
    message = dict(DOCUMENT["components"]["messages"]["UploadReceived"])
    del message["payload"]
    others: tuple[dict[str, Any], ...] = (
        {"asyncapi": "2.6.0"},
        {"topics": {}},
        {"components": {"messages": {"UploadReceived": message}}},
    )
    for broken in others:
        assert not Draft202012Validator(STRUCTURE).is_valid({**DOCUMENT, **broken})


def test_every_reference_leads_somewhere() -> None:
    """Channels to messages and servers; operations to channels and to messages of that very channel."""
    for channel in DOCUMENT["channels"].values():
        assert all(resolved(message)["name"] for message in channel["messages"].values())
        assert all(resolved(server)["protocol"] == "kafka" for server in channel["servers"])
    for operation in DOCUMENT["operations"].values():
        assert resolved(operation["channel"])["address"]
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{operation['channel']['$ref']}/messages/")
            assert resolved(message)["payload"]


def test_every_topic_has_its_channel() -> None:
    """Each fact's and the store's, which the agents read; each is sent or received by somebody."""
    addresses = {channel["address"] for channel in DOCUMENT["channels"].values()}
    assert addresses == {fact.topic for fact in FACTS} | {s3_notifications.TOPIC}
    used = {operation["channel"]["$ref"].removeprefix("#/channels/") for operation in DOCUMENT["operations"].values()}
    assert used == set(DOCUMENT["channels"])


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_each_facts_example_is_one(fact: type[Fact]) -> None:
    """Its payload is the fact and fits the schema, its headers fit theirs."""
    message = DOCUMENT["components"]["messages"][fact.__name__]
    for example in message["examples"]:
        fact.model_validate(example["payload"])
        Draft7Validator(message["payload"]).validate(example["payload"])
        Draft7Validator(message["headers"]).validate(example["headers"])


def test_what_is_sent_fits_the_document() -> None:
    """The headers of a record as the relay publishes it, and its value."""
    record = to_record(
        upload_received(
            "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
            "0b0c7a52-3f0e-5d0a-9b43-5a7a1c1de0aa",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
    )
    message = DOCUMENT["components"]["messages"]["UploadReceived"]
    headers = {name: value.decode() for name, value in record.headers}
    Draft7Validator(message["headers"]).validate(headers)
    assert set(headers) <= set(message["headers"]["properties"])
    Draft7Validator(message["payload"]).validate(json.loads(record.value))
    assert record.topic in {channel["address"] for channel in DOCUMENT["channels"].values()}


def test_the_stores_example_is_understood() -> None:
    """The agent that reads such messages finds the upload in it."""
    example = DOCUMENT["components"]["messages"]["S3Notification"]["examples"][0]["payload"]
    found = s3_notifications._created_uploads(json.dumps(example).encode())
    assert found == ["6f9619ff-8b86-d011-b42d-00cf4fc964ff"]
