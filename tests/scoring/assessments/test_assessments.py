"""Assessments of villages: stranger, wrong region, invalid, happy."""

from __future__ import annotations

import asyncio
import itertools
from datetime import date
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from contracts.facts import ReportKind
from kit import clock
from kit.ids import uuid7
from services.scoring.assessments.rules import age_in_months, day_of, percent
from services.scoring.facts.actions import take_registry_events
from services.scoring.rulesets.library import first_in_force
from tests.callers import STRANGER, caller
from tests.conftest import app_of, eventually
from tests.scoring.rulesets.made_villages import profile
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import (
    free_code,
    intervention_event,
    known_village,
    report_event,
    take,
    village_event,
    whole_village,
)

DASAR: dict[str, Any] = {"interventions": []}
_districts = itertools.count(10)


def district() -> str:
    return f"98.02.{next(_districts)}"


async def assessment(scoring: httpx.AsyncClient, village: Any, **headers: str) -> dict[str, Any]:
    answer = await scoring.get(f"/assessments/{village}", headers=headers or caller("reader"))
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def indicator(detail: dict[str, Any], code: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in detail["indicators"] if one["code"] == code)
    return found


class TestGetAssessment:
    async def test_stranger(self, scoring: httpx.AsyncClient) -> None:
        assert (await scoring.get("/assessments/33.26.01.2001", headers=STRANGER)).status_code == 401

    async def test_role_without_the_scope(self, scoring: httpx.AsyncClient) -> None:
        assert (await scoring.get("/assessments/33.26.01.2001", headers=caller("operator"))).status_code == 403

    async def test_wrong_region_looks_like_absent(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring)
        for reference in (code, number):
            answer = await scoring.get(f"/assessments/{reference}", headers=caller("reader", region="98.02"))
            assert answer.status_code == 404
            assert answer.json()["type"] == "urn:kampungkb:problem:village-unknown"

    async def test_unknown(self, scoring: httpx.AsyncClient) -> None:
        for reference in ("98.77.77.2001", str(uuid7())):
            assert (await scoring.get(f"/assessments/{reference}", headers=caller("reader"))).status_code == 404

    async def test_facts_alone_are_no_village(self, scoring: httpx.AsyncClient) -> None:
        code, number = free_code(), uuid7()
        await take(scoring, report_event(code, number, ReportKind.POPULATION, {"pus": 1}))
        assert (await scoring.get(f"/assessments/{number}", headers=caller("reader"))).status_code == 404

    @pytest.mark.parametrize("reference", ["pekalongan", "11.1", "3326010001", "33.26"])
    async def test_invalid(self, scoring: httpx.AsyncClient, reference: str) -> None:
        answer = await scoring.get(f"/assessments/{reference}", headers=caller("reader"))
        assert answer.status_code in {404, 422}
        assert (answer.status_code == 404) == (reference == "33.26")

    async def test_happy_class_indexes_and_scores(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring)
        detail = await assessment(scoring, number)
        assert detail == await assessment(scoring, code.replace(".", ""))
        assert (detail["class"], detail["class_labels"]["id"]) == ("berkelanjutan", "Berkelanjutan")
        assert detail["village"]["region_names"]["regency"] == f"Kabupaten {code[:5]}"
        assert [(d["code"], d["index"], d["threshold"], d["met"]) for d in detail["dimensions"]] == [
            ("input", "3.40", "3.00", True),
            ("proses", "3.33", "3.00", True),
            ("output", "3.75", "3.00", True),
        ]
        assert [one["score"] for one in detail["indicators"]] == [4, 3, 4, 3, 3, 3, 4, 3, 4, 4, 4, 3]
        assert detail["ruleset"]["digest"] == first_in_force().digest
        assert detail["ruleset"]["legal_basis"]["en"] == ("implemented by Web Kampung KB 2021; legal annex not sighted")
        assert detail["completeness"] == {"answered": 39, "asked": 39, "percent": "100.0"}
        assert (detail["simulated"], detail["without_reports"], detail["not_reported"]) == (False, False, [])

    async def test_happy_a_score_and_what_it_rests_on(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring)
        unmet = indicator(await assessment(scoring, number), "output_unmet")
        assert unmet["value"] == "7"
        assert unmet["formula"].endswith("dari Pasangan usia subur (PUS) 100 = 7%")
        assert unmet["band"] == {"from": "7", "to": "9", "text": "7 sampai 9%"}
        pus = next(one for one in unmet["inputs"] if one["input"] == "population.pus")
        assert pus["value"] == 100
        assert (pus["report"]["period"], pus["report"]["revision"]) == ("2025-09", 1)
        assert pus["report"]["source_system"] == "manual"

    async def test_answers_of_several_sources_keep_their_source(self, scoring: httpx.AsyncClient) -> None:
        code, number = free_code(), uuid7()
        older = {"pus": 100, "families": 50}
        await take(
            scoring,
            village_event(code, number),
            report_event(code, number, ReportKind.POPULATION, older, period="2024-01"),
            report_event(code, number, ReportKind.POPULATION, {"pus": 120}, source_system="siga", revision=3),
        )
        detail = await assessment(scoring, number)
        population = next(one for one in detail["reports"] if one["kind"] == "population")
        assert population["newest_period"] == "2025-09"
        assert population["age_months"] == age_in_months("2025-09", clock.today())
        assert [(r["source_system"], r["period"]) for r in population["reports"]] == [
            ("siga", "2025-09"),
            ("manual", "2024-01"),
        ]
        sources = {
            one["input"]: (one["report"]["source_system"], one["value"])
            for name in ("output_cpr", "output_poktan")
            for one in indicator(detail, name)["inputs"]
            if one["report"] is not None
        }
        assert sources == {"population.pus": ("siga", 120), "population.families": ("manual", 50)}

    async def test_what_was_not_reported_is_said(self, scoring: httpx.AsyncClient) -> None:
        code, number = free_code(), uuid7()
        await take(scoring, village_event(code, number))
        detail = await assessment(scoring, number)
        assert (detail["class"], detail["without_reports"]) == ("dasar", True)
        assert len(detail["not_reported"]) == 39
        assert {"input": "profile.pokja", "labels": {"id": "Pokja", "en": "Pokja (working group)"}} in (
            detail["not_reported"]
        )
        assert [(one["reported"], one["age_months"]) for one in detail["reports"]] == [(False, None)] * 3
        assert detail["completeness"] == {"answered": 0, "asked": 39, "percent": "0.0"}
        assert indicator(detail, "output_unmet")["value"] is None

    async def test_a_total_of_unmet_need_is_used_and_its_split_stays_not_reported(
        self, scoring: httpx.AsyncClient
    ) -> None:
        reported = {"population": {"pus": 100}, "family_planning": {"unmet_need": 9}}
        _, number = await known_village(scoring, reported)
        unmet = indicator(await assessment(scoring, number), "output_unmet")
        assert (unmet["score"], unmet["value"]) == (3, "9")
        assert unmet["not_reported"] == [
            "family_planning.non_users.wants_child_later",
            "family_planning.non_users.wants_no_more",
        ]

    async def test_interventions(self, scoring: httpx.AsyncClient) -> None:
        code, number = free_code(), uuid7()
        gone = uuid7()
        await take(
            scoring,
            village_event(code, number),
            intervention_event(code, number, [1, 2, "media"]),
            intervention_event(code, number, [2, 3]),
            intervention_event(code, number, [9], intervention=gone),
            intervention_event(code, number, [9], intervention=gone, version=2, withdrawn=True),
        )
        detail = await assessment(scoring, number)
        assert detail["interventions"] == {"count": 2, "actors": 4, "newest": "2025-03-02", "simulated": 0}
        assert indicator(detail, "proses_lintas_sektor")["score"] == 3

    @pytest.mark.parametrize("what", ["village", "report", "intervention"])
    async def test_made_up_data_shows(self, scoring: httpx.AsyncClient, what: str) -> None:
        code, number = free_code(), uuid7()
        await take(
            scoring,
            village_event(code, number, simulated=what == "village"),
            report_event(code, number, ReportKind.POPULATION, {"pus": 1}, simulated=what == "report"),
            intervention_event(code, number, [1], simulated=what == "intervention"),
        )
        assert (await assessment(scoring, number))["simulated"] is True

    async def test_made_up_data_that_is_no_longer_in_force_does_not_show(self, scoring: httpx.AsyncClient) -> None:
        code, number = free_code(), uuid7()
        made_up = {"source_system": "demo", "simulated": True, "period": "2024-01"}
        await take(
            scoring,
            village_event(code, number),
            report_event(code, number, ReportKind.POPULATION, {"pus": 1}, **made_up),
            report_event(code, number, ReportKind.POPULATION, {"pus": 100}),
        )
        assert (await assessment(scoring, number))["simulated"] is False

    async def test_an_inactive_village_is_found_by_id_only(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring)
        await take(scoring, village_event(code, number, 9, status="inactive"))
        assert (await assessment(scoring, number))["village"]["status"] == "inactive"
        assert (await scoring.get(f"/assessments/{code}", headers=caller("reader"))).status_code == 404


