"""A ruleset in force that may give no class and looks at time: what is stored, told, counted, and what time changes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from contracts.events import VillageClassified, VillageClassifiedV2, decode
from contracts.facts import ReportKind
from deploy.embedded.throwaway import ThrowawayServers
from kit import clock
from kit.ids import uuid7
from services.scoring.assessments.actions import assess, bring_up_to_date, count_outdated
from services.scoring.histories.rules import EVERY_PERIOD
from services.scoring.rulesets.library import shipped_rulesets
from services.scoring.service import SERVICE as SCORING
from services.scoring.villages import store as villages_store
from tests.callers import caller
from tests.conftest import app_of, running
from tests.scoring.histories.test_histories import assert_months, whole_rows
from tests.scoring.histories.test_histories import stored as stored_months
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.rulesets.test_life_cycle import put_in_force
from tests.scoring.test_projection import events_of, expected, histories, stored, take_in_any_order
from tests.scoring.told import free_code, intervention_event, report_event, take, village_event

ENGINE = shipped_rulesets()["kkb-2026"]
OCTOBER = date(2025, 10, 15)
KINDS = list(ReportKind)
Village = tuple[str, UUID]


class Clock:
    """The day that the service takes for today."""

    today = OCTOBER


@pytest.fixture(scope="module")
def days() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
async def api(servers: ThrowawayServers, public_key_file: Path, days: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A scoring service with a database and a calendar of its own, and kkb-2026 in force."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "today", lambda: days.today)
        # its worker would do it, too, and at a moment of its own
        patch.setattr("services.scoring.assessments.actions._LOOK_AGAIN_SECONDS", 3600.0)
        address = servers.fresh_database("scoring")
        async with running(SCORING, address, servers.nats_url, public_key_file) as client:
            assert (await put_in_force(client, "kkb-2026", OCTOBER)).status_code == 201
            yield client


@pytest.fixture(autouse=True)
def october(days: Clock) -> None:
    days.today = OCTOBER


async def reported(api: httpx.AsyncClient, village: Village, period: str, *kinds: ReportKind) -> None:
    code, number = village
    facts = made_facts()
    await take(api, *(report_event(code, number, kind, facts[kind.value], period=period) for kind in kinds or KINDS))


async def known(api: httpx.AsyncClient, district: str, period: str | None = "2025-09") -> Village:
    """A village with interventions of March 2025, and everything reported for a month."""
    code, number = free_code(district), uuid7()
    await take(api, village_event(code, number))
    await take(api, *(intervention_event(code, number, [actor]) for actor in range(1, 6)))
    if period is not None:
        await reported(api, (code, number), period)
    return code, number


async def renew(api: httpx.AsyncClient) -> int:
    return await bring_up_to_date(app_of(api).state.database)


async def answer(api: httpx.AsyncClient, path: str, **params: Any) -> Any:
    found = await api.get(path, params=params, headers=caller("reader"))
    assert found.status_code == 200, found.text
    return found.json()


async def last_told(api: httpx.AsyncClient, village: Village) -> dict[str, Any]:
    told: dict[str, Any] = (await events_of(api, village[0]))[-1]
    return told


def renewed() -> float:
    return REGISTRY.get_sample_value("kkb_assessments_renewed_total") or 0.0


class TestTold:
    async def test_version_2_with_and_without_class(self, api: httpx.AsyncClient) -> None:
        village = await known(api, "98.82.01", None)
        await reported(api, village, "2025-09", ReportKind.PROFILE, ReportKind.POPULATION)
        missing = await last_told(api, village)
        assert missing["type"] == "id.kampungkb.scoring.village-classified.v2"
        data = missing["data"]
        assert (data["village_class"], data["previous_class"]) == (None, None)
        assert data["scores"]["output_cpr"] is None
        assert data["scores"]["input_pokja"] == 4
        assert data["indexes"]["output"] is None
        assert data["indexes"]["input"] is not None
        assert data["reasons"]["output_cpr"] == ["report_absent"]
        assert "input_pokja" not in data["reasons"]
        await reported(api, village, "2025-09", ReportKind.FAMILY_PLANNING)
        whole = (await last_told(api, village))["data"]
        assert (whole["previous_class"], whole["village_class"], whole["reasons"]) == (None, "berkelanjutan", {})
        assert whole["village"]["version"] == data["village"]["version"] + 1

    async def test_another_reason_is_news(self, api: httpx.AsyncClient) -> None:
        code, number = await known(api, "98.82.02", None)
        before = await last_told(api, (code, number))
        blank = report_event(code, number, ReportKind.POPULATION, {"pus": 0}, period="2025-09")
        await take(api, blank)
        after = await last_told(api, (code, number))
        assert before["data"]["reasons"]["output_cpr"] != after["data"]["reasons"]["output_cpr"]
        assert after["data"]["village"]["version"] == before["data"]["village"]["version"] + 1
        await take(api, blank)
        assert await last_told(api, (code, number)) == after


@pytest.fixture(scope="module")
async def place(api: httpx.AsyncClient, days: Clock) -> list[Village]:
    """In two districts: one with a class, one without, one without any report."""
    days.today = OCTOBER
    made = (("98.83.01", "2025-09"), ("98.83.01", "2024-01"), ("98.83.02", None))
    return [await known(api, district, period) for district, period in made]


class TestAnswers:
    async def test_list(self, api: httpx.AsyncClient, place: list[Village]) -> None:
        found = (await answer(api, "/assessments", **{"region": "98.83", "class": "none"}))["items"]
        assert [one["village"]["region_code"] for one in found] == [place[1][0], place[2][0]]
        assert {one["class"] for one in found} == {None}
        assert found[0]["scores"]["output_cpr"] is None
        assert found[0]["reasons"]["output_cpr"] == ["report_too_old"]
        assert (found[0]["distance"], found[0]["without_reports"], found[1]["without_reports"]) == (None, False, True)
        with_class = (await answer(api, "/assessments", **{"region": "98.83", "class": "berkelanjutan"}))["items"]
        assert [one["village"]["region_code"] for one in with_class] == [place[0][0]]
        for order in ("distance", "output", "-output"):
            assert len((await answer(api, "/assessments", region="98.83", sort=order))["items"]) == 3

    @pytest.mark.usefixtures("place")
    @pytest.mark.parametrize("by", ["province", "regency", "district"])
    async def test_counts(self, api: httpx.AsyncClient, by: str) -> None:
        """From the tallies, and by district from the table: those without class are counted, not left out."""
        region = {"region": "98"} if by == "province" else {"region": "98.83"}
        found = await answer(api, "/class-counts", **region, by=by)
        total = found["total"]
        counted = {kind: share["count"] for kind, share in total["classes"].items()}
        assert sum(counted.values()) + total["not_assessable"]["count"] == total["total"]
        for name in ("total", "without_reports"):
            assert sum(one[name] for one in found["items"]) == total[name]
        assert sum(one["not_assessable"]["count"] for one in found["items"]) == total["not_assessable"]["count"]
        if by != "province":
            assert (counted["berkelanjutan"], total["not_assessable"]["count"], total["without_reports"]) == (1, 2, 1)
            assert total["not_assessable"]["percent"] == "66.7"
            assert sum(total["not_assessable"]["completeness"].values()) == 2

    @pytest.mark.usefixtures("place")
    async def test_months(self, api: httpx.AsyncClient) -> None:
        """Not yet told and not assessable are two things, in trends and in counts."""
        trend = await answer(api, "/class-trends", **{"region": "98.83", "from": "2023-12", "to": "2025-10"})
        months = {one["period"]: one for one in trend["items"]}
        assert (months["2023-12"]["not_assessable"], months["2023-12"]["not_yet_told"]) == (0, 3)
        assert (months["2024-04"]["not_assessable"], months["2024-04"]["not_yet_told"]) == (0, 2)
        assert (months["2024-05"]["not_assessable"], months["2024-05"]["not_yet_told"]) == (1, 2), "three months later"
        assert (months["2025-10"]["not_assessable"], months["2025-10"]["not_yet_told"]) == (2, 0)
        assert months["2025-09"]["classes"]["berkelanjutan"] == 1
        for period, month in months.items():
            asked = {"region": "98.83", "period": period}
            total = (await answer(api, "/class-counts", **asked))["total"]
            assert total["not_assessable"]["count"] == month["not_assessable"], period
            assert total["not_yet_told"] == month["not_yet_told"], period
            assert {kind: share["count"] for kind, share in total["classes"].items()} == month["classes"]
            cells = (await answer(api, "/report-tables/classes", **asked))["total"]["cells"]
            assert cells["not_assessable"]["count"] == month["not_assessable"]

    async def test_history(self, api: httpx.AsyncClient, place: list[Village]) -> None:
        found = (await answer(api, f"/assessments/{place[0][0]}/history"))["items"]
        assert [(one["period"], one["class"], one["previous_class"]) for one in found] == [
            ("2025-09", "berkelanjutan", None),
            ("2025-03", None, None),
        ]
        assert found[1]["scores"]["output_cpr"] is None

    async def test_table(self, api: httpx.AsyncClient) -> None:
        found = await answer(api, "/report-tables/classes", region="98.83")
        for row in (found["total"], *found["items"]):
            assert sum(cell["count"] for cell in row["cells"].values()) == row["total"]
        assert found["columns"][-1]["labels"]["id"] == "Tidak dapat dinilai"

    async def test_export_is_blank_with_its_reason(self, api: httpx.AsyncClient, place: list[Village]) -> None:
        found = await api.get("/assessments/export.csv?region=98.83", headers=caller("reader"))
        lines = [line.split(";") for line in found.content.decode("utf-8-sig").splitlines()]
        rows = {line[0]: dict(zip(lines[0], line, strict=False)) for line in lines[1:]}
        whole, old = rows[place[0][0]], found.text.splitlines()[2]
        assert (whole["Klasifikasi"], whole["Mengapa tidak dinilai"]) == ("Berkelanjutan", "")
        assert (rows[place[1][0]]["Klasifikasi"], rows[place[1][0]]["Indeks Output"]) == ("", "")
        assert "laporan terlalu lama" in old

    async def test_detail_and_suppositions(self, api: httpx.AsyncClient, place: list[Village]) -> None:
        code = place[1][0]
        found = await answer(api, f"/assessments/{code}")
        assert (found["class"], found["class_labels"], found["ruleset"]["id"]) == (None, None, "kkb-2026")
        assert found["version"] is not None
        supposed = await api.post(f"/assessments/{code}/what-if", json={"facts": {}}, headers=caller("reader"))
        assert (supposed.json()["before"]["class"], supposed.json()["after"]["class"]) == (None, None)
        assert (await answer(api, f"/assessments/{code}/path"))["class"] is None

    async def test_checksum_is_that_of_the_documented_line(self, api: httpx.AsyncClient, place: list[Village]) -> None:
        """A village without class has a line without the member."""
        found = (await answer(api, "/checksums/scoring", region=place[2][0]))["kinds"]
        data = (await last_told(api, place[2]))["data"]
        line = f'assessment/{place[2][1]}@{data["village"]["version"]} {{"ruleset_digest": "{data["ruleset_digest"]}"}}'
        digest = hashlib.sha256(line.encode()).hexdigest()[:16]
        assert [one["digest"] for one in found if one["kind"] == "assessment"] == [digest]


class TestTime:
    async def test_what_got_too_old_is_assessed_on_its_day_and_told(self, api: httpx.AsyncClient, days: Clock) -> None:
        village = await known(api, "98.84.01")
        steady = await known(api, "98.84.01", "2025-10")
        before, unchanged = await last_told(api, village), await events_of(api, steady[0])
        days.today = date(2025, 12, 31)
        assert await renew(api) == 0
        days.today, count = date(2026, 1, 1), renewed()
        database = app_of(api).state.database
        assert await count_outdated(database) >= 1
        found = await answer(api, f"/assessments/{village[0]}")
        assert (found["class"], found["as_of"]) == ("berkelanjutan", "2025-12-31"), (
            "as it was stored, until it is renewed"
        )
        assert await renew(api) >= 1
        assert renewed() > count
        assert (await renew(api), await count_outdated(database)) == (0, 0)
        after = (await last_told(api, village))["data"]
        assert (after["previous_class"], after["village_class"]) == ("berkelanjutan", None)
        assert after["reasons"]["output_cpr"] == ["report_too_old"]
        assert after["village"]["version"] == before["data"]["village"]["version"] + 1
        assert await events_of(api, steady[0]) == unchanged, "nobody looked at what time does not change yet"
        months = (await answer(api, f"/assessments/{village[0]}/history"))["items"]
        assert [(one["period"], one["class"]) for one in months[:2]] == [
            ("2026-01", None),
            ("2025-09", "berkelanjutan"),
        ]
        await reported(api, village, "2026-01", ReportKind.FAMILY_PLANNING)
        assert (await last_told(api, village))["data"]["village_class"] == "berkelanjutan"

    async def test_interventions_leave_their_window_on_the_day(self, api: httpx.AsyncClient, days: Clock) -> None:
        code, number = await known(api, "98.84.02", None)
        days.today = date(2026, 3, 1)
        await renew(api)
        await reported(api, (code, number), "2026-02")
        before = (await last_told(api, (code, number)))["data"]
        days.today = date(2026, 3, 2)
        assert await renew(api) >= 1
        after = (await last_told(api, (code, number)))["data"]
        assert before["scores"]["proses_lintas_sektor"] > after["scores"]["proses_lintas_sektor"]

    async def test_no_news_no_event(self, api: httpx.AsyncClient, days: Clock) -> None:
        """The agencies of the programme itself never counted as others, so nothing is lost when they leave the window."""
        (actors,) = (one.indicator.formula for one in ENGINE.indicators if one.indicator.code == "proses_lintas_sektor")
        code, number = free_code("98.84.03"), uuid7()
        done = intervention_event(code, number, actors.exclude_actors[:1])  # type: ignore[union-attr]  # it counts actors
        await take(api, village_event(code, number), done)
        told = await events_of(api, code)
        days.today, count = date(2026, 3, 2), renewed()
        assert await renew(api) >= 1
        assert renewed() > count
        assert await events_of(api, code) == told
        assert await renew(api) == 0


async def assess_all_anew(api: httpx.AsyncClient, villages: list[UUID]) -> None:
    async with app_of(api).state.database.transaction() as session:
        await villages_store.lock(session, villages)
        await assess(session, dict.fromkeys(villages, EVERY_PERIOD))


@given(history=histories(), dice=st.randoms(use_true_random=False), advance=st.lists(st.integers(0, 200), max_size=3))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
async def test_any_order_any_repetition_and_any_time(
    api: httpx.AsyncClient, days: Clock, history: Any, dice: random.Random, advance: list[int]
) -> None:
    """However facts and days come, the present and every month are those of the pure model of the last day."""
    events, villages = history
    days.today = OCTOBER
    dice.shuffle(events)
    parts = len(advance) + 1
    for place, wait in enumerate([0, *advance]):
        days.today += timedelta(days=wait)
        if dice.random() < 0.7:  # the worker may be late
            await renew(api)
        await take_in_any_order(api, events[place::parts], dice)
    await renew(api)
    assert await stored(api, villages) == expected(events, villages, ENGINE, f"{days.today}")
    months = await stored_months(api, villages)
    assert_months(events, villages, months, ENGINE, days.today)
    now = await stored(api, villages)
    for village in villages:
        own = [row for (owner, _), row in months.items() if owner == village]
        assert not own or (own[-1][0], own[-1][2]) == (now[village][2], now[village][3]), (
            "the newest month is the present"
        )
    before = await whole_rows(api, villages)
    await assess_all_anew(api, villages)
    assert await whole_rows(api, villages) == before, "assessing all anew changes no byte"


async def test_there_and_back(servers: ThrowawayServers, public_key_file: Path) -> None:
    """Another ruleset put in force tells of every village: version 1 where each has a class, version 2 where one may not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.scoring.assessments.actions._LOOK_AGAIN_SECONDS", 3600.0)
        patch.setattr(clock, "today", lambda: OCTOBER)
        address = servers.fresh_database("scoring")
        async with running(SCORING, address, servers.nats_url, public_key_file) as client:
            whole, bare = await known(client, "98.82.03"), await known(client, "98.82.03", None)
            seen: dict[str, list[Any]] = {}
            for number in ("web-2021-intended", "kkb-2026", "web-2021"):
                assert (await put_in_force(client, number, OCTOBER)).status_code == 201
                assert await renew(client) == 2
                assert await renew(client) == 0
                seen[number] = [await last_told(client, village) for village in (whole, bare)]
                last = (await answer(client, f"/assessments/{bare[0]}/history"))["items"][0]
                assert (last["class"], last["ruleset"]) == (seen[number][1]["data"]["village_class"], number)
    for number, told in seen.items():
        kind = VillageClassified if number == "web-2021" else VillageClassifiedV2
        assert [type(decode(_wire(one))) for one in told] == [kind, kind]
        assert told[0]["data"]["village_class"] == "berkelanjutan"
        assert told[1]["data"]["village_class"] == ("dasar" if number == "web-2021" else None)
    assert [one["data"]["previous_class"] for one in seen["web-2021"]] == ["berkelanjutan", None]


def _wire(said: dict[str, Any]) -> bytes:
    return orjson.dumps(said)
