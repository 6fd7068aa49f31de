"""AsyncAPI 3 document of the events, made out of their models."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from contracts.events import EVENTS, Event

_REF = "#/components/schemas/{model}"


def _name(event: type[Event]) -> str:
    return event.__name__


def _service(event: type[Event]) -> str:
    return str(event.model_fields["type"].default).split(".")[2]


def _channel(event: type[Event]) -> dict[str, Any]:
    kind = str(event.model_fields["type"].default)
    return {
        "address": f"kkb.{kind.partition('id.kampungkb.')[2]}.{{region}}",
        "description": event.__doc__,
        "messages": {_name(event): {"$ref": f"#/components/messages/{_name(event)}"}},
        "parameters": {
            "region": {"description": "Code of the desa, its parts as tokens: 33.26.01.2001; subscribe with 33.26.>"}
        },
        "bindings": {"nats": {"bindingVersion": "0.1.0"}},
        "x-jetstream-stream": event.stream,
    }


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": str(event.model_fields["type"].default),
        "title": _name(event),
        "summary": event.__doc__,
        "contentType": "application/cloudevents+json",
        "payload": {"$ref": f"#/components/schemas/{_name(event)}"},
    }


def asyncapi() -> dict[str, Any]:
    """The whole document."""
    _, schemas = models_json_schema([(event, "serialization") for event in EVENTS], ref_template=_REF)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kampung KB platform: events",
            "version": "1.0.0",
            "description": "Facts in the past tense, CloudEvents 1.0 in JSON, on NATS JetStream. At least once: "
            "drop an event whose id you have seen; per village, ignore a version older than the one you have.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {_name(event): _channel(event) for event in EVENTS},
        "operations": {
            f"send{_name(event)}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{_name(event)}"},
                "tags": [{"name": _service(event)}],
            }
            for event in EVENTS
        },
        "components": {
            "messages": {_name(event): _message(event) for event in EVENTS},
            "schemas": dict(sorted(schemas["$defs"].items())),
        },
    }