class TestGetAssessmentInOtherWords:
    """Under another ruleset, and in another language."""

    async def test_unknown_ruleset(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring)
        answer = await scoring.get(f"/assessments/{number}?ruleset=web-2020", headers=caller("reader"))
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:kampungkb:problem:ruleset-unknown")

    @pytest.mark.parametrize(
        ("accepted", "language", "said"),
        [
            (None, "id", "Sekretariat: ya; Rumah DataKu: ya = 2 sarana"),
            ("en-GB, id;q=0.5", "en", "Secretariat: yes; Rumah DataKu (data house): yes = 2 facilities"),
            ("fr, *", "id", "Sekretariat: ya; Rumah DataKu: ya = 2 sarana"),
        ],
    )
    async def test_in_the_language_that_is_accepted(
        self, scoring: httpx.AsyncClient, accepted: str | None, language: str, said: str
    ) -> None:
        _, number = await known_village(scoring)
        headers = caller("reader") | ({} if accepted is None else {"Accept-Language": accepted})
        answer = await scoring.get(f"/assessments/{number}", headers=headers)
        assert (answer.headers["Content-Language"], answer.headers["Vary"]) == (language, "Accept-Language")
        detail = answer.json()
        assert indicator(detail, "input_sarana")["formula"] == said
        assert detail["class_labels"] == {"id": "Berkelanjutan", "en": "Sustainable"}
        supposed = await scoring.post(
            f"/assessments/{number}/what-if", json={"facts": {"profile": {"secretariat": False}}}, headers=headers
        )
        assert supposed.headers["Content-Language"] == language
        (changed,) = supposed.json()["indicators"]
        assert changed["before"]["formula"] == said

    async def test_what_the_next_band_needs(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring)
        detail = await assessment(scoring, number)
        assert indicator(detail, "input_sumber_dana")["next_band"] == {
            "score": 4,
            "value": "5",
            "difference": "2",
            "more": True,
            "count": None,
            "text": "2 lagi untuk mencapai 5 sumber dana (skor 4)",
        }
        assert indicator(detail, "output_unmet")["next_band"]["count"] == 1
        assert indicator(detail, "input_pokja")["next_band"] is None

    async def test_under_the_proposal(self, scoring: httpx.AsyncClient) -> None:
        """Reports of September 2025 are too old for it by now, and there is no decree."""
        code, number = free_code("33.26.01"), uuid7()
        facts = made_facts()
        facts["profile"] |= {"pokja_decree": False}
        await take(scoring, *whole_village(code, number, facts))
        answer = await scoring.get(f"/assessments/{number}?ruleset=kkb-2026", headers=caller("reader"))
        assert answer.status_code == 200, answer.text
        detail = answer.json()
        assert (detail["class"], detail["class_labels"], detail["version"], detail["assessed_at"]) == (None,) * 4
        assert detail["ruleset"]["certainty"] == "proposal"
        cpr = indicator(detail, "output_cpr")
        assert (cpr["score"], cpr["value"], cpr["next_band"]) == (None, None, None)
        assert {(one["code"], one["report"]) for one in cpr["reasons"]} == {
            ("report_too_old", "population"),
            ("report_too_old", "family_planning"),
        }
        kinds = {one["kind"]: (one["max_age_months"], one["too_old"]) for one in detail["reports"]}
        assert kinds == {"profile": (12, True), "population": (12, True), "family_planning": (3, True)}
        ready = {one["code"]: (one["ready"], one["report"] is not None) for one in detail["readiness"]}
        assert ready == {"sk_pokja": (False, True), "rkm": (None, False)}

    async def test_reported_in_time_it_has_a_class_and_its_local_name(self, scoring: httpx.AsyncClient) -> None:
        code, number = free_code("33.26.01"), uuid7()
        facts = made_facts()
        facts["interventions"] = []
        month, done = clock.today().isoformat()[:7], [f"dinas-{one}" for one in range(4)]
        await take(
            scoring,
            village_event(code, number),
            *(report_event(code, number, kind, facts[kind.value], period=month) for kind in ReportKind),
        )
        planned = [{"actors": done}, {"actors": ["media"], "date": "2019-01-01"}]
        body = {"ruleset": "kkb-2026", "interventions": planned}
        answer = await scoring.post(f"/assessments/{number}/what-if", json=body, headers=caller("reader"))
        assert answer.json()["after"]["class"] == "berkelanjutan"
        assert answer.json()["after"]["scores"]["proses_lintas_sektor"] == 3
        under = await scoring.get(f"/assessments/{number}?ruleset=kkb-2026", headers=caller("reader"))
        assert (under.json()["class"], under.json()["local_class_labels"]) == ("mandiri", None)
        assert [one["too_old"] for one in under.json()["reports"]] == [False] * 3


