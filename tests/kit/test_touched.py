"""What a request is said to have touched."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from contextvars import Context, copy_context

import pytest

from kit import touched
from kit.access import Caller, Role
from kit.problems import RegionForbidden
from tests.conftest import REPOSITORY


def told(*regions: str | None) -> str | None:
    def request() -> str | None:
        touched.begin()
        for region in regions:
            touched.note(region)
        return touched.region()

    return copy_context().run(request)


@pytest.mark.parametrize(
    ("regions", "common"),
    [
        ([], None),
        (["83.01"], "83.01"),
        (["83.01.01.2001", "83.01.02"], "83.01"),
        (["83.01", "84.01"], None),
        (["83.01", None], None),
    ],
)
def test_the_smallest_region_that_holds_all(regions: list[str | None], common: str | None) -> None:
    assert told(*regions) == common


def test_outside_of_requests_nothing_is_kept() -> None:
    def job() -> str | None:
        touched.note("83.01")
        return touched.region()

    assert Context().run(job) is None


async def test_what_a_part_of_the_request_touches_counts() -> None:
    async def part() -> None:
        touched.note("83.01")

    touched.begin()
    await asyncio.create_task(part())
    await asyncio.to_thread(touched.note, "83.02")
    assert touched.region() == "83"


def test_whoever_asks_for_a_region_touches_it_allowed_or_not() -> None:
    caller = Caller("x", "x", frozenset({Role.READER}), "83.01")

    def asks(region: str | None) -> str | None:
        touched.begin()
        try:
            caller.narrow(region)
        except RegionForbidden:
            assert region == "84.01"
        return touched.region()

    assert [asks(region) for region in ("83.01.02", "84.01", None)] == ["83.01.02", "84.01", "83.01"]


def finds() -> Iterator[tuple[str, str]]:
    """Every query that gives one thing to a caller: its place and its text."""
    for folder in ("kit", "services", "gateway"):
        for path in sorted((REPOSITORY / folder).rglob("store.py")):
            text = path.read_text()
            for node in ast.parse(text).body:
                if not isinstance(node, ast.AsyncFunctionDef) or node.name != "find":
                    continue
                if any(argument.arg == "caller" for argument in node.args.args):
                    yield str(path.relative_to(REPOSITORY)), ast.get_source_segment(text, node) or ""


def test_every_thing_that_is_found_for_a_caller_is_told_of() -> None:
    found = dict(finds())
    assert len(found) >= 13
    assert [place for place, text in found.items() if "touched.note(" not in text] == []
