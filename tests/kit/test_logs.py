"""A log line is JSON whatever stands in it."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from typing import Any

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


REQUESTS = """
from kit import logs
logs.request_id.set("found-again")
logs.configure("registry", {level!r})
logs.log_request({{"method": "GET", "route": "/\\ud800", "status": 200, "failure": None, "caller": None}})
logs._straight = None
logs.log_request({{"method": "GET", "route": "/\\ud800", "status": 200, "failure": None, "caller": None}})
"""


def lines_of_requests(level: str) -> list[dict[str, Any]]:
    """What a process writes of a request: straight, then through `logging`."""
    done = subprocess.run([sys.executable, "-c", REQUESTS.format(level=level)], capture_output=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    return lines


def test_a_request_is_one_line_as_any_other_is() -> None:
    straight, through_logging = lines_of_requests("info")
    assert straight == through_logging
    request = {"method": "GET", "route": "/\ud800", "status": 200, "request_id": "found-again"}
    assert straight == {"level": "info", "service": "registry", "logger": "access", "message": "request", **request}


def test_requests_are_not_logged_where_only_warnings_are() -> None:
    assert lines_of_requests("warning") == []
