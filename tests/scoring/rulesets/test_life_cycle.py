"""The life of a ruleset over the API: stranger, wrong region, invalid, conflict, happy, replay."""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.embedded.throwaway import ThrowawayServers
from kit import clock
from services.scoring import reference
from services.scoring.assessments.actions import bring_up_to_date, count_outdated
from services.scoring.rulesets.document import Ruleset
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import in_force, shipped_rulesets
from services.scoring.service import SERVICE as SCORING
from tests.callers import STRANGER, caller
from tests.conftest import app_of, running
from tests.scoring.rulesets.made_rulesets import made, place_of, stricter, with_a_gap
from tests.scoring.rulesets.made_villages import profile
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import known_village

ASSESSOR = ("assessor",)
FUNDS = f"#/indicators/{place_of('input_sumber_dana')}"
TWO_FUNDS = made_facts() | {"profile": profile(funds=2, groups=4, pokja_trained=False)}
"""Every score of input is 3: at the threshold, and below it where two sources of funds are worth 2."""


@pytest.fixture(scope="module")
def address(servers: ThrowawayServers) -> str:
    """A database of this module's own: which ruleset is in force concerns every village in it."""
    return servers.fresh_database("scoring")


@pytest.fixture(scope="module")
async def api(servers: ThrowawayServers, address: str, public_key_file: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A scoring service."""
    async with running(SCORING, address, servers.nats_url, public_key_file) as client:
        yield client


async def drafted(api: httpx.AsyncClient, document: dict[str, Any]) -> httpx.Response:
    answer = await api.post("/rulesets", json=document, headers=caller(*ASSESSOR))
    assert answer.status_code == 201, answer.text
    return answer


async def published(api: httpx.AsyncClient, document: dict[str, Any]) -> str:
    """Id of a document that was drafted and published."""
    number = str(document["id"])
    tag = (await drafted(api, document)).headers["ETag"]
    answer = await api.post(f"/rulesets/{number}/publication", headers=caller(*ASSESSOR) | {"If-Match": tag})
    assert answer.status_code == 200, answer.text
    return number


async def put_in_force(api: httpx.AsyncClient, number: str, day: dt.date, **headers: str) -> httpx.Response:
    body = {"ruleset": number, "from": day.isoformat()}
    return await api.post("/rulesets/in-force", json=body, headers=caller(*ASSESSOR) | headers)


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


CHANGES = [
    ("POST", "/rulesets"),
    ("PUT", "/rulesets/web-2021"),
    ("DELETE", "/rulesets/web-2021"),
    ("POST", "/rulesets/validation"),
    ("POST", "/rulesets/web-2021/validation"),
    ("POST", "/rulesets/web-2021/publication"),
    ("POST", "/rulesets/web-2021/retirement"),
    ("POST", "/rulesets/in-force"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
class TestWhoMayChangeRulesets:
    def body(self, path: str) -> Any:
        return {"ruleset": "web-2021", "from": "2999-01-01"} if path.endswith("in-force") else made()

    async def test_stranger(self, api: httpx.AsyncClient, method: str, path: str) -> None:
        assert (await api.request(method, path, json=self.body(path), headers=STRANGER)).status_code == 401

    @pytest.mark.parametrize("role", ["reader", "officer", "partner", "operator"])
    async def test_another_role(self, api: httpx.AsyncClient, method: str, path: str, role: str) -> None:
        assert (await api.request(method, path, json=self.body(path), headers=caller(role))).status_code == 403

    async def test_an_assessor_of_a_region(self, api: httpx.AsyncClient, method: str, path: str) -> None:
        headers = caller(*ASSESSOR, region="33.26")
        answer = await api.request(method, path, json=self.body(path), headers=headers)
        assert (answer.status_code, slug(answer)) == (403, "region-forbidden")


class TestDraftRuleset:
    @pytest.mark.parametrize(
        ("change", "pointer", "sentence"),
        [
            ({"status": "published"}, "#/status", "berstatus draft"),
            ({"id": "in-force"}, "#/id", "tidak dapat dipakai"),
            ({"id": "Aturan Baru"}, "#/id", "sesuai pola"),
            ({"version": "1"}, "#/version", "bilangan bulat"),
            ({"dimension": []}, "#/dimension", "tidak dikenal"),
            ({"indicators": []}, "#/indicators", "paling sedikit 1 butir"),
            ({"legal_basis": {"certainty": "as_implemented"}}, "#/legal_basis/text", "wajib ada"),
        ],
    )
    async def test_invalid(self, api: httpx.AsyncClient, change: dict[str, Any], pointer: str, sentence: str) -> None:
        answer = await api.post("/rulesets", json=made() | change, headers=caller(*ASSESSOR))
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error["pointer"] == pointer
        assert sentence in error["detail"]

    async def test_invalid_division_without_policy(self, api: httpx.AsyncClient) -> None:
        document, place = made(), place_of("output_cpr")
        del document["indicators"][place]["formula"]["denominator_zero"]
        answer = await api.post("/rulesets", json=document, headers=caller(*ASSESSOR))
        (error,) = answer.json()["errors"]
        assert error["pointer"] == f"#/indicators/{place}/formula/denominator_zero"
        assert error["detail"] == "Wajib disebut apa yang berlaku bila data tidak dilaporkan atau penyebut nol"

    async def test_invalid_operation(self, api: httpx.AsyncClient) -> None:
        document, place = made(), place_of("output_cpr")
        document["indicators"][place]["formula"]["op"] = "python"
        answer = await api.post("/rulesets", json=document, headers=caller(*ASSESSOR))
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"#/indicators/{place}/formula"]
        assert "Operasi python tidak dikenal" in answer.json()["errors"][0]["detail"]

    async def test_too_large(self, api: httpx.AsyncClient) -> None:
        document = made()
        document["indicators"][0]["note"] = "x" * 600_000
        assert (await api.post("/rulesets", json=document, headers=caller(*ASSESSOR))).status_code == 413

    async def test_conflict(self, api: httpx.AsyncClient) -> None:
        answer = await api.post("/rulesets", json=made("web-2021"), headers=caller(*ASSESSOR))
        assert answer.status_code == 409
        assert answer.json()["existing_id"] == "web-2021"

    async def test_happy(self, api: httpx.AsyncClient) -> None:
        document = made()
        answer = await drafted(api, document)
        assert answer.headers["Location"] == f"/api/v1/rulesets/{document['id']}"
        brief = answer.json()
        assert (brief["status"], brief["digest"], brief["revision"], brief["in_force"]) == ("draft", None, 1, False)
        read = await api.get(f"/rulesets/{document['id']}", headers=caller("reader"))
        assert read.json()["document"] == document
        assert read.headers["ETag"] == answer.headers["ETag"] == '"1"'
        drafts = (await api.get("/rulesets?status=draft", headers=caller("reader"))).json()["items"]
        assert document["id"] in [one["id"] for one in drafts]
        assert {one["status"] for one in drafts} == {"draft"}

    async def test_a_draft_scores_nobody(self, api: httpx.AsyncClient) -> None:
        document = made()
        await drafted(api, document)
        answer = await api.post(f"/rulesets/{document['id']}/evaluations", json=[], headers=caller("reader"))
        assert answer.status_code == 404

    async def test_replay(self, api: httpx.AsyncClient) -> None:
        document, key = made(), {"Idempotency-Key": "draft-it-only-once"}
        first = await api.post("/rulesets", json=document, headers=caller(*ASSESSOR) | key)
        again = await api.post("/rulesets", json=document, headers=caller(*ASSESSOR) | key)
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["Idempotency-Replayed"] == "true"


class TestReplaceAndDeleteRuleset:
    async def test_unknown(self, api: httpx.AsyncClient) -> None:
        headers = caller(*ASSESSOR) | {"If-Match": '"1"'}
        assert (await api.put("/rulesets/tidak-ada", json=made(), headers=headers)).status_code == 404
        assert (await api.delete("/rulesets/tidak-ada", headers=headers)).status_code == 404

    async def test_invalid_other_id(self, api: httpx.AsyncClient) -> None:
        document = made()
        tag = (await drafted(api, document)).headers["ETag"]
        headers = caller(*ASSESSOR) | {"If-Match": tag}
        answer = await api.put(f"/rulesets/{document['id']}", json=made(), headers=headers)
        assert [error["pointer"] for error in answer.json()["errors"]] == ["#/id"]

    async def test_what_was_read_must_be_named_and_newest(self, api: httpx.AsyncClient) -> None:
        document = made()
        path = f"/rulesets/{document['id']}"
        await drafted(api, document)
        for method in ("PUT", "DELETE"):
            assert (await api.request(method, path, json=document, headers=caller(*ASSESSOR))).status_code == 428
            headers = caller(*ASSESSOR) | {"If-Match": '"7"'}
            assert (await api.request(method, path, json=document, headers=headers)).status_code == 412

    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    async def test_conflict_published(self, api: httpx.AsyncClient, method: str) -> None:
        headers = caller(*ASSESSOR) | {"If-Match": '"1"'}
        answer = await api.request(method, "/rulesets/web-2021", json=made("web-2021"), headers=headers)
        assert (answer.status_code, slug(answer)) == (409, "ruleset-immutable")

    async def test_happy(self, api: httpx.AsyncClient) -> None:
        document = made()
        path = f"/rulesets/{document['id']}"
        await drafted(api, document)
        changed = stricter(document["id"])
        answer = await api.put(path, json=changed, headers=caller(*ASSESSOR) | {"If-Match": '"1"'})
        assert (answer.status_code, answer.json()["revision"], answer.headers["ETag"]) == (200, 2, '"2"')
        assert (await api.get(path, headers=caller("reader"))).json()["document"] == changed
        assert (await api.delete(path, headers=caller(*ASSESSOR) | {"If-Match": '"2"'})).status_code == 204
        assert (await api.get(path, headers=caller("reader"))).status_code == 404


class TestValidateRuleset:
    async def checked(self, api: httpx.AsyncClient, number: str) -> dict[str, Any]:
        answer = await api.post(f"/rulesets/{number}/validation", headers=caller(*ASSESSOR))
        assert answer.status_code == 200
        result: dict[str, Any] = answer.json()
        return result

    async def test_unknown(self, api: httpx.AsyncClient) -> None:
        answer = await api.post("/rulesets/tidak-ada/validation", headers=caller(*ASSESSOR))
        assert answer.status_code == 404

    async def test_happy_what_is_wrong(self, api: httpx.AsyncClient) -> None:
        document = with_a_gap()
        await drafted(api, document)
        found = await self.checked(api, document["id"])
        assert (found["valid"], found["boundary_cases"], found["when_in_force"]) == (False, None, None)
        sentence = "Ada celah: nilai 2 sampai 2 tidak masuk pita mana pun"
        assert found["problems"] == [{"pointer": f"{FUNDS}/bands/2/from", "detail": sentence}]

    async def test_happy_what_is_right(self, api: httpx.AsyncClient) -> None:
        document = made()
        await drafted(api, document)
        found = await self.checked(api, document["id"])
        assert (found["valid"], found["problems"], found["when_in_force"]) == (True, [], [])
        assert found["boundary_cases"]
        assert (await api.get(f"/rulesets/{document['id']}", headers=caller("reader"))).json()["status"] == "draft"

    async def test_happy_one_that_looks_at_time(self, api: httpx.AsyncClient) -> None:
        windowed, ageing, place = made(), made(), place_of("proses_lintas_sektor")
        windowed["indicators"][place]["formula"]["window_months"] = 12
        ageing["freshness"] = [{"report": "population", "max_age_months": 12}]
        pointers = (f"#/indicators/{place}/formula/window_months", "#/freshness")
        for document, pointer in zip((windowed, ageing), pointers, strict=True):
            await drafted(api, document)
            found = await self.checked(api, document["id"])
            assert [one["pointer"] for one in found["when_in_force"]] == [pointer]

    async def test_happy_one_that_leaves_villages_without_a_class(self, api: httpx.AsyncClient) -> None:
        found = await self.checked(api, "web-2021-intended")
        assert found["valid"]
        assert {one["pointer"].rpartition("/")[2] for one in found["when_in_force"]} == {"when_missing"}


class TestValidateDocument:
    async def checked(self, api: httpx.AsyncClient, document: dict[str, Any]) -> dict[str, Any]:
        answer = await api.post("/rulesets/validation", json=document, headers=caller(*ASSESSOR))
        assert answer.status_code == 200
        assert (await api.get(f"/rulesets/{document['id']}", headers=caller("reader"))).status_code == 404
        result: dict[str, Any] = answer.json()
        return result

    async def test_no_json(self, api: httpx.AsyncClient) -> None:
        headers = caller(*ASSESSOR) | {"Content-Type": "application/json"}
        assert (await api.post("/rulesets/validation", content="{", headers=headers)).status_code == 422

    async def test_happy_shape(self, api: httpx.AsyncClient) -> None:
        found = await self.checked(api, made(version=0, colour="merah"))
        assert found["problems"] == [
            {"pointer": "#/version", "detail": "Bilangan ini paling kecil 1"},
            {"pointer": "#/colour", "detail": "Isian ini tidak dikenal"},
        ]

    async def test_happy_gap(self, api: httpx.AsyncClient) -> None:
        assert [one["pointer"] for one in (await self.checked(api, with_a_gap()))["problems"]] == [
            f"{FUNDS}/bands/2/from"
        ]

    async def test_happy(self, api: httpx.AsyncClient) -> None:
        found = await self.checked(api, made())
        assert (found["valid"], found["when_in_force"]) == (True, [])


class TestPublishRuleset:
    async def test_unknown(self, api: httpx.AsyncClient) -> None:
        answer = await api.post("/rulesets/tidak-ada/publication", headers=caller(*ASSESSOR))
        assert answer.status_code == 404

    @pytest.mark.parametrize(
        ("spoil", "pointer"),
        [
            (lambda d: d["indicators"][1]["bands"][2].update({"from": 3}), "#/indicators/1/bands/2/from"),
            (lambda d: d["indicators"][1]["bands"][2].update({"from": 1}), "#/indicators/1/bands/2/from"),
            (lambda d: d["class_matrix"][-1].update({"class": "mandiri"}), "#/class_matrix"),
            (lambda d: d["indicators"][1]["formula"].update({"input": "profile.budget"}), "#/indicators/1/formula"),
        ],
        ids=["gap", "overlap", "unreachable class", "unknown input"],
    )
    async def test_invalid(self, api: httpx.AsyncClient, spoil: Any, pointer: str) -> None:
        document = made()
        spoil(document)
        tag = (await drafted(api, document)).headers["ETag"]
        path = f"/rulesets/{document['id']}"
        answer = await api.post(f"{path}/publication", headers=caller(*ASSESSOR) | {"If-Match": tag})
        assert answer.status_code == 422
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]
        assert (await api.get(path, headers=caller("reader"))).json()["status"] == "draft"

    async def test_what_was_read_must_be_named_and_newest(self, api: httpx.AsyncClient) -> None:
        document = made()
        await drafted(api, document)
        path = f"/rulesets/{document['id']}/publication"
        assert (await api.post(path, headers=caller(*ASSESSOR))).status_code == 428
        assert (await api.post(path, headers=caller(*ASSESSOR) | {"If-Match": '"2"'})).status_code == 412

    async def test_conflict_twice(self, api: httpx.AsyncClient) -> None:
        number = await published(api, made())
        headers = caller(*ASSESSOR) | {"If-Match": '"2"'}
        answer = await api.post(f"/rulesets/{number}/publication", headers=headers)
        assert (answer.status_code, slug(answer)) == (409, "ruleset-published-before")

    async def test_happy(self, api: httpx.AsyncClient) -> None:
        document = stricter()
        number = await published(api, document)
        read = (await api.get(f"/rulesets/{number}", headers=caller("reader"))).json()
        assert (read["status"], read["revision"], read["published_by"]) == ("published", 2, "tests")
        assert read["document"] == document | {"status": "published"}
        assert read["digest"] == Ruleset.parse(orjson.dumps(read["document"])).digest
        evaluated = await api.post(f"/rulesets/{number}/evaluations", json=[TWO_FUNDS], headers=caller("reader"))
        assert evaluated.json()[0]["input_sumber_dana"] == 2

    async def test_replay(self, api: httpx.AsyncClient) -> None:
        document = made()
        tag = (await drafted(api, document)).headers["ETag"]
        headers = caller(*ASSESSOR) | {"If-Match": tag, "Idempotency-Key": f"publish-{document['id']}"}
        answers = [await api.post(f"/rulesets/{document['id']}/publication", headers=headers) for _ in range(2)]
        assert [one.status_code for one in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()


class TestBoundaryCases:
    PATH = "/rulesets/web-2021/boundary-cases"

    async def test_stranger(self, api: httpx.AsyncClient) -> None:
        assert (await api.get(self.PATH, headers=STRANGER)).status_code == 401

    async def test_unknown(self, api: httpx.AsyncClient) -> None:
        assert (await api.get("/rulesets/tidak-ada/boundary-cases", headers=caller("reader"))).status_code == 404

    async def test_conflict_a_draft_has_none_yet(self, api: httpx.AsyncClient) -> None:
        document = made()
        await drafted(api, document)
        answer = await api.get(f"/rulesets/{document['id']}/boundary-cases", headers=caller("reader"))
        assert (answer.status_code, slug(answer)) == (409, "ruleset-not-published")

    async def test_happy(self, api: httpx.AsyncClient) -> None:
        found = (await api.get(self.PATH, headers=caller("reader", region="33.26"))).json()
        assert found["digest"] == shipped_rulesets()["web-2021"].digest
        assert len(found["cases"]) > 50


class TestRetireRuleset:
    async def test_unknown(self, api: httpx.AsyncClient) -> None:
        assert (await api.post("/rulesets/tidak-ada/retirement", headers=caller(*ASSESSOR))).status_code == 404

    async def test_conflict_draft(self, api: httpx.AsyncClient) -> None:
        document = made()
        await drafted(api, document)
        answer = await api.post(f"/rulesets/{document['id']}/retirement", headers=caller(*ASSESSOR))
        assert (answer.status_code, slug(answer)) == (409, "ruleset-not-published")

    async def test_conflict_in_force_or_will_be(self, api: httpx.AsyncClient) -> None:
        number, day = await published(api, made()), clock.today() + dt.timedelta(days=30)
        assert (await put_in_force(api, number, day)).status_code == 201
        for one in ("web-2021", number):
            answer = await api.post(f"/rulesets/{one}/retirement", headers=caller(*ASSESSOR))
            assert (answer.status_code, slug(answer)) == (409, "ruleset-in-force")
        assert (await put_in_force(api, "web-2021", day)).status_code == 201
        assert (await api.post(f"/rulesets/{number}/retirement", headers=caller(*ASSESSOR))).status_code == 200

    async def test_happy(self, api: httpx.AsyncClient) -> None:
        number = await published(api, made())
        digest = (await api.get(f"/rulesets/{number}", headers=caller("reader"))).json()["digest"]
        answer = await api.post(f"/rulesets/{number}/retirement", headers=caller(*ASSESSOR))
        assert (answer.status_code, answer.json()["status"], answer.json()["digest"]) == (200, "retired", digest)
        assert slug(await put_in_force(api, number, clock.today())) == "ruleset-not-published"
        evaluated = await api.post(f"/rulesets/{number}/evaluations", json=[{}], headers=caller("reader"))
        assert evaluated.status_code == 200
        again = await api.post(f"/rulesets/{number}/retirement", headers=caller(*ASSESSOR))
        assert slug(again) == "ruleset-not-published"

    async def test_replay(self, api: httpx.AsyncClient) -> None:
        number = await published(api, made())
        headers = caller(*ASSESSOR) | {"Idempotency-Key": f"retire-{number}"}
        answers = [await api.post(f"/rulesets/{number}/retirement", headers=headers) for _ in range(2)]
        assert [one.status_code for one in answers] == [200, 200]


class TestInForce:
    async def listed(self, api: httpx.AsyncClient) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await api.get("/rulesets/in-force", headers=caller("reader"))).json()["items"]
        return items

    async def test_stranger(self, api: httpx.AsyncClient) -> None:
        assert (await api.get("/rulesets/in-force", headers=STRANGER)).status_code == 401

    async def test_invalid_past(self, api: httpx.AsyncClient) -> None:
        answer = await put_in_force(api, "web-2021", clock.today() - dt.timedelta(days=1))
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == ["#/from"]

    async def test_invalid_by_its_own_dates(self, api: httpx.AsyncClient) -> None:
        number = await published(api, made(effective_from="2090-01-01", effective_to="2090-12-31"))
        for day, status in (("2089-12-31", 422), ("2090-01-01", 201), ("2091-01-01", 422)):
            assert (await put_in_force(api, number, dt.date.fromisoformat(day))).status_code == status
        assert (await put_in_force(api, "web-2021", dt.date(2090, 1, 1))).status_code == 201

    async def test_invalid_unknown_field(self, api: httpx.AsyncClient) -> None:
        body = {"ruleset": "web-2021", "from": "2999-01-01", "to": "2999-02-01"}
        assert (await api.post("/rulesets/in-force", json=body, headers=caller(*ASSESSOR))).status_code == 422

    async def test_unknown(self, api: httpx.AsyncClient) -> None:
        assert (await put_in_force(api, "tidak-ada", clock.today())).status_code == 404

    async def test_conflict_draft(self, api: httpx.AsyncClient) -> None:
        document = made()
        await drafted(api, document)
        assert slug(await put_in_force(api, document["id"], clock.today())) == "ruleset-not-published"

    async def test_conflict_so_already(self, api: httpx.AsyncClient) -> None:
        day = dt.date(2101, 1, 1)
        assert (await put_in_force(api, "web-2021", day)).status_code == 201
        assert (await put_in_force(api, "web-2021", day)).status_code == 409

    async def test_happy_of_one_day_the_last_counts(self, api: httpx.AsyncClient) -> None:
        day, number = dt.date(2102, 1, 1), await published(api, made())
        for one in (number, "web-2021"):
            assert (await put_in_force(api, one, day)).status_code == 201
        found = [(one["ruleset"], one["replaced"]) for one in await self.listed(api) if one["from"] == day.isoformat()]
        assert found == [("web-2021", False), (number, True)]
        assert [one["ruleset"] for one in await self.listed(api) if one["now"]] == ["web-2021"]

    async def test_happy_pages(self, api: httpx.AsyncClient) -> None:
        whole, cursor, found = await self.listed(api), None, []
        while True:
            params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await api.get("/rulesets/in-force", params=params, headers=caller("reader"))).json()
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert found == whole

    @pytest.mark.parametrize(
        ("number", "no_class", "time"),
        [("web-2021", False, False), ("web-2021-intended", True, False), ("kkb-2026", True, True)],
    )
    async def test_happy_whatever_its_answers_depend_on(
        self, api: httpx.AsyncClient, number: str, no_class: bool, time: bool
    ) -> None:
        assert (await put_in_force(api, number, dt.date(2106, 1, 1))).status_code == 201
        found = (await api.get(f"/rulesets/{number}", headers=caller("reader"))).json()
        assert (found["may_give_no_class"], found["looks_at_time"]) == (no_class, time)

    async def test_happy_it_begins_on_its_day(self, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
        async def on(today: dt.date) -> str:
            with monkeypatch.context() as then:
                then.setattr(clock, "today", lambda: today)
                async with app_of(api).state.database.transaction() as session:
                    return (await in_force(session)).ruleset.id

        number, day = await published(api, made()), dt.date(2103, 5, 1)
        assert (await put_in_force(api, number, day)).status_code == 201
        assert await on(day - dt.timedelta(days=1)) == "web-2021"
        assert await on(day) == await on(day + dt.timedelta(days=30)) == number
        assert (await put_in_force(api, "web-2021", day)).status_code == 201
        assert await on(day) == "web-2021"

    async def test_retired_at_the_same_moment_only_one_of_both_succeeds(self, api: httpx.AsyncClient) -> None:
        number, day = await published(api, made()), dt.date(2105, 1, 1)
        put, retired = await asyncio.gather(
            put_in_force(api, number, day), api.post(f"/rulesets/{number}/retirement", headers=caller(*ASSESSOR))
        )
        assert sorted([put.status_code, retired.status_code]) in ([200, 409], [201, 409])

    async def test_replay(self, api: httpx.AsyncClient) -> None:
        key = {"Idempotency-Key": "in-force-only-once"}
        answers = [await put_in_force(api, "web-2021", dt.date(2104, 1, 1), **key) for _ in range(2)]
        assert [one.status_code for one in answers] == [201, 201]
        assert answers[1].headers["Idempotency-Replayed"] == "true"


async def classified(api: httpx.AsyncClient, code: str) -> list[tuple[str | None, str, str]]:
    """Previous class, class and ruleset of what was told of a village's class, oldest first."""
    query = sa.text("SELECT convert_from(body, 'UTF8') FROM outbox WHERE region_code = :code ORDER BY id")
    async with app_of(api).state.database.transaction() as session:
        bodies = list((await session.execute(query, {"code": code})).scalars())
    told = [orjson.loads(body)["data"] for body in bodies]
    return [(one["previous_class"], one["village_class"], one["ruleset"]) for one in told]


class TestAssessmentsFollow:
    async def test_with_two_processes(
        self, servers: ThrowawayServers, public_key_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # the workers of both would do it, too, and at a moment of their own
        monkeypatch.setattr("services.scoring.assessments.actions._LOOK_AGAIN_SECONDS", 3600.0)
        address = servers.fresh_database("scoring")
        async with (
            running(SCORING, address, servers.nats_url, public_key_file) as one,
            running(SCORING, address, servers.nats_url, public_key_file) as other,
        ):
            border, _ = await known_village(one, TWO_FUNDS)
            steady, _ = await known_village(other)
            before = {code: await classified(one, code) for code in (border, steady)}
            assert {told[-1][1] for told in before.values()} == {"berkelanjutan"}
            number = await published(one, stricter())
            databases = [app_of(api).state.database for api in (one, other)]
            assert await count_outdated(databases[0]) == 0
            assert (await put_in_force(one, number, clock.today())).status_code == 201
            assert await count_outdated(databases[1]) == 2
            assert REGISTRY.get_sample_value("kkb_assessments_outdated") == 2
            detail = (await one.get(f"/assessments/{border}", headers=caller("reader"))).json()
            assert (detail["ruleset"]["id"], detail["class"]) == ("web-2021", "berkelanjutan")
            assert sum(await asyncio.gather(*(bring_up_to_date(database) for database in databases))) == 2
            assert sum(await asyncio.gather(*(bring_up_to_date(database) for database in databases))) == 0
            assert await count_outdated(databases[0]) == 0
            news = ("berkelanjutan", "mandiri", number), ("berkelanjutan", "berkelanjutan", number)
            assert await classified(one, border) == [*before[border], news[0]]
            assert await classified(one, steady) == [*before[steady], news[1]]
            # what comes next is assessed under the new one at once, wherever it arrives
            for api in (one, other):
                code, _ = await known_village(api, TWO_FUNDS)
                assert (await classified(api, code))[-1][1:] == ("mandiri", number)
                detail = (await other.get(f"/assessments/{code}", headers=caller("reader"))).json()
                assert (detail["ruleset"]["id"], detail["class"]) == (number, "mandiri")
            counts = (await other.get("/class-counts", headers=caller("reader"))).json()
            assert counts["ruleset"] == number


class TestShippedRulesets:
    async def load(self, address: str) -> None:
        engine = create_async_engine(address)
        try:
            async with engine.begin() as connection:
                await reference.load(connection)
        finally:
            await engine.dispose()

    async def state(self, address: str) -> list[Any]:
        engine = create_async_engine(address)
        try:
            async with engine.begin() as connection:
                rows = await connection.execute(sa.text("SELECT id, digest, published_at FROM rulesets ORDER BY id"))
                entries = await connection.execute(sa.text("SELECT * FROM rulesets_in_force ORDER BY id"))
                return [*rows.all(), *entries.all()]
        finally:
            await engine.dispose()

    async def test_stored_once_also_side_by_side(self, servers: ThrowawayServers) -> None:
        address = servers.fresh_database("scoring")
        before = await self.state(address)
        assert len(before) == len(shipped_rulesets()) + 1
        await asyncio.gather(self.load(address), self.load(address))
        assert await self.state(address) == before

    async def test_another_document_under_an_id_that_was_published_stops_it(
        self, servers: ThrowawayServers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        address = servers.fresh_database("scoring")
        document = copy.deepcopy(shipped_rulesets()["web-2021"].ruleset.as_json())
        document["version"] = 2
        changed = {"web-2021": Engine(Ruleset.parse(orjson.dumps(document)))}
        monkeypatch.setattr(reference, "shipped_rulesets", lambda: changed)
        with pytest.raises(reference.ShippedRulesetChanged, match=r"ruleset web-2021: .* needs an id of its own"):
            await self.load(address)

    async def test_a_draft_under_an_id_that_is_shipped_stops_it(self, servers: ThrowawayServers) -> None:
        address = servers.fresh_database("scoring")
        engine = create_async_engine(address)
        try:
            async with engine.begin() as connection:
                change = (
                    "UPDATE rulesets SET status = 'draft', document = jsonb_set(document, '{status}', '\"draft\"'), "
                    "digest = NULL, boundary_cases = NULL, published_at = NULL, published_by = NULL WHERE id = 'kkb-2026'"
                )
                await connection.execute(sa.text(change))
        finally:
            await engine.dispose()
        with pytest.raises(reference.ShippedRulesetChanged, match="holds a draft under this id"):
            await self.load(address)

    def test_a_rebuild_and_checksums_leave_them_alone(self) -> None:
        ours = {"rulesets", "rulesets_in_force"}
        assert SCORING.projection is not None
        assert not ours & {one.table.name for one in SCORING.projection.tables}
        assert not ours & {thing.kind for thing in SCORING.checksums}
