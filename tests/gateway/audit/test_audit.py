"""The audit trail over the API: what it holds, who sees it, and that nobody can change it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from contracts.audit_chain import Break, Fault, Head, Walk
from gateway.audit import checking, metrics, store, writing
from gateway.audit.rules import AuditKind, Entry
from gateway.audit.writing import ABANDONED_SECONDS, Writer
from kit import clock
from kit.ids import uuid7
from tests.conftest import eventually
from tests.gateway.conftest import Running, StartGateway

DRAFT = {"name": "Uji audit", "owner": "Dinas Uji", "roles": ["reader"], "region": "33.26", "expires_at": None}


@pytest.fixture(scope="module")
async def audited(start_gateway: StartGateway) -> Running:
    """A gateway with a trail of its own."""
    return await start_gateway()


async def entries(running: Running, **filters: Any) -> list[dict[str, Any]]:
    answer = await running.client.get("/audit", params=filters, headers=running.with_key())
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def told(running: Running, count: int = 1, **filters: Any) -> list[dict[str, Any]]:
    """Entries, once there are so many."""

    async def enough() -> list[dict[str, Any]]:
        found = await entries(running, **filters)
        return found if len(found) >= count else []

    found: list[dict[str, Any]] = await eventually(enough)
    return found


async def sql(running: Running) -> asyncpg.Connection:
    url = running.gateway.own.state.audit_database.engine.url
    return await asyncpg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))


class TestListAuditEntries:
    async def test_a_stranger_is_not_told(self, audited: Running) -> None:
        assert (await audited.client.get("/audit")).status_code == 401

    async def test_who_is_no_administrator_is_not_told(self, audited: Running) -> None:
        key = (await audited.issue("officer", "operator"))["key"]
        for path in ("/audit", "/audit/head", "/audit/export"):
            assert (await audited.client.get(path, headers=audited.with_key(key))).status_code == 403

    async def test_an_administrator_sees_what_his_region_did(self, audited: Running) -> None:
        own = await audited.issue("administrator", region="33.26")
        other = await audited.issue("administrator", region="32.04")
        for one in (own, other):
            draft = {**DRAFT, "region": f"{one['region']}.01"}
            answer = await audited.client.post("/keys", json=draft, headers=audited.with_key(one["key"]))
            assert answer.status_code == 201
        await told(audited, caller=other["id"])
        await told(audited, caller=own["id"])
        answer = await audited.client.get("/audit", headers=audited.with_key(own["key"]))
        seen = {item["caller"] for item in answer.json()["items"]}
        assert own["id"] in seen
        assert other["id"] not in seen
        about = {(item["caller_region"], item["region"]) for item in answer.json()["items"]}
        assert (None, "33.26") in about, "who is of no region gave his region a key"
        assert all("33.26" in (by, (at or "")[:5]) for by, at in about)

    @pytest.mark.parametrize(
        "query", ["kind=all", "since=yesterday", "since=2026-01-01T00:00:00", "status=9", "who=me"]
    )
    async def test_invalid(self, audited: Running, query: str) -> None:
        answer = await audited.client.get(f"/audit?{query}", headers=audited.with_key())
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"query:{query.partition('=')[0]}"

    async def test_a_cursor_of_another_list(self, audited: Running) -> None:
        answer = await audited.client.get("/audit?cursor=WyJhIl0", headers=audited.with_key())
        assert answer.status_code == 422

    async def test_a_change_is_told_with_all_that_matters(self, audited: Running) -> None:
        headers = {**audited.with_key(), "X-Request-Id": "audit-change-1"}
        before = clock.now().isoformat()
        answer = await audited.client.post("/keys?", json=DRAFT, headers=headers)
        assert answer.status_code == 201
        (entry,) = await told(audited, request_id="audit-change-1")
        me = (await audited.client.get("/me", headers=audited.with_key())).json()
        same = {name: entry[name] for name in ("kind", "count", "method", "operation", "resource", "status", "note")}
        assert same == {
            "kind": "change",
            "count": 1,
            "method": "POST",
            "operation": "issue_key",
            "resource": "/api/v1/keys",
            "status": 201,
            "note": None,
        }
        assert (entry["caller"], entry["caller_name"], entry["caller_region"]) == (me["id"], me["name"], None)
        assert (entry["credential"], entry["address"]) == ("key", "127.0.0.1")
        assert before < entry["at"].replace("Z", "+00:00") < clock.now().isoformat()
        assert "Uji audit" not in json.dumps(entry)

    async def test_a_refused_change_is_told_with_its_status(self, audited: Running) -> None:
        headers = {**audited.with_key(), "X-Request-Id": "audit-invalid-1"}
        assert (await audited.client.post("/keys", json={}, headers=headers)).status_code == 422
        (entry,) = await told(audited, request_id="audit-invalid-1")
        assert (entry["kind"], entry["status"]) == ("change", 422)

    async def test_readings_of_keys_are_told_and_others_are_not(self, audited: Running) -> None:
        for path in ("/me", "/keys?status=revoked"):
            request_id = f"audit-read-{path[1:3]}"
            await audited.client.get(path, headers={**audited.with_key(), "X-Request-Id": request_id})
        (entry,) = await told(audited, request_id="audit-read-ke")
        assert (entry["kind"], entry["resource"], entry["status"]) == ("read", "/api/v1/keys", 200)
        assert await entries(audited, request_id="audit-read-me") == []

    async def test_filters_and_pages(self, audited: Running) -> None:
        issued = await audited.issue("reader")
        await audited.client.delete(f"/keys/{issued['id']}", headers=audited.with_key())
        path = f"/api/v1/keys/{issued['id']}"
        (entry,) = await told(audited, resource=path)
        assert entry["operation"] == "revoke_key"
        assert await entries(audited, resource=path, status=404) == []
        assert await entries(audited, resource=path, until=entry["at"]) == []
        assert await entries(audited, resource=path, since=entry["at"], kind="change", operation="revoke_key") == [
            entry
        ]
        first = await audited.client.get("/audit?limit=1", headers=audited.with_key())
        cursor = first.json()["next_cursor"]
        second = await audited.client.get(f"/audit?limit=1&cursor={cursor}", headers=audited.with_key())
        assert second.json()["items"][0]["number"] == first.json()["items"][0]["number"] - 1

    async def test_who_may_not_is_told_with_his_region(self, audited: Running) -> None:
        key = (await audited.issue("reader", region="33.26"))["key"]
        answer = await audited.client.get("/keys?limit=1", headers=audited.with_key(key))
        assert answer.status_code == 403
        (entry,) = await told(audited, kind="refusal", operation="list_keys", status=403)
        assert entry["caller_region"] == "33.26"


class TestRefusals:
    async def test_a_flood_is_a_few_entries(self, start_gateway: StartGateway) -> None:
        flooded = await start_gateway()
        recorder = flooded.gateway.own.state.recorder
        for _ in range(40):
            assert (await flooded.client.get("/keys", headers=flooded.with_key("kkb_no"))).status_code == 401
        for group in recorder._refusals.all():
            recorder._writer.add(group.entry(uuid7()))
        found = await told(flooded, 2, kind="refusal")
        assert sum(entry["count"] for entry in found) == 40
        assert len(found) <= 4, "two a minute, and the flood may lie on the edge of one"
        assert {(entry["operation"], entry["status"], entry["caller"]) for entry in found} == {("list_keys", 401, None)}
        assert {entry["address"] for entry in found} == {"127.0.0.1"}


class TestExport:
    async def test_a_region_is_not_the_whole(self, audited: Running) -> None:
        key = (await audited.issue("administrator", region="33.26"))["key"]
        answer = await audited.client.get("/audit/export", headers=audited.with_key(key))
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("region-forbidden")

    async def test_lines_form_a_chain_that_ends_in_the_head(self, audited: Running) -> None:
        await audited.issue("reader")
        await told(audited, operation="issue_key")
        head = (await audited.client.get("/audit/head", headers=audited.with_key())).json()
        lines, after = [], 0
        while len(lines) < head["number"]:
            answer = await audited.client.get(f"/audit/export?after={after}&limit=7", headers=audited.with_key())
            assert answer.headers["content-type"].startswith("application/jsonl")
            page = [json.loads(line) for line in answer.text.splitlines()]
            assert 0 < len(page) <= 7
            lines, after = [*lines, *page], page[-1]["number"]
        lines = lines[: head["number"]]
        walk = Walk()
        assert [one for line in lines for one in walk.step(line)] == []
        assert walk.at == Head(head["number"], head["digest"])
        beyond = await audited.client.get("/audit/export?after=1000000", headers=audited.with_key())
        assert beyond.text == ""


class TestAppendOnly:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_entries SET status = 200",
            "DELETE FROM audit_entries WHERE number = 1",
            "TRUNCATE audit_entries",
            "DELETE FROM audit_head",
            "TRUNCATE audit_head",
        ],
    )
    async def test_the_database_refuses(self, audited: Running, statement: str) -> None:
        await told(audited)
        connection = await sql(audited)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
            await connection.execute("GRANT ALL ON audit_entries, audit_head TO CURRENT_USER")
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
                await connection.execute(statement)
        finally:
            await connection.close()

    async def test_what_is_changed_all_the_same_is_found(self, start_gateway: StartGateway) -> None:
        forged = await start_gateway()
        for _ in range(3):
            await forged.issue("reader")
        await told(forged, 3, operation="issue_key")
        database = forged.gateway.own.state.audit_database
        assert await checking.check(database) == []
        assert metrics.CHAIN_INTACT._value.get() == 1
        connection = await sql(forged)
        await connection.execute("GRANT ALL ON audit_entries TO CURRENT_USER")
        await connection.execute("ALTER TABLE audit_entries DISABLE TRIGGER refuse_changes")
        await connection.execute("UPDATE audit_entries SET caller_name = 'Orang lain' WHERE number = 2")
        await connection.close()
        assert await checking.check(database) == [Break(Fault.CHANGED, 2, 2)]
        assert metrics.CHAIN_INTACT._value.get() == 0


def change(**fields: Any) -> Entry:
    return Entry(
        **{"id": uuid7(), "kind": AuditKind.CHANGE, "at": clock.now(), "method": "POST", "status": 201, **fields}
    )


class TestWriting:
    """The writer alone, on the database of a gateway."""

    async def test_several_processes_write_one_chain(self, start_gateway: StartGateway) -> None:
        one = await start_gateway()
        other = await start_gateway(database_url=str(one.gateway.own.state.settings.database_url), ready=False)
        for writer in (one.gateway.own.state.audit_writer, other.gateway.own.state.audit_writer) * 50:
            writer.add(change(note="side by side"))
            await asyncio.sleep(0.002)
        database = one.gateway.own.state.audit_database

        async def all_there() -> bool:
            async with database.transaction() as session:
                return (await store.head(session)).number >= 100

        await eventually(all_there)
        assert await checking.check(database) == []

    async def test_written_twice_is_there_once(self, audited: Running) -> None:
        database, entry = audited.gateway.own.state.audit_database, change(request_id="audit-twice-1")
        for expected in (1, 0):
            async with database.transaction() as session:
                assert await store.append(session, [entry]) == expected
        assert len(await entries(audited, request_id="audit-twice-1")) == 1

    async def test_killed_before_the_result_was_known(self, audited: Running) -> None:
        """The process died with the request in hand: what stays is the beginning, and another process records it."""
        state = audited.gateway.own.state
        entry = change(request_id="audit-killed-1", status=None)
        await state.audit_writer.begin(entry)
        survivor = Writer(state.audit_database, -ABANDONED_SECONDS + 3600)
        await survivor.sweep()
        assert await entries(audited, request_id="audit-killed-1") == [], "it may still be at it"
        survivor = Writer(state.audit_database, -ABANDONED_SECONDS)
        await survivor.sweep()
        (found,) = await entries(audited, request_id="audit-killed-1")
        assert (found["kind"], found["status"]) == ("change", None)
        state.audit_writer.add(change(id=entry.id, request_id="audit-killed-1", status=201))
        late, first = await told(audited, 2, request_id="audit-killed-1")
        assert first == found
        assert (late["status"], late["note"]) == (201, f"result of {found['number']}, told late")

    async def test_what_does_not_fit_in_memory_is_told_as_a_gap(
        self, audited: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writing, "MOST_WAITING", 600)
        database = audited.gateway.own.state.audit_database
        writer = Writer(database, 300)
        for number in range(603):
            writer.add(change(kind=AuditKind.READ, request_id=f"audit-gap-{number}"))
        lost = metrics.LOST.labels("read")._value.get()
        assert lost >= 3
        job = asyncio.create_task(writer.run_writing())
        gap = (await told(audited, kind="gap"))[0]
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        assert (gap["count"], gap["note"]) == (3, "lost: read: 3")
        assert await entries(audited, request_id="audit-gap-600") == []


class TestDatabaseAway:
    async def test_changes_are_refused_before_they_are_carried_out_and_reads_go_on(
        self, start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        running = await start_gateway()
        assert (await running.client.get("/me", headers=running.with_key())).status_code == 200
        state = running.gateway.own.state

        async def away(*_: Any) -> None:
            raise ConnectionRefusedError

        with monkeypatch.context() as patch:
            patch.setattr(store, "begin", away)
            patch.setattr(store, "append", away)
            headers = {**running.with_key(), "X-Request-Id": "audit-away-1"}
            answer = await running.client.post("/keys", json=DRAFT, headers=headers)
            assert answer.status_code == 503
            assert "nothing was carried out" in answer.json()["detail"]
            assert answer.headers["retry-after"]
            assert (await running.client.get("/me", headers=running.with_key())).status_code == 200
        keys = (await running.client.get("/keys", headers=running.with_key())).json()["items"]
        assert [key["name"] for key in keys] == ["Administrator"]
        (entry,) = await told(running, request_id="audit-away-1")
        assert (entry["kind"], entry["status"]) == ("change", 503)
        assert not state.audit_writer._beginning
