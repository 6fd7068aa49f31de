"""What remains of a request's time, and who keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from kit import deadlines, turns
from kit.problems import Unavailable
from kit.turns import Turns

PATIENCE = 30
"""Seconds: whoever ignores the deadline waits an hour here and is seen to."""


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    deadlines.begin(None)


def test_without_a_word_there_is_no_limit() -> None:
    deadlines.begin(None)
    assert (deadlines.remaining(), deadlines.within(5.0), deadlines.is_over()) == (None, 5.0, False)


def test_the_nearer_limit_counts() -> None:
    deadlines.begin("60000")
    assert deadlines.within(5.0) == 5.0
    assert 50 < deadlines.within(3600) <= 60
    deadlines.narrow(3600)
    assert deadlines.within(3600) <= 60
    deadlines.narrow(10)
    assert deadlines.within(3600) <= 10
    deadlines.begin_with(3600)
    assert deadlines.within(7200) > 60


def test_what_is_over_leaves_nothing() -> None:
    deadlines.begin("0")
    assert (deadlines.remaining(), deadlines.within(5.0), deadlines.is_over()) == (0.0, 0.0, True)


def test_a_request_does_not_limit_the_next() -> None:
    copy_context().run(deadlines.begin, "0")
    assert deadlines.remaining() is None


class TestTurns:
    @pytest.fixture(autouse=True)
    def _endless(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(turns, "_WAIT_SECONDS", 3600)
        monkeypatch.setattr(turns, "_LONGEST_SECONDS", 3600)

    async def test_nobody_waits_for_one_longer_than_for_the_answer(self) -> None:
        one = Turns(1, "tables")
        async with asyncio.timeout(PATIENCE), one.turn():
            deadlines.begin("50")
            with pytest.raises(Unavailable, match="other tables"):
                async with one.turn():
                    pytest.fail("there was none")

    async def test_nor_has_one_longer(self) -> None:
        one = Turns(1, "tables")
        deadlines.begin("50")
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(Unavailable, match="takes too long"):
                async with one.turn():
                    await asyncio.Event().wait()
            deadlines.begin(None)
            async with one.turn():
                pass  # it was given back
