"""What is recorded, and how floods of refusals are summed up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.regions import common_region
from gateway.audit.rules import (
    MOST_GROUPS,
    AuditKind,
    Entry,
    Refusals,
    kind_of,
    read,
    region_of,
    resource_of,
    written,
)
from kit.ids import uuid7

NOON = datetime(2026, 3, 1, 12, 0, 5, 7, tzinfo=UTC)


def refusal(address: str, at: datetime = NOON, status: int = 401, operation: str = "list_keys") -> Entry:
    return Entry(id=uuid7(), kind=AuditKind.REFUSAL, at=at, address=address, status=status, operation=operation)


class TestKindOf:
    @pytest.mark.parametrize(
        ("method", "scopes", "kind"),
        [
            ("POST", ["villages:write"], AuditKind.CHANGE),
            ("DELETE", ["keys:manage"], AuditKind.CHANGE),
            ("PATCH", ["villages:read", "villages:write"], AuditKind.CHANGE),
            ("POST", [], AuditKind.CHANGE),
            ("POST", ["assessments:read"], None),
            ("POST", ["rulesets:evaluate"], None),
            ("GET", ["villages:read"], None),
            ("GET", [], None),
            ("GET", ["keys:manage"], AuditKind.READ),
            ("GET", ["audit:read"], AuditKind.READ),
        ],
    )
    def test_by_method_and_scopes(self, method: str, scopes: list[str], kind: AuditKind | None) -> None:
        assert kind_of(method, scopes) is kind


class TestAddress:
    def test_the_query_is_never_kept(self) -> None:
        assert resource_of("/api/v1/villages?name=Siti") == "/api/v1/villages"
        assert len(resource_of("/" + "a" * 9000)) == 400

    def test_a_key_in_the_path_is_not_kept(self) -> None:
        key = "kkb_" + "0" * 32 + "_" + "ab" * 32
        assert resource_of(f"/api/v1/villages/{key}") == "/api/v1/villages/kkb_..."

    @pytest.mark.parametrize(
        ("template", "target", "region"),
        [
            ("/villages/{village}/profiles", "/villages/33.26.01.2001/profiles", "33.26.01.2001"),
            ("/villages/{village}", "/villages/3326012001", "33.26.01.2001"),
            ("/villages/{village}", "/villages/0190c9a4-0000-7000-8000-000000000000", None),
            ("/imports", "/imports?region=76&name=Siti", "76"),
            ("/inpres/kegiatan/{code}", "/inpres/kegiatan/11", None),
            ("/imports", "/imports?region=", None),
        ],
    )
    def test_the_region_where_it_says_so(self, template: str, target: str, region: str | None) -> None:
        assert region_of(template, target, None) == region

    @pytest.mark.parametrize(
        ("told", "region"), [("33.27", "33.27"), ("3327", "33.27"), ("", "33.26.01.2001"), ("nowhere", "33.26.01.2001")]
    )
    def test_who_carried_it_out_knows_better(self, told: str, region: str) -> None:
        assert region_of("/villages/{village}", "/villages/33.26.01.2001", told) == region


class TestCommonRegion:
    @pytest.mark.parametrize(
        ("regions", "common"),
        [
            (["33.26"], "33.26"),
            (["33.26", "33.26.01"], "33.26"),
            (["33.26", "33.27"], "33"),
            (["33.26", "32"], None),
            (["33.26", None], None),
            ([], None),
        ],
    )
    def test_holds_all(self, regions: list[str | None], common: str | None) -> None:
        assert common_region(regions) == common


class TestRefusals:
    def test_the_first_at_once_and_the_others_when_the_minute_is_over(self) -> None:
        refusals = Refusals()
        first = refusal("192.0.2.1")
        assert refusals.add(first) is first
        for second in range(1, 40):
            assert refusals.add(refusal("192.0.2.1", NOON + timedelta(seconds=second))) is None
        assert refusals.over(NOON + timedelta(seconds=50)) == []
        (group,) = refusals.over(NOON + timedelta(seconds=60))
        others = group.entry(uuid7())
        assert (others.count, others.at, others.until) == (39, NOON, NOON + timedelta(seconds=39))
        assert refusals.over(NOON + timedelta(seconds=120)) == []

    def test_the_others_of_a_group_are_about_the_region_that_holds_them(self) -> None:
        refusals = Refusals()
        for region in ("84", "83.01.01", "83.01.02.2001"):
            refusals.add(replace(refusal("192.0.2.1"), region=region))
        (group,) = refusals.all()
        assert group.entry(uuid7()).region == "83.01"

    def test_who_and_what_and_why_are_told_apart(self) -> None:
        refusals = Refusals()
        different = [refusal("192.0.2.1"), refusal("192.0.2.2"), refusal("192.0.2.1", status=403)]
        different.append(refusal("192.0.2.1", operation="issue_key"))
        assert [refusals.add(one) for one in different] == different

    def test_an_attack_from_everywhere_is_counted_by_status_alone(self) -> None:
        refusals = Refusals()
        told = [one for number in range(10_000) if (one := refusals.add(refusal(f"2001:db8::{number:x}")))]
        assert len(told) == MOST_GROUPS + 1
        (rest,) = refusals.all()
        beyond = rest.entry(uuid7())
        assert beyond.count == 10_000 - MOST_GROUPS - 1
        assert (beyond.address, beyond.status, beyond.note) == (None, 401, "further callers")


def test_an_entry_can_be_read_again() -> None:
    entry = refusal("192.0.2.1")
    assert written(entry)["at"] == "2026-03-01T12:00:05.000007Z"
    assert read(written(entry)) == entry
