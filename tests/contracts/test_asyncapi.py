"""The AsyncAPI document holds together and says of every event what goes over the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from contracts.asyncapi import asyncapi
from contracts.events import BY_TYPE, EVENTS, STREAMS, Event
from tests.contracts.released_events import FILES, golden

DOCUMENT = asyncapi()
SENT = {"Nats-Msg-Id", "Content-Type", "Kkb-Position", "Kkb-Published", "Kkb-Written"}
"""Headers of every message."""
EACH = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolved(reference: str) -> Any:
    found: Any = DOCUMENT
    assert reference.startswith("#/")
    for key in reference.removeprefix("#/").split("/"):
        found = found[key]
    return found


def schema_of(part: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": DOCUMENT["components"], **part}


def message_of(event: type[Event]) -> Any:
    return DOCUMENT["components"]["messages"][event.__name__]


def test_it_is_asyncapi_3_and_names_itself() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert set(DOCUMENT) == {"asyncapi", "info", "defaultContentType", "channels", "operations", "components"}
    assert {"title", "version", "description"} <= set(DOCUMENT["info"])
    json.dumps(DOCUMENT)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > 3 * len(EVENTS)
    assert all(resolved(reference) for reference in found)


def test_there_is_nothing_that_nobody_refers_to() -> None:
    found = set(references(DOCUMENT))
    components = {f"#/components/{kind}/{name}" for kind, named in DOCUMENT["components"].items() for name in named}
    assert components <= found


@EACH
def test_an_event_has_one_channel_and_one_operation(event: type[Event]) -> None:
    name = event.__name__
    operations = [
        operation
        for operation in DOCUMENT["operations"].values()
        if operation["channel"] == {"$ref": f"#/channels/{name}"}
    ]
    assert [operation["action"] for operation in operations] == ["send"]
    channel = DOCUMENT["channels"][name]
    assert channel["messages"] == {name: {"$ref": f"#/components/messages/{name}"}}
    assert set(channel["parameters"]) == set(re.findall(r"{(\w+)}", channel["address"])) == {"region"}
    assert channel["x-jetstream-stream"] in STREAMS


@pytest.mark.parametrize("name", FILES)
def test_a_released_event_fits_its_schema_and_address(name: str) -> None:
    said = golden(name)
    event = BY_TYPE[said["type"]]
    message = message_of(event)
    assert message["name"] == said["type"]
    schema = schema_of(message["payload"])
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    validator.validate(said)
    address = DOCUMENT["channels"][event.__name__]["address"]
    assert address.replace("{region}", said["subject"]) == event.model_validate(said).nats_subject
    broken = said | {"data": {}}
    assert not validator.is_valid(broken)


@EACH
def test_the_envelope_of_cloudevents_is_required(event: type[Event]) -> None:
    schema = resolved(message_of(event)["payload"]["$ref"])
    assert {"specversion", "id", "source", "type", "subject", "time", "datacontenttype"} <= set(schema["required"])
    assert schema["properties"]["specversion"]["const"] == "1.0"
    assert schema["properties"]["type"]["const"] == message_of(event)["name"]
    assert schema["properties"]["time"]["format"] == "date-time"


@EACH
def test_the_message_says_its_headers(event: type[Event]) -> None:
    message = message_of(event)
    assert message["contentType"] == "application/cloudevents+json"
    headers = resolved(message["headers"]["$ref"])
    assert set(headers["required"]) == set(headers["properties"]) == SENT


def test_no_schema_refuses_what_a_newer_producer_adds() -> None:
    assert [name for name, one in DOCUMENT["components"]["schemas"].items() if "additionalProperties" in one] == []


def test_nats_has_no_bindings_for_channels() -> None:
    """The binding is reserved for future use and must hold nothing."""
    assert all("bindings" not in channel for channel in DOCUMENT["channels"].values())