class TestListAssessments:
    async def test_stranger(self, scoring: httpx.AsyncClient) -> None:
        assert (await scoring.get("/assessments", headers=STRANGER)).status_code == 401

    async def test_wrong_region(self, scoring: httpx.AsyncClient) -> None:
        answer = await scoring.get("/assessments?region=98.03", headers=caller("reader", region="98.02"))
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        "query", ["kelas=dasar", "class=paripurna", "limit=0", "cursor=zzz", "region=331", "simulated=2"]
    )
    async def test_invalid(self, scoring: httpx.AsyncClient, query: str) -> None:
        assert (await scoring.get(f"/assessments?{query}", headers=caller("reader"))).status_code == 422

    async def test_happy_filters(self, scoring: httpx.AsyncClient) -> None:
        place = district()
        best, _ = await known_village(scoring, district=place)
        made_up, _ = await known_village(scoring, DASAR, district=place, simulated=True)
        plain, _ = await known_village(scoring, DASAR, district=place)
        gone, number = await known_village(scoring, DASAR, district=place)
        await take(scoring, village_event(gone, number, 9, status="inactive"))

        async def codes(**filters: str) -> list[str]:
            params = {"region": place, **filters}
            answer = await scoring.get("/assessments", params=params, headers=caller("reader"))
            assert answer.status_code == 200, answer.text
            return [item["village"]["region_code"] for item in answer.json()["items"]]

        assert await codes() == sorted([best, made_up, plain])
        assert await codes(**{"class": "berkelanjutan"}) == [best]
        assert await codes(**{"class": "dasar"}) == sorted([made_up, plain])
        assert await codes(simulated="true") == [made_up]
        assert await codes(**{"class": "dasar", "simulated": "false"}) == [plain]

    async def test_happy_an_item(self, scoring: httpx.AsyncClient) -> None:
        place = district()
        code, number = await known_village(scoring, district=place)
        params = {"region": place}
        (item,) = (await scoring.get("/assessments", params=params, headers=caller("reader"))).json()["items"]
        detail = await assessment(scoring, number)
        assert item["village"] == detail["village"]
        assert item["class"] == detail["class"]
        assert item["scores"] == {one["code"]: one["score"] for one in detail["indicators"]}
        assert item["indexes"] == {one["code"]: one["index"] for one in detail["dimensions"]}
        for name in ("completeness", "simulated", "without_reports", "version", "assessed_at"):
            assert item[name] == detail[name], code

    async def test_happy_pages_cover_everything_once(self, scoring: httpx.AsyncClient) -> None:
        place = district()
        made = [(await known_village(scoring, DASAR, district=place))[0] for _ in range(5)]
        seen: list[str] = []
        cursor = None
        while True:
            params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await scoring.get("/assessments", params=params, headers=caller("reader", region=place))).json()
            seen += [item["village"]["region_code"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == sorted(made)


async def test_a_report_changes_the_class(scoring: httpx.AsyncClient) -> None:
    code, number = await known_village(scoring)
    weak = profile(funds=0, groups=0, data=0, mechanisms=0)
    await take(scoring, report_event(code, number, ReportKind.PROFILE, weak, revision=2))
    assert (await assessment(scoring, number))["class"] == "dasar"
    back = made_facts()["profile"]
    await take(scoring, report_event(code, number, ReportKind.PROFILE, back, revision=3))
    assert (await assessment(scoring, number))["class"] == "berkelanjutan"


async def test_an_answer_is_of_one_moment(scoring: httpx.AsyncClient) -> None:
    """The facts change between the reading of the class and the reading of what it rests on."""
    code, number = await known_village(scoring)
    before = await assessment(scoring, number)
    weak = profile(funds=0, groups=0, data=0, mechanisms=0)
    event = report_event(code, number, ReportKind.PROFILE, weak, revision=2)
    held = sa.text("LOCK TABLE reported_facts IN ACCESS EXCLUSIVE MODE")
    waits = sa.text("SELECT count(*) FROM pg_locks WHERE relation = 'reported_facts'::regclass AND NOT granted")
    async with app_of(scoring).state.database.transaction() as session:
        await session.execute(held)
        reading = asyncio.create_task(assessment(scoring, number))
        await eventually(lambda: session.scalar(waits))
        await take_registry_events(session, [event])
    after = await assessment(scoring, number)
    assert (after["class"], after["version"]) == ("dasar", before["version"] + 1)
    assert await reading == before


async def test_a_whole_batch_in_one_go(scoring: httpx.AsyncClient) -> None:
    place = district()
    events = [event for _ in range(120) for event in whole_village(free_code(place), uuid7())]
    await take(scoring, *events)
    counted = await scoring.get("/class-counts", params={"region": place}, headers=caller("reader"))
    assert counted.json()["total"]["classes"]["berkelanjutan"]["count"] == 120


@pytest.mark.parametrize(("period", "months"), [("2026-01", 0), ("2025-12", 1), ("2024-02", 23), ("2026-02", -1)])
def test_age_of_a_report(period: str, months: int) -> None:
    assert age_in_months(period, clock.today().replace(2026, 1, 31)) == months


@pytest.mark.parametrize(
    ("month", "day"),
    [(None, "2026-02-10"), ("2026-01", "2026-01-31"), ("2026-02", "2026-02-10"), ("2024-02", "2024-02-29")],
)
def test_the_day_that_a_month_is_assessed_for(month: str | None, day: str) -> None:
    assert day_of(month, date(2026, 2, 10)).isoformat() == day


def test_percent() -> None:
    assert [str(percent(part, whole)) for part, whole in ((244, 285), (1, 16), (0, 3), (0, 0))] == [
        "85.6",
        "6.3",
        "0.0",
        "None",
    ]
