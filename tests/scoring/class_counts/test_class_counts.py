"""Counts by class: stranger, wrong region, invalid, happy."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from contracts.facts import ReportKind
from contracts.regions import LEVELS
from kit.ids import uuid7
from services.scoring.class_counts.rules import parts_level
from tests.callers import STRANGER, caller
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import free_code, known_village, report_event, take, village_event

DASAR: dict[str, Any] = {"interventions": []}
BLANK: dict[str, Any] = {"population": {}}


@pytest.fixture(scope="module")
async def regency(scoring: httpx.AsyncClient) -> str:
    """A regency of two districts: 1 berkelanjutan and 2 dasar, 1 dasar; one made up, two without reports."""
    await known_village(scoring, district="98.50.01")
    await known_village(scoring, DASAR, district="98.50.01", simulated=True)
    await known_village(scoring, DASAR, district="98.50.01")
    await known_village(scoring, BLANK, district="98.50.02")
    await known_village(scoring, BLANK, district="98.51.01", status="inactive")
    return "98.50"


async def counted(scoring: httpx.AsyncClient, who: dict[str, str] | None = None, **params: str) -> dict[str, Any]:
    answer = await scoring.get("/class-counts", params=params, headers=who or caller("reader"))
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


class TestGetClassCounts:
    async def test_stranger(self, scoring: httpx.AsyncClient) -> None:
        assert (await scoring.get("/class-counts", headers=STRANGER)).status_code == 401

    async def test_wrong_region(self, scoring: httpx.AsyncClient) -> None:
        answer = await scoring.get("/class-counts?region=98", headers=caller("reader", region="98.50"))
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        "query",
        [
            "by=country",
            "wilayah=98",
            "region=98.50&by=province",
            "region=331",
            "by=village",
            "region=98&by=village",
            "period=2025",
        ],
    )
    async def test_invalid(self, scoring: httpx.AsyncClient, query: str) -> None:
        answer = await scoring.get(f"/class-counts?{query}", headers=caller("reader"))
        assert answer.status_code == 422
        assert answer.json()["errors"]

    async def test_happy_one_level_below(self, scoring: httpx.AsyncClient, regency: str) -> None:
        answer = await counted(scoring, region=regency)
        assert (answer["ruleset"], answer["by"]) == ("web-2021", "district")
        total = answer["total"]
        assert (total["region_code"], total["region_name"]) == ("98.50", "Kabupaten 98.50")
        assert (total["total"], total["simulated"], total["without_reports"]) == (4, 1, 2)
        assert {kind: (share["count"], share["percent"]) for kind, share in total["classes"].items()} == {
            "dasar": (3, "75.0"),
            "berkembang": (0, "0.0"),
            "mandiri": (0, "0.0"),
            "berkelanjutan": (1, "25.0"),
        }
        assert [(one["region_code"], one["region_name"], one["total"]) for one in answer["items"]] == [
            ("98.50.01", "Kecamatan 98.50.01", 3),
            ("98.50.02", "Kecamatan 98.50.02", 1),
        ]

    @pytest.mark.usefixtures("regency")
    @pytest.mark.parametrize("by", ["regency", "district"])
    async def test_happy_by_completeness(self, scoring: httpx.AsyncClient, by: str) -> None:
        """From the tallies, and by district from the table."""
        total = (await counted(scoring, region="98.50", by=by))["total"]
        bands = {"0": 3, "1-49": 0, "50-79": 0, "80-99": 0, "100": 1}
        assert {band: share["count"] for band, share in total["completeness"].items()} == bands
        assert total["completeness"]["100"]["percent"] == "25.0"
        assert total["classes"]["dasar"]["completeness"] == bands | {"100": 0}

    @pytest.mark.usefixtures("regency")
    @pytest.mark.parametrize("by", ["province", "regency", "district"])
    async def test_parts_add_up_to_the_total(self, scoring: httpx.AsyncClient, by: str) -> None:
        answer = await counted(scoring, region="98", by=by)
        assert answer["by"] == by
        for name in ("total", "simulated", "without_reports"):
            assert sum(one[name] for one in answer["items"]) == answer["total"][name]
        for kind, share in answer["total"]["classes"].items():
            assert sum(one["classes"][kind]["count"] for one in answer["items"]) == share["count"]

    async def test_a_caller_sees_their_own_region(self, scoring: httpx.AsyncClient, regency: str) -> None:
        own = await counted(scoring, caller("officer", region="98.50"))
        assert own == await counted(scoring, region=regency)

    @pytest.mark.usefixtures("regency")
    async def test_villages_within_a_district(self, scoring: httpx.AsyncClient) -> None:
        answer = await counted(scoring, region="98.50.02")
        assert answer["by"] == "village"
        assert [one["total"] for one in answer["items"]] == [1]

    @pytest.mark.usefixtures("regency")
    async def test_inactive_villages_do_not_count_and_nothing_is_an_answer(self, scoring: httpx.AsyncClient) -> None:
        answer = await counted(scoring, region="98.51")
        assert answer["items"] == []
        assert answer["total"]["total"] == 0
        assert (answer["total"]["classes"]["dasar"]["count"], answer["total"]["classes"]["dasar"]["percent"]) == (
            0,
            None,
        )


@pytest.fixture(scope="module")
async def place(scoring: httpx.AsyncClient) -> str:
    """One that was told of in March and rose in September, one of June, made up, and one never told of."""
    district = "98.52.01"
    made = [(free_code(district), uuid7()) for _ in range(3)]
    for code, number in made:
        await take(scoring, village_event(code, number))
    (rises, one), (june, other), _ = made
    facts = made_facts(interventions=[])
    await take(scoring, report_event(rises, one, ReportKind.PROFILE, facts["profile"], period="2025-03"))
    for kind in (ReportKind.POPULATION, ReportKind.FAMILY_PLANNING):
        await take(scoring, report_event(rises, one, kind, facts[kind.value], period="2025-09"))
    event = report_event(june, other, ReportKind.POPULATION, {"pus": 1}, period="2025-06", simulated=True)
    await take(scoring, event)
    return district


class TestAtTheEndOfAMonth:
    async def test_happy(self, scoring: httpx.AsyncClient, place: str) -> None:
        """By district here and by village: before anything was told, in between, and at the end."""
        found = {}
        for period in ("2025-02", "2025-03", "2025-06", "2025-09"):
            answer = await counted(scoring, region=place, by="district", period=period)
            total = answer["total"]
            assert (answer["period"], answer["ruleset"], total["without_reports"]) == (period, None, None)
            found[period] = (total["total"], total["not_yet_told"], total["simulated"])
        assert found == {"2025-02": (0, 3, 0), "2025-03": (1, 2, 0), "2025-06": (2, 1, 1), "2025-09": (2, 1, 1)}
        now = (await counted(scoring, region=place))["total"]
        assert (now["total"], now["not_yet_told"], now["without_reports"]) == (3, 0, 1)

    async def test_happy_as_the_trend_says(self, scoring: httpx.AsyncClient, place: str) -> None:
        params = {"region": place, "from": "2025-01", "to": "2025-12"}
        trend = (await scoring.get("/class-trends", params=params, headers=caller("reader"))).json()
        assert len({str(month["classes"]) for month in trend["items"]}) == 4
        for month in trend["items"]:
            total = (await counted(scoring, region=place, by="district", period=month["period"]))["total"]
            assert {kind: share["count"] for kind, share in total["classes"].items()} == month["classes"]
            assert total["not_yet_told"] == month["not_yet_told"]

    async def test_happy_by_completeness(self, scoring: httpx.AsyncClient, place: str) -> None:
        total = (await counted(scoring, region=place, period="2025-06"))["total"]
        assert sum(share["count"] for share in total["completeness"].values()) == total["total"] == 2


@pytest.mark.parametrize(
    ("region", "asked", "level"),
    [
        (None, None, "province"),
        ("province", None, "regency"),
        ("regency", None, "district"),
        ("district", None, "village"),
        ("village", None, "village"),
        (None, "district", "district"),
        ("regency", "regency", "regency"),
    ],
)
def test_level_of_the_parts(region: str | None, asked: str | None, level: str) -> None:
    assert parts_level(LEVELS, region, asked) == level
