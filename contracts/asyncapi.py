"""AsyncAPI 3 document of the events, made out of their models."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from contracts.events import EVENTS, Event

_REF = "#/components/schemas/{model}"
_ENVELOPE = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"]
_HEADERS = {
    "type": "object",
    "title": "MessageHeaders",
    "description": "NATS headers of every message",
    "required": ["Nats-Msg-Id", "Content-Type", "Kkb-Position", "Kkb-Published", "Kkb-Written"],
    "properties": {
        "Nats-Msg-Id": {
            "type": "string",
            "pattern": "^[0-9a-f-]{36}(:[0-9a-f-]{36})?$",
            "description": "The event's id: the stream drops a copy that follows within its window of two minutes. With a "
            "second part where the stream lost the event and still remembered its id",
        },
        "Content-Type": {"type": "string", "const": "application/cloudevents+json; charset=utf-8"},
        "Kkb-Position": {
            "type": "string",
            "pattern": "^[0-9a-f-]{36}:[0-9]+$",
            "description": "Feed and position of the event in its owner's order of commits, as its change feed counts: "
            "within one feed, what is committed later has the larger position",
        },
        "Kkb-Published": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "Position up to which the feed had been published when this message was sent: a stream that "
            "lacks a lower one has lost something",
        },
        "Kkb-Written": {
            "type": "string",
            "format": "date-time",
            "description": "When the event was written. An event that is told again keeps the `time` of its change",
        },
    },
}


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
        "parameters": {"region": {"description": event.addressed}},
        "x-jetstream-stream": event.stream,
    }


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": str(event.model_fields["type"].default),
        "title": _name(event),
        "summary": event.__doc__,
        "contentType": "application/cloudevents+json",
        "headers": {"$ref": "#/components/schemas/MessageHeaders"},
        "payload": {"$ref": f"#/components/schemas/{_name(event)}"},
    }


def _schemas() -> dict[str, Any]:
    """The events' schemas as their readers should hold them: the envelope complete, additional fields ignored."""
    _, made = models_json_schema([(event, "serialization") for event in EVENTS], ref_template=_REF)
    schemas: dict[str, Any] = {"MessageHeaders": _HEADERS}
    for name, schema in made["$defs"].items():
        schemas[name] = {key: value for key, value in schema.items() if key != "additionalProperties"}
    for event in EVENTS:
        schemas[_name(event)]["required"] = _ENVELOPE
    return dict(sorted(schemas.items()))


def asyncapi() -> dict[str, Any]:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kampung KB platform: events",
            "version": "1.0.0",
            "description": "Facts in the past tense, CloudEvents 1.0 in JSON, on NATS JetStream. At least once: "
            "drop an event whose id you have seen; per thing, ignore what is older than what you have: a village or an "
            "assessment by `data.village.version`, a report (one for each village, kind, period and source) by "
            "`data.revision`, an intervention by `data.version`; of a determination there is one event, ever. "
            "Within a version fields are only added, and optional: ignore those you do not know. What would break a "
            "reader is a new version, in the event's type and in its subject.",
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
            "schemas": _schemas(),
        },
    }
