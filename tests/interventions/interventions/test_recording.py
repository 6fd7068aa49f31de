"""Recording an intervention: stranger, wrong region, invalid, conflict, happy, replay."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from contracts.events import InterventionRecorded, decode
from kit.ids import uuid7
from tests.callers import STRANGER, caller
from tests.conftest import app_of, eventually
from tests.interventions.given import announce, draft, free_code, known_village, recorded, row, village_event


async def count(interventions: httpx.AsyncClient, village: str) -> int:
    async with app_of(interventions).state.database.transaction() as session:
        query = sa.text("SELECT count(*) FROM interventions WHERE village_id = :v")
        return int((await session.execute(query, {"v": UUID(village)})).scalar_one())


async def published(interventions: httpx.AsyncClient, code: str) -> list[bytes]:
    async with app_of(interventions).state.database.transaction() as session:
        query = sa.text("SELECT body FROM outbox WHERE region_code = :s ORDER BY id")
        return list((await session.execute(query, {"s": code})).scalars())


class TestStranger:
    async def test_without_identity(self, interventions: httpx.AsyncClient) -> None:
        answer = await interventions.post("/interventions", json=draft("99.01.01.2001"), headers=STRANGER)
        assert answer.status_code == 401

    @pytest.mark.parametrize("role", ["reader", "reporter", "assessor", "operator"])
    async def test_role_without_the_scope(self, interventions: httpx.AsyncClient, role: str) -> None:
        answer = await interventions.post("/interventions", json=draft("99.01.01.2001"), headers=caller(role))
        assert answer.status_code == 403


class TestWrongRegion:
    async def test_by_code(self, interventions: httpx.AsyncClient) -> None:
        _, code = await known_village(interventions)
        headers = caller("officer", region="33.26")
        answer = await interventions.post("/interventions", json=draft(code), headers=headers)
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:kampungkb:problem:region-forbidden"

    async def test_by_id_looks_like_absent(self, interventions: httpx.AsyncClient) -> None:
        village, _ = await known_village(interventions)
        headers = caller("partner", region="33.26")
        answer = await interventions.post("/interventions", json=draft(village), headers=headers)
        assert answer.status_code == 404


class TestInvalid:
    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"village": "desa-x"}, "#/village"),
            ({"village": "3326010001"}, "#/village"),
            ({"village": 99.01}, "#/village"),
            ({"date": "2015-12-31"}, "#/date"),
            ({"date": "2999-01-01"}, "#/date"),
            ({"date": "30-07-2024"}, "#/date"),
            ({"title": "  "}, "#/title"),
            ({"title": "a\nb"}, "#/title"),
            ({"title": "a\x00b"}, "#/title"),
            ({"description": "a\x00b"}, "#/description"),
            ({"place": None}, "#/place"),
            ({"family_function": "olahraga"}, "#/family_function"),
            ({"kegiatan": "1-03"}, "#/kegiatan"),
            ({"kegiatan": "9-01"}, "#/kegiatan"),
            ({"target_groups": []}, "#/target_groups"),
            ({"target_groups": ["pus", "bayi"]}, "#/target_groups/1"),
            ({"target_groups": ["pus", "pus"]}, "#/target_groups/1"),
            ({"target_groups": ["lainnya"]}, "#/other_target_group"),
            ({"other_target_group": "ibu menyusui"}, "#/other_target_group"),
            ({"actors": []}, "#/actors"),
            ({"actors": [{"code": "puskesmas"}, {"code": "dinas-x"}]}, "#/actors/1/code"),
            ({"actors": [{"code": 30}]}, "#/actors/0/code"),
            ({"actors": [{"code": "puskesmas"}, {"code": "puskesmas"}]}, "#/actors/1"),
            ({"actors": [{"code": "lainnya"}]}, "#/actors/0/other"),
            ({"actors": [{"code": "puskesmas", "other": "Puskesmas Uji"}]}, "#/actors/0/other"),
            ({"actors": [{"code": "puskesmas", "pentahelix": "media"}]}, "#/actors/0/pentahelix"),
            ({"actors": [{"code": "rumah-sakit-klinik", "pentahelix": "media"}]}, "#/actors/0/pentahelix"),
            ({"funding_source": "utang"}, "#/funding_source"),
            ({"funding_amount": -1}, "#/funding_amount"),
            ({"funding_amount": 1.5}, "#/funding_amount"),
            ({"funding_amount": "1000"}, "#/funding_amount"),
            ({"participants": -1}, "#/participants"),
            ({"participants": 2.5}, "#/participants"),
            ({"simulated": "ya"}, "#/simulated"),
            ({"nik": "x"}, "#/nik"),
        ],
    )
    async def test_has_a_pointer(self, interventions: httpx.AsyncClient, change: dict[str, Any], pointer: str) -> None:
        answer = await interventions.post(
            "/interventions", json=draft("99.01.01.2001") | change, headers=caller("officer")
        )
        assert answer.status_code == 422
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    async def test_half_a_character_is_no_text(self, interventions: httpx.AsyncClient) -> None:
        body = b'{"village": "99.01.01.2001", "title": "\\ud800"}'
        headers = {**caller("officer"), "Content-Type": "application/json"}
        answer = await interventions.post("/interventions", content=body, headers=headers)
        assert answer.status_code == 422

    async def test_unknown_village_may_just_have_been_registered(self, interventions: httpx.AsyncClient) -> None:
        number, code = uuid7(), free_code()
        body = draft(str(number))
        answer = await interventions.post("/interventions", json=body, headers=caller("officer"))
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:kampungkb:problem:village-unknown"
        assert "just now" in answer.json()["detail"]
        await announce(interventions, village_event(code, id=number))
        await eventually(lambda: row(interventions, number))
        assert (await recorded(interventions, str(number)))["village"]["region_code"] == code


class TestConflict:
    async def test_inactive_village(self, interventions: httpx.AsyncClient) -> None:
        village, code = await known_village(interventions, status="inactive")
        answer = await interventions.post("/interventions", json=draft(village), headers=caller("officer"))
        assert answer.status_code == 409
        by_code = await interventions.post("/interventions", json=draft(code), headers=caller("officer"))
        assert by_code.status_code == 404


class TestHappy:
    async def test_the_least_that_must_be_said(self, interventions: httpx.AsyncClient) -> None:
        village, code = await known_village(interventions, name="Kampung KB Uji")
        headers = caller("officer", region="99.01")
        answer = await interventions.post("/interventions", json=draft(code.replace(".", "")), headers=headers)
        assert answer.status_code == 201
        assert answer.headers["ETag"] == '"1"'
        made = answer.json()
        assert answer.headers["Location"] == f"/api/v1/interventions/{made['id']}"
        assert made["village"] == {
            "id": village,
            "region_code": code,
            "region_names": {"province": "Uji", "regency": "Kabupaten Uji", "district": "Uji", "village": "Desa Uji"},
            "name": "Kampung KB Uji",
        }
        for silent in ("kegiatan", "funding_source", "funding_amount", "participants", "other_target_group"):
            assert made[silent] is None
        assert [(a["code"], a["pentahelix"], a["programme_own"]) for a in made["actors"]] == [
            ("dinas-koperasi", "pemerintah", False),
            ("swasta", "dunia_usaha", False),
        ]
        assert made["withdrawn"] is False
        assert "recorded_by" not in made
        read = await interventions.get(f"/interventions/{made['id']}", headers=caller("reader", region="99"))
        assert read.json() == made
        assert read.headers["ETag"] == '"1"'

    async def test_everything_that_can_be_said(self, interventions: httpx.AsyncClient) -> None:
        village, code = await known_village(interventions)
        said = {
            "kegiatan": "7-06",
            "target_groups": ["keluarga_balita", "lainnya"],
            "other_target_group": "Ibu menyusui",
            "actors": [
                {"code": "rumah-sakit-klinik", "pentahelix": "dunia_usaha", "other": None},
                {"code": "lainnya", "pentahelix": None, "other": "Karang Taruna"},
                {"code": "lainnya", "pentahelix": "komunitas", "other": "Majelis taklim"},
                {"code": "media", "pentahelix": "media", "other": None},
                {"code": "opd-ppkb", "pentahelix": "pemerintah", "other": None},
            ],
            "funding_source": "dana_desa",
            "funding_amount": 12_500_000_000,
            "participants": 0,
            "simulated": True,
            "source_system": "demo",
        }
        made = await recorded(interventions, village, **said)
        own = [actor.pop("programme_own") for actor in made["actors"]]
        assert own == [False, False, False, False, True]
        assert made["actors"][0].pop("name") == "Rumah Sakit/Klinik"
        for actor in made["actors"][1:]:
            del actor["name"]
        assert {name: made[name] for name in said} == said
        (body,) = await published(interventions, code)
        event = decode(body)
        assert isinstance(event, InterventionRecorded)
        state = event.data
        assert (str(state.intervention_id), state.version, str(state.village.id)) == (made["id"], 1, village)
        assert [a.web_kkb_number for a in state.actors] == [31, 37, 37, None, 26]
        assert [a.pentahelix for a in state.actors] == ["dunia_usaha", None, "komunitas", "media", "pemerintah"]
        assert (state.funding_amount, state.participants, state.simulated) == (12_500_000_000, 0, True)
        assert event.nats_subject == f"kkb.interventions.intervention-recorded.v1.{code}"

    async def test_partner_records_too(self, interventions: httpx.AsyncClient) -> None:
        village, _ = await known_village(interventions)
        made = await recorded(interventions, village, caller("partner", region="99.01", name="dinkes"))
        assert made["version"] == 1

    async def test_unsettled_party_stays_unknown(self, interventions: httpx.AsyncClient) -> None:
        village, _ = await known_village(interventions)
        made = await recorded(interventions, village, actors=[{"code": "rumah-sakit-klinik"}])
        assert made["actors"][0]["pentahelix"] is None


class TestReplay:
    async def test_fifty_at_once_make_one_row(self, interventions: httpx.AsyncClient) -> None:
        village, code = await known_village(interventions)
        headers = {**caller("officer"), "Idempotency-Key": f"fifty-{village}"}
        answers = await asyncio.gather(
            *(interventions.post("/interventions", json=draft(village), headers=headers) for _ in range(50))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1
        assert len({answer.headers["Location"] for answer in answers}) == 1
        assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 49
        assert await count(interventions, village) == 1
        assert len(await published(interventions, code)) == 1

    async def test_key_of_another_request(self, interventions: httpx.AsyncClient) -> None:
        village, _ = await known_village(interventions)
        headers = {**caller("officer"), "Idempotency-Key": f"once-{village}"}
        first = await interventions.post("/interventions", json=draft(village), headers=headers)
        assert first.status_code == 201
        other = await interventions.post("/interventions", json=draft(village, title="Lain"), headers=headers)
        assert other.status_code == 422
        assert other.json()["type"] == "urn:kampungkb:problem:idempotency-key-reused"
        assert await count(interventions, village) == 1

    async def test_without_key_each_request_counts(self, interventions: httpx.AsyncClient) -> None:
        village, _ = await known_village(interventions)
        await recorded(interventions, village)
        await recorded(interventions, village)
        assert await count(interventions, village) == 2
