"""From what is typed once to an explained class: registry and interventions, JetStream, scoring."""

from __future__ import annotations

from typing import Any

import httpx

from tests.callers import caller
from tests.conftest import eventually
from tests.registry.test_villages import desa, register

PROFILE = {
    "pokja": True,
    "pokja_members": 20,
    "pokja_trained": True,
    "plkb_companion": True,
    "local_regulation": True,
    "funding_sources": ["apbd", "dana_desa", "csr"],
    "poktan": {"bkb": True, "bkr": True, "bkl": True, "uppka": True, "pik_r": True},
    "secretariat": True,
    "rumah_dataku": True,
    "data_use": ["family_data", "bkkbn_routine", "sectoral"],
    "mechanisms": {
        "planning_meeting": True,
        "coordination_meeting": True,
        "outreach": True,
        "monitoring_evaluation": True,
        "reporting": True,
    },
}
INTERVENTION = {
    "date": "2025-09-12",
    "place": "Balai desa",
    "title": "Penyuluhan",
    "description": "Penyuluhan bersama",
    "family_function": "ekonomi",
    "target_groups": ["pus"],
    "simulated": True,
}
ACTORS = ["dinas-kesehatan", "dinas-sosial", "dinas-pendidikan", "media"]


class Path:
    """One village on its way through the platform."""

    def __init__(self, registry: httpx.AsyncClient, interventions: httpx.AsyncClient, scoring: httpx.AsyncClient):
        self.registry, self.interventions, self.scoring = registry, interventions, scoring
        self.village: dict[str, Any] = {}

    async def report(self, kind: str, facts: dict[str, Any], **more: Any) -> None:
        body = {"period": "2025-09", "facts": facts, **more}
        url = f"/villages/{self.village['id']}/{kind}"
        answer = await self.registry.post(url, json=body, headers=caller("reporter"))
        assert answer.status_code == 201, answer.text

    async def intervene(self, *codes: str) -> dict[str, Any]:
        body = {**INTERVENTION, "village": self.village["id"], "actors": [{"code": code} for code in codes]}

        async def recorded() -> Any:
            answer = await self.interventions.post("/interventions", json=body, headers=caller("officer"))
            assert answer.status_code in {201, 404}, answer.text
            return answer.json() if answer.status_code == 201 else None

        return await eventually(recorded)

    async def until(self, **scores: int) -> dict[str, Any]:
        async def assessed() -> Any:
            answer = await self.scoring.get(f"/assessments/{self.village['id']}", headers=caller("reader"))
            if answer.status_code == 404:
                return None
            body = answer.json()
            found = {indicator["code"]: indicator["score"] for indicator in body["indicators"]}
            return body if all(found[code] == score for code, score in scores.items()) else None

        return await eventually(assessed, 30)


async def test_facts_become_a_class_and_are_marked_where_they_are_made_up(
    registry: httpx.AsyncClient, interventions: httpx.AsyncClient, scoring: httpx.AsyncClient
) -> None:
    path = Path(registry, interventions, scoring)
    path.village = await register(registry, await desa(registry, "33.23"))
    nothing = await path.until(input_pokja=1)
    assert nothing["class"] == "dasar"
    assert nothing["completeness"]["answered"] == 0
    assert nothing["simulated"] is False

    await path.report("profiles", PROFILE)
    strong = await path.until(input_pokja=4, proses_operasional=4)
    assert strong["class"] == "dasar"

    recorded = await path.intervene(*ACTORS)
    with_actors = await path.until(proses_lintas_sektor=3)
    assert with_actors["class"] == "berkembang"
    assert with_actors["simulated"] is True

    headers = {**caller("officer"), "If-Match": '"1"'}
    url = f"/interventions/{recorded['id']}/withdrawal"
    withdrawn = await interventions.post(url, json={"reason": "tercatat dua kali"}, headers=headers)
    assert withdrawn.status_code == 200, withdrawn.text
    without = await path.until(proses_lintas_sektor=1)
    assert without["class"] == "dasar"
    assert without["simulated"] is False


async def test_the_silence_of_one_source_does_not_erase_the_answer_of_another(
    registry: httpx.AsyncClient, interventions: httpx.AsyncClient, scoring: httpx.AsyncClient
) -> None:
    path = Path(registry, interventions, scoring)
    path.village = await register(registry, await desa(registry, "33.23"))
    await path.report("profiles", PROFILE, period="2025-08")
    await path.until(input_pokja=4)
    await path.report("profiles", {"poktan": {"bkb": True}}, source_system="siga")
    after = await path.until(input_pokja=4, input_poktan=4)
    pokja = next(i for i in after["indicators"] if i["code"] == "input_pokja")
    named = {(used["report"]["source_system"], used["report"]["period"]) for used in pokja["inputs"]}
    assert named == {("manual", "2025-08")}
