"""When the door takes on no more: fed with ticks by the test, no clock."""

from __future__ import annotations

import pytest

from gateway.limits.ceiling import Ceiling, CeilingLimits


@pytest.fixture
def ceiling() -> Ceiling:
    return Ceiling(CeilingLimits(lag_seconds=0.1, tick_seconds=0.05, least=10, most=20_000))


def offer(ceiling: Ceiling, requests: int) -> int:
    """How many of them were begun, and finished before the next tick."""
    begun = sum(ceiling.begin() for _ in range(requests))
    for _ in range(begun):
        ceiling.finish()
    return begun


class TestCeiling:
    def test_a_quick_loop_takes_everything(self, ceiling: Ceiling) -> None:
        for _ in range(5):
            assert offer(ceiling, 10_000) == 10_000
            ceiling.look(0.05)

    def test_one_hiccup_changes_nothing(self, ceiling: Ceiling) -> None:
        offer(ceiling, 100)
        ceiling.look(0.5)
        assert offer(ceiling, 10_000) == 10_000

    def test_a_loop_that_stays_late_begins_what_it_can_finish(self, ceiling: Ceiling) -> None:
        for _ in range(2):
            offer(ceiling, 1000)
            ceiling.look(0.5)
        # 1000 in half a second are 2000/s, of which nine tenths in a tick of 50 ms
        assert sum(ceiling.lets_in() for _ in range(10_000)) == 90
        assert offer(ceiling, 10_000) == 90

    def test_the_least_is_begun_whatever_the_lag(self, ceiling: Ceiling) -> None:
        for _ in range(50):
            offer(ceiling, 5)
            ceiling.look(10.0)
        assert offer(ceiling, 100) == 10

    def test_it_opens_again_when_the_crowd_is_gone(self, ceiling: Ceiling) -> None:
        for _ in range(2):
            offer(ceiling, 1000)
            ceiling.look(0.5)
        offer(ceiling, 10_000)
        for _ in range(20):
            offer(ceiling, 20)
            ceiling.look(0.05)
        assert offer(ceiling, 10_000) == 10_000

    def test_it_stays_at_capacity_while_the_crowd_stays(self, ceiling: Ceiling) -> None:
        """A loop that manages 2000 a second is offered 6000: what is begun settles near 2000."""
        elapsed, begun = 0.05, []
        for _ in range(400):
            taken = offer(ceiling, int(6000 * elapsed))
            elapsed = max(0.05, taken / 2000)
            ceiling.look(elapsed)
            begun.append(taken / elapsed)
            assert elapsed < 1.0 or len(begun) < 20
        assert 1500 < sum(begun[200:]) / 200 <= 2000

    def test_what_was_begun_and_hangs_is_not_what_it_can_do(self, ceiling: Ceiling) -> None:
        for _ in range(1000):
            ceiling.begin()
        ceiling.look(1.0)
        assert offer(ceiling, 10_000) == 10

    def test_a_loop_that_is_very_late_need_not_be_late_twice(self, ceiling: Ceiling) -> None:
        offer(ceiling, 1000)
        ceiling.look(1.0)
        assert offer(ceiling, 10_000) == 45

    def test_even_a_quick_loop_begins_only_so_many_at_once(self) -> None:
        ceiling = Ceiling(CeilingLimits(most=100))
        for _ in range(3):
            ceiling.look(0.05)
            assert offer(ceiling, 1000) == 100
