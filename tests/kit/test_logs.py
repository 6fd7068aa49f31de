"""A log line is JSON whatever stands in it."""

from __future__ import annotations

import json
import logging

import pytest

from kit.logs import JsonFormatter


@pytest.mark.parametrize(
    ("message", "extra"),
    [
        ("usual", {}),
        ("half a pair: \ud800", {}),
        ("a large number", {"number": 2**70}),
        ("an object", {"what": object()}),
    ],
    ids=["usual", "surrogate", "integer", "object"],
)
def test_every_record_is_a_line_of_json(message: str, extra: dict[str, object]) -> None:
    record = logging.makeLogRecord({"name": "kit", "levelname": "ERROR", "msg": message, **extra})
    line = JsonFormatter("registry").format(record)
    assert "\n" not in line
    said = json.loads(line)
    assert (said["service"], said["level"], said["message"]) == ("registry", "error", message)
    assert said.keys() >= extra.keys()
