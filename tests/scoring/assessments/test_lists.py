"""The list of assessments: every filter, every order, and pages that cover everything once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts.facts import ReportKind
from kit import clock
from kit.ids import uuid7
from kit.paging import encode_cursor
from services.scoring.assessments.rules import age_in_months, months_before
from tests.callers import caller
from tests.scoring.rulesets.made_villages import family_planning, population, profile
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import free_code, known_village, report_event, take, village_event

DISTRICT = "88.60.01"
NUMBER = UUID(int=1)
WEAK_OUTPUT = family_planning(participation=0, users=20, long_acting=0, unmet=27)


@pytest.fixture(scope="module")
async def village(scoring: httpx.AsyncClient) -> dict[str, str]:
    """Region codes of villages of a district, by what is special about them."""
    made = {
        "best": made_facts(),
        "berkembang": made_facts(family_planning=WEAK_OUTPUT),
        "mandiri": made_facts(profile=profile(data=1, mechanisms=2), interventions=[]),
        "blank": {"population": {}},
        "some": {"population": population(), "profile": {"pokja": False}},
    }
    codes = {name: (await known_village(scoring, facts, DISTRICT))[0] for name, facts in made.items()}
    codes["simulated"] = (await known_village(scoring, made_facts(profile=profile(funds=6)), DISTRICT, simulated=True))[
        0
    ]
    codes["silent"] = free_code(DISTRICT)
    await take(scoring, village_event(codes["silent"], uuid7()))
    codes["old"] = free_code(DISTRICT)
    number = uuid7()
    await take(
        scoring,
        village_event(codes["old"], number),
        report_event(
            codes["old"], number, ReportKind.PROFILE, {"pokja": True}, period=months_before(clock.today(), 13)
        ),
        report_event(codes["old"], number, ReportKind.POPULATION, {"pus": 9}, period=months_before(clock.today(), 12)),
    )
    gone, number = await known_village(scoring, made_facts(), DISTRICT)
    await take(scoring, village_event(gone, number, 9, status="inactive"))
    return codes


async def listed(scoring: httpx.AsyncClient, **params: Any) -> list[dict[str, Any]]:
    answer = await scoring.get("/assessments", params={"region": DISTRICT, **params}, headers=caller("reader"))
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def codes(scoring: httpx.AsyncClient, **params: Any) -> list[str]:
    return [item["village"]["region_code"] for item in await listed(scoring, **params)]


EVERY = {"best", "berkembang", "mandiri", "blank", "some", "simulated", "silent", "old"}
UNREPORTED = {"blank", "some", "silent", "old"}


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "names"),
        [
            ({}, EVERY),
            ({"class": "mandiri"}, {"mandiri"}),
            ({"score": "input_pokja:1"}, UNREPORTED - {"old"}),
            ({"score": ["input_pokja:1", "input_pokja:2"]}, UNREPORTED),
            ({"score": ["input_pokja:4", "output_unmet:1"]}, {"berkembang"}),
            ({"score": "input_pokja:none"}, set()),
            ({"missing": "family_planning"}, UNREPORTED),
            ({"missing": ["family_planning", "profile"]}, {"blank", "silent"}),
            ({"without_reports": "true"}, {"silent"}),
            ({"without_reports": "false"}, EVERY - {"silent"}),
            ({"simulated": "true"}, {"simulated"}),
            ({"completeness": "0"}, {"blank", "silent"}),
            ({"completeness": "1-49"}, {"some", "old"}),
            ({"completeness": "100"}, EVERY - UNREPORTED),
            ({"completeness_from": 6, "completeness_below": 50}, {"some"}),
            ({"completeness_below": 6}, {"blank", "silent", "old"}),
            ({"class": "dasar", "missing": "profile", "without_reports": "false"}, {"blank"}),
        ],
    )
    async def test_happy(
        self, scoring: httpx.AsyncClient, village: dict[str, str], filters: dict[str, Any], names: set[str]
    ) -> None:
        assert await codes(scoring, **filters) == sorted(village[name] for name in names)

    @pytest.mark.parametrize(
        ("months", "kinds", "found"),
        [
            (12, [], True),
            (13, [], False),
            (12, ["profile"], True),
            (12, ["population"], False),
            (11, ["population"], True),
            (11, ["population", "profile"], True),
            (12, ["population", "profile"], False),
            (0, ["family_planning"], False),
        ],
    )
    async def test_old_reports(
        self, scoring: httpx.AsyncClient, village: dict[str, str], months: int, kinds: list[str], found: bool
    ) -> None:
        """Its newest profile is 13 months old, its newest population 12; it has no other."""
        there = await codes(scoring, older_than_months=months, older_kind=kinds)
        assert (village["old"] in there) is found
        assert village["silent"] not in there, "never reported is not old"

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("score=input_pokja:5", "query:score/0"),
            ("score=input_pokja", "query:score/0"),
            ("score=input_jalan:1", "query:score"),
            ("missing=ktp", "query:missing/0"),
            ("older_kind=profile", "query:older_kind"),
            ("older_than_months=-1", "query:older_than_months"),
            ("completeness=50", "query:completeness"),
            ("completeness_from=101", "query:completeness_from"),
            ("sort=kelas", "query:sort"),
            ("sort=input desc", "query:sort"),
        ],
    )
    async def test_invalid(self, scoring: httpx.AsyncClient, query: str, pointer: str) -> None:
        answer = await scoring.get(f"/assessments?{query}", headers=caller("reader"))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer

    async def test_happy_what_is_derived_is_shown(self, scoring: httpx.AsyncClient, village: dict[str, str]) -> None:
        items = {item["village"]["region_code"]: item for item in await listed(scoring)}
        assert items[village["best"]]["distance"] is None
        assert items[village["berkembang"]]["distance"] == "2.00"
        assert items[village["some"]]["newest_periods"] == {"population": "2025-09", "profile": "2025-09"}
        assert items[village["silent"]]["newest_periods"] == {}
        assert "readiness" not in items[village["best"]]


def sorted_by(item: dict[str, Any], name: str) -> float:
    if name == "distance":
        return 999.0 if item["distance"] is None else float(item["distance"])
    return float(item["indexes"][name])


class TestOrders:
    @pytest.mark.usefixtures("village")
    @pytest.mark.parametrize("limit", [1, 3])
    @pytest.mark.parametrize("sort", ["distance", "input", "proses", "output"])
    @pytest.mark.parametrize("sign", ["", "-"])
    async def test_pages_cover_everything_once(
        self, scoring: httpx.AsyncClient, sort: str, limit: int, sign: str
    ) -> None:
        whole = await listed(scoring, sort=sign + sort, limit=100)
        values = [sorted_by(item, sort) for item in whole]
        assert values == sorted(values, reverse=bool(sign))
        assert len({*values}) > 1
        seen: list[Any] = []
        cursor = None
        while cursor or not seen:
            params = {"region": DISTRICT, "sort": sign + sort, "limit": limit, **({"cursor": cursor} if cursor else {})}
            page = (await scoring.get("/assessments", params=params, headers=caller("reader"))).json()
            seen += page["items"]
            cursor = page["next_cursor"]
        assert seen == whole
        assert len(seen) == len(EVERY)

    async def test_closest_to_rising_first(self, scoring: httpx.AsyncClient, village: dict[str, str]) -> None:
        found = await codes(scoring, sort="distance", **{"class": "berkembang"})
        assert found == [village["berkembang"]]
        assert (await codes(scoring, sort="-distance"))[0] in {village["best"], village["simulated"]}

    async def test_region_codes_downwards(self, scoring: httpx.AsyncClient, village: dict[str, str]) -> None:
        assert await codes(scoring, sort="-region_code") == sorted(village.values(), reverse=True)

    @pytest.mark.parametrize(
        "cursor",
        [
            encode_cursor("-distance", "1.00", NUMBER),
            encode_cursor("distance", "one", NUMBER),
            encode_cursor("distance", 1.0, NUMBER),
            encode_cursor("region_code", "88.60.01.2001", NUMBER),
            encode_cursor("88.60.01.2001", NUMBER),
        ],
    )
    async def test_a_cursor_of_another_order_is_refused(self, scoring: httpx.AsyncClient, cursor: str) -> None:
        answer = await scoring.get(f"/assessments?sort=distance&cursor={cursor}", headers=caller("reader"))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "query:cursor"


@pytest.mark.parametrize("months", [0, 1, 11, 12, 13, 30])
def test_months_before(months: int) -> None:
    today = clock.today().replace(2026, 1, 31)
    assert age_in_months(months_before(today, months), today) == months
