"""Token buckets, on a clock of the test's own."""

from __future__ import annotations

import random

import pytest

from gateway.limits.buckets import Buckets, Quota


class TestQuota:
    def test_is_read(self) -> None:
        assert Quota.parse("600/60") == Quota(600, 60)

    @pytest.mark.parametrize("text", ["", "600", "0/60", "60/0", "-1/60", "1.5/60", "600/60/1", " 600/60", "600/ 60"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="requests/seconds"):
            Quota.parse(text)


class TestTaking:
    def test_so_many_at_once_and_no_more(self) -> None:
        buckets = Buckets(Quota(3, 60), most=10)
        assert [buckets.take("a", 100.0).remaining for _ in range(3)] == [2, 1, 0]
        refused = buckets.take("a", 100.0)
        assert (refused.allowed, refused.remaining, refused.seconds) == (False, 0, 20.0)

    def test_a_token_is_there_when_it_was_said_to_be(self) -> None:
        buckets = Buckets(Quota(3, 60), most=10)
        for _ in range(3):
            buckets.take("a", 100.0)
        assert not buckets.take("a", 119.9).allowed
        assert buckets.take("a", 120.0).allowed
        assert not buckets.take("a", 120.0).allowed

    def test_what_is_refused_costs_nothing(self) -> None:
        buckets = Buckets(Quota(1, 10), most=10)
        buckets.take("a", 0.0)
        for moment in range(1, 10):
            assert not buckets.take("a", float(moment)).allowed
        assert buckets.take("a", 10.0).allowed

    def test_clients_do_not_share(self) -> None:
        buckets = Buckets(Quota(1, 60), most=10)
        assert buckets.take("a", 0.0).allowed
        assert buckets.take("b", 0.0).allowed
        assert not buckets.take("a", 0.0).allowed

    def test_asking_takes_nothing(self) -> None:
        buckets = Buckets(Quota(2, 60), most=10)
        assert [buckets.is_empty("a", 0.0) for _ in range(5)] == [0.0] * 5
        buckets.take("a", 0.0)
        buckets.take("a", 0.0)
        assert buckets.is_empty("a", 0.0) == 30.0

    def test_in_any_window_never_more_than_the_bucket_and_what_came_meanwhile(self) -> None:
        chance = random.Random(20261122)
        buckets = Buckets(Quota(20, 10), most=10)
        moments, now = [], 0.0
        for _ in range(5000):
            now += chance.expovariate(8)
            if buckets.take("a", now).allowed:
                moments.append(now)
        for length in (1.0, 10.0, 60.0):
            most = max(
                sum(start <= one < start + length for one in moments[n : n + 200]) for n, start in enumerate(moments)
            )
            assert most <= 20 + 2 * length + 1
        assert len(moments) > 0.9 * 2 * now


class TestMemory:
    def test_full_buckets_are_forgotten(self) -> None:
        buckets = Buckets(Quota(10, 10), most=100)
        for client in range(100):
            buckets.take(client, 0.0)
        assert len(buckets) == 100
        buckets.take("late", 5.0)
        assert len(buckets) == 1

    def test_a_crowd_shares_one_bucket_and_leaves_the_others_theirs(self) -> None:
        buckets = Buckets(Quota(2, 1000), most=100)
        for client in range(100):
            buckets.take(client, 0.0)
        allowed = [buckets.take(f"new {number}", 0.5).allowed for number in range(1000)]
        assert sum(allowed) == 2
        assert len(buckets) <= 101
        assert buckets.take(7, 0.5).allowed
