"""GET /checksums/{service}: who may, what is answered, and that everybody can compute the same."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import VillageRegistered
from contracts.examples import example
from contracts.facts import FACTS_OF
from contracts.regions import RegionLevel
from deploy.embedded.throwaway import ThrowawayServers
from kit import turns
from kit.checksums.store import snapshot
from kit.checksums.things import reports, villages
from kit.ids import uuid7
from kit.outbox import publish
from kit.process import Service
from tests.callers import STRANGER, caller
from tests.conftest import app_of, running
from tests.documented import digest, line

_VILLAGES = sa.table("places", *(sa.column(name) for name in ("id", "region_code", "name", "status")))
_REPORTS = sa.table(
    "told",
    *(sa.column(name) for name in ("village", "region_code", "kind", "period", "source", "revision")),
    sa.column("facts", JSONB),
)
_v, _r = _VILLAGES.c, _REPORTS.c
HOLDING = Service(
    name="registry",
    title="Tiny",
    description="For tests of the kit",
    routers=(),
    checksums=(
        villages(_VILLAGES, number=_v.id, name=_v.name, region_code=_v.region_code, status=_v.status),
        reports(
            _REPORTS,
            village=_r.village,
            region_code=_r.region_code,
            kind=_r.kind,
            period=_r.period,
            source=_r.source,
            revision=_r.revision,
            facts=_r.facts,
        ),
    ),
)
PLACES: dict[str, str | None] = {
    "33.26.01.2001": 'Kampung KB "Melati" \\ di tepi',
    "33.26.01.2002": None,
    "33.26.02.2001": "Kampung KB Ñandú \u2028 \u00e9 \U0001f33b",
    "33.27.01.2001": "Kampung\tKB",
    "34.01.01.2001": "",
}
_TEXTS = ["", "a", '"', "\\", "/", "\u00e9", "\u2028", "\x7f", "\x01\b\f\n\r\t", "\U0001f33b", "{}", '": {}']
_KEYS = ["a", "bb", "b", "\u00e9", "zz", "poktan", "methods", "aaa", "A", '"', "\U0001f33b"]


def document(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    """Facts as they may come: groups one level deep, lists, blanks everywhere."""
    found: dict[str, Any] = {}
    for key in dice.sample(_KEYS, dice.randint(0, 6)):
        choices = [
            None,
            True,
            False,
            0,
            1,
            -7,
            2**31 - 1,
            dice.choice(_TEXTS),
            [],
            [1, None, "x"],
            [{"b": None, "a": 1}],
        ]
        found[key] = dice.choice(choices)
        if depth == 0 and dice.random() < 0.4:
            found[key] = dice.choice([{}, {"x": None}, document(dice, 1)])
    return found


class Holding:
    """The tiny service and what it holds, as lines."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.lines: dict[str, list[tuple[str, str]]] = {"village": [], "report": []}
        self.documents: list[tuple[UUID, dict[str, Any]]] = []

    async def get(self, *, as_: dict[str, str] | None = None, **query: Any) -> httpx.Response:
        headers = caller("reader") if as_ is None else as_
        return await self.client.get("/checksums/registry", params=query, headers=headers)

    async def sums(self, **query: Any) -> dict[str, Any]:
        answer = await self.get(**query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def of(self, kind: str, code: str | None) -> tuple[int, str]:
        """Count and digest of a region, as the documented Python computes them."""
        inside = [text for at, text in self.lines[kind] if code is None or f"{at}.".startswith(f"{code}.")]
        return len(inside), digest(inside)

    async def fill(self) -> None:
        dice = random.Random(2024)
        async with app_of(self.client).state.database.transaction() as session:
            await session.execute(sa.text("CREATE TABLE places (id uuid, region_code text, name text, status text)"))
            columns = "village uuid, region_code text, kind text, period text, source text, revision int, facts jsonb"
            await session.execute(sa.text(f"CREATE TABLE told ({columns})"))
            for code, name in PLACES.items():
                await self._place(session, code, name)
                for number in range(60):
                    await self._report(session, code, number, document(dice))

    async def _place(self, session: AsyncSession, code: str, name: str | None) -> None:
        row = {"id": uuid7(), "code": code, "name": name, "status": "active"}
        await session.execute(sa.text("INSERT INTO places VALUES (:id, :code, :name, :status)"), row)
        state = {"status": "active", "name": name, "region_code": code}
        self.lines["village"].append((code, line(f"village/{row['id']}", state)))

    async def _report(self, session: AsyncSession, code: str, number: int, facts: dict[str, Any]) -> None:
        row = {"village": uuid7(), "code": code, "revision": number, "facts": json.dumps(facts)}
        insert = (
            "INSERT INTO told VALUES (:village, :code, 'profile', '2024-07', 'siga', :revision, cast(:facts AS jsonb))"
        )
        await session.execute(sa.text(insert), row)
        name = f"report/{row['village']}/profile/2024-07/siga@{number}"
        self.lines["report"].append((code, line(name, facts)))
        self.documents.append((row["village"], facts))


@pytest.fixture(scope="module")
async def holding(own_servers: ThrowawayServers, public_key_file: Path) -> AsyncIterator[Holding]:
    url = own_servers.fresh_database("registry")
    async with running(HOLDING, url, own_servers.nats_url, public_key_file) as client:
        held = Holding(client)
        await held.fill()
        yield held


class TestGetChecksums:
    async def test_stranger(self, holding: Holding) -> None:
        assert (await holding.get(as_=STRANGER)).status_code == 401

    async def test_the_operator_may(self, holding: Holding) -> None:
        assert (await holding.get(as_=caller("operator"))).status_code == 200

    async def test_wrong_region(self, holding: Holding) -> None:
        answer = await holding.get(as_=caller("reader", region="33.27"), region="33.26")
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:kampungkb:problem:region-forbidden")

    async def test_without_a_region_the_callers_own(self, holding: Holding) -> None:
        answer = (await holding.get(as_=caller("reader", region="33.27"))).json()
        assert answer["region_code"] == "33.27"
        assert [part["region_code"] for part in answer["kinds"][0]["parts"]] == ["33.27.01"]

    @pytest.mark.parametrize(
        ("query", "pointer"), [({"region": "x"}, "query:region"), ({"kind": "village"}, "query:kind")]
    )
    async def test_invalid(self, holding: Holding, query: dict[str, Any], pointer: str) -> None:
        answer = await holding.get(**query)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    @pytest.mark.parametrize(
        ("region", "by", "parts"),
        [
            (None, "province", ["33", "34"]),
            ("33", "regency", ["33.26", "33.27"]),
            ("33.26", "district", ["33.26.01", "33.26.02"]),
            ("33.26.01", "village", ["33.26.01.2001", "33.26.01.2002"]),
            ("33.26.01.2001", "village", ["33.26.01.2001"]),
            ("91", "regency", []),
        ],
    )
    async def test_whole_and_parts_as_anybody_computes_them(
        self, holding: Holding, region: str | None, by: str, parts: list[str]
    ) -> None:
        answer = await holding.sums(**({"region": region} if region else {}))
        assert (answer["service"], answer["region_code"], answer["by"]) == ("registry", region, by)
        assert [kind["kind"] for kind in answer["kinds"]] == ["village", "report"]
        for kind in answer["kinds"]:
            assert (kind["count"], kind["digest"]) == holding.of(kind["kind"], region)
            assert [part["region_code"] for part in kind["parts"]] == parts
            for part in kind["parts"]:
                assert (part["count"], part["digest"]) == holding.of(kind["kind"], part["region_code"])

    async def test_parts_add_up_to_the_whole(self, holding: Holding) -> None:
        for kind in (await holding.sums(region="33"))["kinds"]:
            assert kind["count"] == sum(part["count"] for part in kind["parts"])
            assert int(kind["digest"], 16) == sum(int(part["digest"], 16) for part in kind["parts"]) % 2**64

    async def test_nothing_has_the_digest_zero(self, holding: Holding) -> None:
        for kind in (await holding.sums(region="91"))["kinds"]:
            assert (kind["count"], kind["digest"]) == (0, "0" * 16)

    async def test_replay(self, holding: Holding) -> None:
        first, again = await holding.get(region="33"), await holding.get(region="33")
        assert first.json()["kinds"] == again.json()["kinds"]


class TestMoment:
    async def test_position_and_that_everything_has_its_place(self, holding: Holding) -> None:
        event = example(VillageRegistered).model_copy(update={"id": uuid7()})
        before = (await holding.sums(region="33.26"))["as_of"]
        async with app_of(holding.client).state.database.transaction() as session:
            await publish(session, [event])
        after = await holding.sums(region="33.26")
        assert (after["as_of"], after["settled"]) == (before + 1, True)

    async def test_a_change_that_has_no_place_yet_is_told(self, holding: Holding) -> None:
        """Nobody places here: the table of the unplaced is held."""
        database = app_of(holding.client).state.database
        event = example(VillageRegistered).model_copy(update={"id": uuid7()})
        async with database.transaction() as session:
            await session.execute(sa.text("SELECT * FROM publication FOR UPDATE"))
            async with database.transaction() as other:
                await publish(other, [event])
            assert (await holding.sums(region="33.26"))["settled"] is False
        assert (await holding.sums(region="33.26"))["settled"] is True

    async def test_everything_is_of_one_moment(self, holding: Holding) -> None:
        database = app_of(holding.client).state.database
        (places, _), code, by = HOLDING.checksums, "91.01.01.2001", RegionLevel.VILLAGE
        async with snapshot(database) as now:
            before = await now.sums(places, code, by)
            async with database.transaction() as session:
                row = "INSERT INTO places VALUES (gen_random_uuid(), :code, 'x', 'active')"
                await session.execute(sa.text(row), {"code": code})
            assert await now.sums(places, code, by) == before == {}
        async with snapshot(database) as then:
            assert (await then.sums(places, code, by))[code].count == 1
        async with database.transaction() as session:
            await session.execute(sa.text("DELETE FROM places WHERE region_code = :code"), {"code": code})

    async def test_more_than_can_be_computed_at_once_is_refused(
        self, holding: Holding, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(turns, "_WAIT_SECONDS", 0.2)
        async with app_of(holding.client).state.database.transaction() as session:
            await session.execute(sa.text("LOCK TABLE places"))
            two = [asyncio.create_task(holding.get()) for _ in range(2)]
            await asyncio.sleep(0.1)
            third = await holding.get()
        assert (third.status_code, "retry-after" in third.headers) == (503, True)
        assert [answer.status_code for answer in await asyncio.gather(*two)] == [200, 200]

    async def test_what_takes_too_long_is_refused_with_advice(
        self, holding: Holding, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with app_of(holding.client).state.database.transaction() as session:
            await session.execute(sa.text("LOCK TABLE places"))
            with monkeypatch.context() as hurried:
                hurried.setattr(turns, "_LONGEST_SECONDS", 0.2)
                answer = await holding.get()
        assert answer.status_code == 503
        assert "ask for the parts of the region one by one" in answer.json()["detail"]
        assert (await holding.get(region="91")).status_code == 200


class TestLines:
    def test_an_empty_group_and_one_that_is_not_there_are_the_same(self) -> None:
        blank = {"pokja": None, "poktan": {"bkb": None}, "mechanisms": {}, "funding_sources": []}
        assert line("x", blank) == 'x {"funding_sources": []}'

    def test_keys_stand_by_length_and_bytes(self) -> None:
        assert line("x", {"bb": 1, "a": {"d": 2, "c": 1}, "\u00e9": "\u00e9"}) == (
            'x {"a": {"c": 1, "d": 2}, "bb": 1, "\u00e9": "\u00e9"}'
        )

    def test_documents_of_the_test_cover_the_forms(self, holding: Holding) -> None:
        texts = "".join(text for _, text in holding.lines["report"])
        assert all(form in texts for form in ("[]", "null", "\\u0001", "\\\\", "\u2028"))
        assert any({} in facts.values() for _, facts in holding.documents)

    def test_groups_of_facts_lie_one_level_deep(self) -> None:
        """What is defined of empty groups holds for these; a deeper group needs a new definition."""
        for facts in FACTS_OF.values():
            for field in facts.model_fields.values():
                group = field.annotation
                if isinstance(group, type) and issubclass(group, BaseModel):
                    inner = [member.annotation for member in group.model_fields.values()]
                    assert not [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
