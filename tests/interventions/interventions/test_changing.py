"""Correcting and withdrawing: stranger, wrong region, invalid, conflict, happy, replay."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from contracts.events import InterventionCorrected, InterventionRecorded, InterventionWithdrawn, decode
from kit.access import Grant, Role
from tests.callers import STRANGER, caller, granted
from tests.conftest import app_of, eventually
from tests.interventions.given import announce, known_village, recorded, row, village_event

REASON = {"reason": "Tercatat dua kali"}


def match(headers: dict[str, str], version: int = 1) -> dict[str, str]:
    return {**headers, "If-Match": f'"{version}"'}


async def correct(
    interventions: httpx.AsyncClient, made: dict[str, Any], headers: dict[str, str], **change: Any
) -> httpx.Response:
    return await interventions.patch(f"/interventions/{made['id']}", json=change, headers=headers)


async def withdraw(interventions: httpx.AsyncClient, made: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    return await interventions.post(f"/interventions/{made['id']}/withdrawal", json=REASON, headers=headers)


async def revisions(interventions: httpx.AsyncClient, made: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await interventions.get(f"/interventions/{made['id']}/revisions", headers=caller("officer"))
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def on_the_stream(interventions: httpx.AsyncClient, code: str, wanted: int) -> list[Any]:
    """Events of a village as other services receive them."""
    jetstream = await app_of(interventions).state.bus.jetstream()
    subscription = await jetstream.subscribe(f"kkb.interventions.*.v1.{code}", ordered_consumer=True)
    events = [decode((await subscription.next_msg(timeout=15)).data) for _ in range(wanted)]
    await subscription.unsubscribe()
    return events


@pytest.fixture
async def made(interventions: httpx.AsyncClient) -> dict[str, Any]:
    village, _ = await known_village(interventions)
    return await recorded(interventions, village, kegiatan="7-06", participants=20)


class TestStranger:
    async def test_without_identity(self, interventions: httpx.AsyncClient, made: dict[str, Any]) -> None:
        assert (await correct(interventions, made, STRANGER)).status_code == 401
        assert (await withdraw(interventions, made, STRANGER)).status_code == 401

    async def test_role_without_the_scope(self, interventions: httpx.AsyncClient, made: dict[str, Any]) -> None:
        assert (await correct(interventions, made, match(caller("reader")))).status_code == 403
        assert (await withdraw(interventions, made, match(caller("reader")))).status_code == 403
        answer = await interventions.get(f"/interventions/{made['id']}/revisions", headers=caller("reader"))
        assert answer.status_code == 403

    async def test_partner_changes_only_its_own(self, interventions: httpx.AsyncClient, made: dict[str, Any]) -> None:
        other = match(caller("partner", name="somebody-else"))
        assert (await correct(interventions, made, other, title="Baru")).status_code == 403
        assert (await withdraw(interventions, made, other)).status_code == 403
        assert len(await revisions(interventions, made)) == 1

    async def test_partner_of_a_province_is_an_officer_where_granted_only(
        self, interventions: httpx.AsyncClient, made: dict[str, Any]
    ) -> None:
        partner = Grant(Role.PARTNER, "99")
        elsewhere = match(granted(partner, Grant(Role.OFFICER, "99.02"), name="somebody-else"))
        assert (await correct(interventions, made, elsewhere, title="Baru")).status_code == 403
        here = match(granted(partner, Grant(Role.OFFICER, "99.01"), name="somebody-else"))
        assert (await correct(interventions, made, here, title="Baru")).status_code == 200


class TestWrongRegion:
    async def test_looks_like_absent(self, interventions: httpx.AsyncClient, made: dict[str, Any]) -> None:
        for headers in (match(caller("officer", region="33.26")), match(caller("administrator", region="99.02"))):
            assert (await correct(interventions, made, headers, title="x")).status_code == 404
            assert (await withdraw(interventions, made, headers)).status_code == 404
            url = f"/interventions/{made['id']}"
            assert (await interventions.get(url, headers=headers)).status_code == 404
            assert (await interventions.get(f"{url}/revisions", headers=headers)).status_code == 404


class TestInvalid:
    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"title": None}, "#/title"),
            ({"date": None}, "#/date"),
            ({"actors": None}, "#/actors"),
            ({"date": "2999-01-01"}, "#/date"),
            ({"target_groups": ["lainnya"]}, "#/other_target_group"),
            ({"other_target_group": "x"}, "#/other_target_group"),
            ({"actors": [{"code": "lainnya"}]}, "#/actors/0/other"),
            ({"village": "99.01.01.2002"}, "#/village"),
            ({"simulated": True}, "#/simulated"),
        ],
    )
    async def test_correction(
        self, interventions: httpx.AsyncClient, made: dict[str, Any], change: dict[str, Any], pointer: str
    ) -> None:
        answer = await correct(interventions, made, match(caller("officer")), **change)
        assert answer.status_code == 422
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    @pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": "x", "by": "y"}])
    async def test_withdrawal(
        self, interventions: httpx.AsyncClient, made: dict[str, Any], body: dict[str, Any]
    ) -> None:
        url = f"/interventions/{made['id']}/withdrawal"
        assert (await interventions.post(url, json=body, headers=match(caller("officer")))).status_code == 422

    async def test_id_that_is_none(self, interventions: httpx.AsyncClient) -> None:
        answer = await interventions.patch("/interventions/7", json={}, headers=match(caller("officer")))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "path:intervention"


class TestConflict:
    async def test_without_if_match(self, interventions: httpx.AsyncClient, made: dict[str, Any]) -> None:
        assert (await correct(interventions, made, caller("officer"), title="x")).status_code == 428
        assert (await withdraw(interventions, made, caller("officer"))).status_code == 428

    async def test_stale(self, interventions: httpx.AsyncClient, made: dict[str, Any]) -> None:
        assert (await correct(interventions, made, match(caller("officer")), title="Baru")).status_code == 200
        for answer in (
            await correct(interventions, made, match(caller("officer")), title="Lain"),
            await withdraw(interventions, made, match(caller("officer"))),
        ):
            assert answer.status_code == 412
            assert answer.json()["current_etag"] == '"2"'

    async def test_of_ten_at_once_one_wins(self, interventions: httpx.AsyncClient, made: dict[str, Any]) -> None:
        headers = match(caller("officer"))
        answers = await asyncio.gather(
            *(correct(interventions, made, headers, title=f"Judul {number}") for number in range(10))
        )
        assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9
        assert [revision["version"] for revision in await revisions(interventions, made)] == [1, 2]

    async def test_withdrawn_stays_as_it_is(self, interventions: httpx.AsyncClient, made: dict[str, Any]) -> None:
        assert (await withdraw(interventions, made, match(caller("officer")))).status_code == 200
        headers = match(caller("officer"), 2)
        assert (await correct(interventions, made, headers, title="x")).status_code == 409
        assert (await withdraw(interventions, made, headers)).status_code == 409


class TestHappy:
    async def test_correction_leaves_the_rest_alone(
        self, interventions: httpx.AsyncClient, made: dict[str, Any]
    ) -> None:
        headers = match(caller("officer", region="99.01"))
        answer = await correct(interventions, made, headers, kegiatan=None, funding_amount=0)
        assert answer.status_code == 200
        assert answer.headers["ETag"] == '"2"'
        changed = {"kegiatan": None, "funding_amount": 0, "version": 2, "changed_at": answer.json()["changed_at"]}
        assert answer.json() == made | changed
        read = await interventions.get(f"/interventions/{made['id']}", headers=caller("reader"))
        assert read.json() == answer.json()

    async def test_correction_of_words_and_code_together(
        self, interventions: httpx.AsyncClient, made: dict[str, Any]
    ) -> None:
        headers = match(caller("officer"))
        change = {"target_groups": ["lainnya"], "other_target_group": "Kader"}
        assert (await correct(interventions, made, headers, **change)).status_code == 200
        back = {"target_groups": ["pus"], "other_target_group": None}
        assert (await correct(interventions, made, match(caller("officer"), 2), **back)).status_code == 200

    @pytest.mark.parametrize("change", [{}, {"title": "Pelatihan pemasaran UPPKA", "actors": "as they are"}])
    async def test_correction_that_says_nothing_new_makes_no_revision(
        self, interventions: httpx.AsyncClient, made: dict[str, Any], change: dict[str, Any]
    ) -> None:
        if "actors" in change:
            change = change | {"actors": [{"code": "dinas-koperasi"}, {"code": "swasta"}]}
        answer = await correct(interventions, made, match(caller("officer")), **change)
        assert answer.status_code == 200
        assert answer.json() == made
        assert len(await revisions(interventions, made)) == 1

    async def test_partner_changes_its_own(self, interventions: httpx.AsyncClient) -> None:
        village, _ = await known_village(interventions)
        partner = caller("partner", region="99.01", name="dinas-kesehatan-uji")
        own = await recorded(interventions, village, partner)
        assert (await correct(interventions, own, match(partner), title="Baru")).status_code == 200
        assert (await withdraw(interventions, own, match(partner, 2))).status_code == 200

    async def test_officer_changes_what_a_partner_recorded(self, interventions: httpx.AsyncClient) -> None:
        village, _ = await known_village(interventions)
        own = await recorded(interventions, village, caller("partner", name="dinas-kesehatan-uji"))
        officer = match(caller("officer", region="99.01", name="opd-kb"))
        assert (await correct(interventions, own, officer, title="Baru")).status_code == 200

    async def test_village_that_became_inactive_keeps_its_history(self, interventions: httpx.AsyncClient) -> None:
        village, code = await known_village(interventions)
        own = await recorded(interventions, village)
        number = own["village"]["id"]
        await announce(interventions, village_event(code, id=number, version=2, status="inactive"))

        async def is_inactive() -> bool:
            return (await row(interventions, number)).status == "inactive"

        await eventually(is_inactive)
        assert (await correct(interventions, own, match(caller("officer")), title="Baru")).status_code == 200

    async def test_every_revision_is_kept_and_told(self, interventions: httpx.AsyncClient) -> None:
        village, code = await known_village(interventions)
        first = await recorded(interventions, village, caller("officer", name="anna"), title="Satu")
        await correct(interventions, first, match(caller("officer", name="budi")), title="Dua")
        answer = await withdraw(interventions, first, match(caller("officer", name="citra"), 2))
        assert answer.status_code == 200
        gone = answer.json()
        assert (gone["withdrawn"], gone["withdrawal_reason"], gone["title"]) == (True, "Tercatat dua kali", "Dua")
        assert answer.headers["ETag"] == '"3"'
        kept = await revisions(interventions, first)
        assert [(r["version"], r["change"], r["reason"], r["changed_by"], r["fields"]["title"]) for r in kept] == [
            (1, "recorded", None, "anna", "Satu"),
            (2, "corrected", None, "budi", "Dua"),
            (3, "withdrawn", "Tercatat dua kali", "citra", "Dua"),
        ]
        events = await on_the_stream(interventions, code, 3)
        assert [type(event) for event in events] == [InterventionRecorded, InterventionCorrected, InterventionWithdrawn]
        assert [(e.data.version, e.data.title, e.data.withdrawn) for e in events] == [
            (1, "Satu", False),
            (2, "Dua", False),
            (3, "Dua", True),
        ]

    @pytest.mark.parametrize(
        "statement", ["UPDATE intervention_revisions SET reason = 'x'", "DELETE FROM intervention_revisions"]
    )
    async def test_revisions_are_append_only(
        self, interventions: httpx.AsyncClient, made: dict[str, Any], statement: str
    ) -> None:
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            async with app_of(interventions).state.database.transaction() as session:
                await session.execute(sa.text(statement))
        assert len(await revisions(interventions, made)) == 1


class TestReplay:
    async def test_withdrawal_sent_again_answers_the_same(
        self, interventions: httpx.AsyncClient, made: dict[str, Any]
    ) -> None:
        headers = {**match(caller("officer")), "Idempotency-Key": f"gone-{made['id']}"}
        first = await withdraw(interventions, made, headers)
        again = await withdraw(interventions, made, headers)
        assert (first.status_code, again.status_code) == (200, 200)
        assert again.text == first.text
        assert again.headers["Idempotency-Replayed"] == "true"
        assert len(await revisions(interventions, made)) == 2
