"""The circuit breaker, on a clock of the test's own."""

from __future__ import annotations

import pytest

from gateway.proxy.breaker import Breaker, BreakerLimits, State

LIMITS = BreakerLimits(failures=3, window_seconds=10, open_seconds=1, longest_seconds=8)


@pytest.fixture
def breaker() -> Breaker:
    return Breaker(LIMITS)


def open_it(breaker: Breaker, now: float = 0.0) -> None:
    for _ in range(LIMITS.failures):
        breaker.failed(now)
    assert breaker.state is State.OPEN


class TestClosed:
    def test_opens_after_failures_in_a_row(self, breaker: Breaker) -> None:
        breaker.failed(0.0)
        breaker.failed(0.1)
        assert breaker.allows(0.2)
        breaker.failed(0.2)
        assert not breaker.allows(0.3)

    def test_some_failures_among_many_answers_change_nothing(self, breaker: Breaker) -> None:
        breaker.failed(0.0)
        for number in range(50):
            breaker.succeeded()
            breaker.succeeded()
            breaker.failed(number / 10)
        assert breaker.allows(5.0)

    def test_half_of_all_is_too_many(self, breaker: Breaker) -> None:
        for _ in range(3):
            breaker.succeeded()
        for _ in range(6):
            breaker.failed(1.0)
        assert breaker.state is State.OPEN

    def test_old_failures_are_forgotten(self, breaker: Breaker) -> None:
        for now in (0.0, 11.0, 22.0, 33.0, 44.0):
            breaker.failed(now)
        assert breaker.allows(44.0)


class TestOpen:
    def test_one_request_is_tried_after_a_while(self, breaker: Breaker) -> None:
        open_it(breaker)
        assert not breaker.allows(0.79)
        assert breaker.allows(1.21)
        breaker.begun()
        assert not breaker.allows(1.22)
        breaker.succeeded()
        assert breaker.state is State.CLOSED
        assert breaker.allows(1.23)

    def test_each_trial_that_fails_doubles_the_time_up_to_the_longest(self, breaker: Breaker) -> None:
        open_it(breaker)
        now, waits = 0.0, []
        for _ in range(6):
            asked = now
            while not breaker.allows(now):
                now += 0.01
            waits.append(now - asked)
            breaker.begun()
            breaker.failed(now)
        for wait, expected in zip(waits, (1, 2, 4, 8, 8, 8), strict=True):
            assert 0.8 * expected <= wait <= 1.2 * expected + 0.02

    def test_a_trial_whose_client_hung_up_is_made_again(self, breaker: Breaker) -> None:
        open_it(breaker)
        assert breaker.allows(2.0)
        breaker.begun()
        breaker.abandoned()
        assert breaker.allows(2.0)

    def test_a_sign_of_life_shortens_the_wait(self, breaker: Breaker) -> None:
        open_it(breaker)
        breaker.try_soon(0.1)
        assert breaker.allows(0.1)
        assert breaker.state is State.HALF_OPEN

    def test_requests_that_were_under_way_do_not_lengthen_it(self, breaker: Breaker) -> None:
        open_it(breaker)
        breaker.failed(0.9)
        assert breaker.allows(1.21)
