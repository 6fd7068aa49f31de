"""A projection is lost, damaged or doubted, and comes back out of events while its service goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from nats.js import JetStreamContext

from kit.ids import uuid7
from tests.callers import STRANGER, caller
from tests.faults.facts import ask_jetstream, until, wait_until_settled
from tests.faults.platform import Platform, ServiceName, platform
from tests.system.told import Told

PROJECTIONS: tuple[ServiceName, ...] = ("scoring", "interventions")
TABLES: dict[ServiceName, tuple[str, ...]] = {
    "scoring": ("assessments", "interventions", "reported_facts", "villages"),
    "interventions": ("villages",),
}
EMPTY: dict[ServiceName, str] = {
    "scoring": "DELETE FROM assessments; DELETE FROM interventions; DELETE FROM reported_facts; DELETE FROM villages",
    "interventions": "SET session_replication_role = replica; DELETE FROM villages",
}
OWNERS: dict[ServiceName, tuple[ServiceName, ...]] = {
    "scoring": ("registry", "interventions"),
    "interventions": ("registry",),
}
SOURCES = ("events", "services", "waiting")
REASON = "proyeksi diragukan"
OF_EVENTS = {"source": "events", "reason": REASON}
REF = ("service", "region", "feed_id", "events", "first_position", "last_position", "started_at")
NOTHING = {"added": 0, "changed": 0, "removed": 0, "kept": 0, "kept_ids": []}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with platform(tmp_path_factory.mktemp("rebuild")) as running:
        told = Told(running)
        told.much(7)
        # the version of a village that its owner tells again is that of today; let everybody know it
        re_emitted(told, "registry")
        re_emitted(told, "interventions")
        wait_until_settled(running)
        yield told


def re_emitted(told: Told, owner: ServiceName) -> dict[str, Any]:
    """A re-emission that is done, as a rebuild takes it."""
    done = told.ended(owner, told.job(owner, "re-emissions", {"reason": REASON}))
    return {name: done[name] for name in REF}


def request(told: Told, service: ServiceName, source: str, **more: Any) -> dict[str, Any]:
    body = {"source": source, "reason": REASON, **more}
    if source == "services":
        body["re_emissions"] = [re_emitted(told, owner) for owner in OWNERS[service]]
    return body


def rebuilt(told: Told, service: ServiceName, source: str = "events", **more: Any) -> dict[str, Any]:
    """A rebuild that is done; from `waiting`, it is asked for before the services tell again."""
    if source == "waiting":
        path = told.job(service, "rebuilds", {"source": "services", "reason": REASON, **more})
        give(told, service, path)
    else:
        path = told.job(service, "rebuilds", request(told, service, source, **more))
    done = told.ended(service, path, 120)
    assert done["state"] == "done", done
    assert done["failure"] is None
    return done


def give(told: Told, service: ServiceName, path: str) -> None:
    """Let the services tell again, and a waiting rebuild know."""
    body = {"re_emissions": [re_emitted(told, owner) for owner in OWNERS[service]]}
    answer = httpx.put(f"{told.url(service)}{path}/re-emissions", json=body, headers=caller("operator"), timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "queued"


def state(told: Told, service: ServiceName) -> dict[str, Any]:
    """All that the service holds, byte for byte, and how much it has told of it."""
    tables = {table: told.rows(service, table) for table in (*TABLES[service], "dead_letters")}
    told_of = told.platform.sql(service, "SELECT count(*) FROM outbox WHERE entity LIKE 'assessment/%'")
    return {**tables, "told": told_of}


@contextmanager
def reading(told: Told, path: str) -> Iterator[list[int]]:
    """Read something all the time; the answers' statuses."""
    statuses: list[int] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            statuses.append(told.get("scoring", path, "reader").status_code)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        thread.join()


@contextmanager
def holding(platform: Platform, service: ServiceName, statement: str) -> Iterator[Callable[[], None]]:
    """A session that holds what a statement takes, until it is let go."""
    loop = asyncio.new_event_loop()
    url = platform.database_url(service).replace("+asyncpg", "")
    connection = loop.run_until_complete(asyncpg.connect(url))
    loop.run_until_complete(connection.execute("BEGIN"))
    loop.run_until_complete(connection.execute(statement))

    def let_go() -> None:
        if not connection.is_closed():
            loop.run_until_complete(connection.close())

    try:
        yield let_go
    finally:
        let_go()
        loop.close()


@pytest.mark.parametrize("service", PROJECTIONS)
class TestStart:
    def test_stranger(self, told: Told, service: Any) -> None:
        answer = httpx.post(f"{told.url(service)}/rebuilds/{service}", json=OF_EVENTS, headers=STRANGER)
        assert answer.status_code == 401

    def test_without_the_scope(self, told: Told, service: Any) -> None:
        assert told.post(service, f"/rebuilds/{service}", OF_EVENTS, "officer").status_code == 403

    def test_wrong_region(self, told: Told, service: Any) -> None:
        answer = told.post(service, f"/rebuilds/{service}", OF_EVENTS, region="33")
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("region-forbidden")

    def test_invalid(self, told: Told, service: Any) -> None:
        whole = {
            "service": "registry",
            "region": None,
            "feed_id": str(uuid7()),
            "events": 1,
            "first_position": 1,
            "last_position": 1,
            "started_at": "2026-01-01T00:00:00Z",
        }
        bodies: list[dict[str, Any]] = [
            {"source": "events"},
            {"reason": REASON},
            {"source": "backup", "reason": REASON},
            {"source": "services", "reason": REASON, "re_emissions": []},
            {"source": "services", "reason": REASON, "re_emissions": [whole | {"service": "scoring"}]},
            {"source": "services", "reason": REASON, "re_emissions": [whole, whole]},
            {"source": "services", "reason": REASON, "re_emissions": [whole | {"region": "33"}]},
            {"source": "services", "reason": REASON, "re_emissions": [whole | {"events": 0}]},
            {"source": "services", "reason": REASON, "re_emissions": [whole | {"first_position": 2}]},
            {"source": "services", "reason": REASON, "re_emissions": [whole | {"started_at": "2026-01-01T00:00:00"}]},
            {"source": "events", "reason": REASON, "re_emissions": []},
            {"source": "events", "reason": REASON, "dry_run": "yes"},
            {"source": "events", "reason": REASON, "fast": True},
        ]
        for body in bodies:
            answer = told.post(service, f"/rebuilds/{service}", body)
            assert answer.status_code == 422, body
            assert answer.json()["errors"], body

    def test_conflict_while_one_is_under_way(self, told: Told, service: Any) -> None:
        with holding(told.platform, service, "SELECT pg_advisory_xact_lock_shared(x'6B6B7072'::int)"):
            path = told.job(service, "rebuilds", OF_EVENTS)
            answer = told.post(service, f"/rebuilds/{service}", OF_EVENTS)
            assert answer.status_code == 409
            assert answer.json()["existing_id"] == path.rpartition("/")[2]
        assert told.ended(service, path)["state"] == "done"
        assert told.post(service, f"/rebuilds/{service}", {**OF_EVENTS, "dry_run": True}).status_code == 202
        until(lambda: not told.platform.sql(service, "SELECT 1 FROM rebuilds WHERE finished_at IS NULL"))

    def test_replay(self, told: Told, service: Any) -> None:
        key = uuid7().hex
        body = {**OF_EVENTS, "dry_run": True}
        first = told.post(service, f"/rebuilds/{service}", body, **{"Idempotency-Key": key})
        again = told.post(service, f"/rebuilds/{service}", body, **{"Idempotency-Key": key})
        assert first.status_code == again.status_code == 202
        assert first.json() == again.json()
        assert first.headers["Location"] == f"/api/v1/rebuilds/{service}/{first.json()['id']}"
        told.ended(service, f"/rebuilds/{service}/{first.json()['id']}")


@pytest.mark.parametrize("service", PROJECTIONS)
class TestRead:
    def test_stranger(self, told: Told, service: Any) -> None:
        for path in ("", f"/{uuid7()}"):
            assert httpx.get(f"{told.url(service)}/rebuilds/{service}{path}", headers=STRANGER).status_code == 401

    def test_wrong_region(self, told: Told, service: Any) -> None:
        for path in ("", f"/{uuid7()}"):
            assert told.get(service, f"/rebuilds/{service}{path}", region="33").status_code == 403

    def test_invalid(self, told: Told, service: Any) -> None:
        assert told.get(service, f"/rebuilds/{service}/last").status_code == 422
        assert told.get(service, f"/rebuilds/{service}", state="done").status_code == 422

    def test_unknown(self, told: Told, service: Any) -> None:
        assert told.get(service, f"/rebuilds/{service}/{uuid7()}").status_code == 404

    def test_list_by_pages_newest_first(self, told: Told, service: Any) -> None:
        made = [rebuilt(told, service, dry_run=True)["id"] for _ in range(3)]
        first = told.get(service, f"/rebuilds/{service}", limit=2).json()
        second = told.get(service, f"/rebuilds/{service}", limit=2, cursor=first["next_cursor"]).json()
        assert [job["id"] for job in [*first["items"], *second["items"]]][:3] == made[::-1]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("service", PROJECTIONS)
def test_an_emptied_projection_comes_back_byte_for_byte(told: Told, service: Any, source: str) -> None:
    before = state(told, service)
    number = {table: len(before[table]) for table in TABLES[service]}
    told.platform.sql(service, EMPTY[service])
    done = rebuilt(told, service, source)
    wait_until_settled(told.platform)
    assert state(told, service) == before
    if source != "services":  # else the living consumer may have brought some of it back before
        assert {table: found["added"] for table, found in done["tables"].items()} == {
            table: rows for table, rows in number.items() if table != "assessments"
        }
        if service == "scoring":
            assert done["settled"] == {"checked": len(told.villages), "written": len(told.villages), "announced": 0}
    assert told.platform.sql(service, "SELECT 1 FROM pg_namespace WHERE nspname = 'rebuild'") == []


@pytest.mark.parametrize("source", ["events", "waiting"])
def test_lost_facts_alone_announce_nothing(told: Told, source: str) -> None:
    """The assessments are still there: what the consumers take meanwhile must not be concluded from half of the facts."""
    before = state(told, "scoring")
    told.platform.sql("scoring", "DELETE FROM reported_facts; DELETE FROM interventions")
    done = rebuilt(told, "scoring", source)
    wait_until_settled(told.platform)
    assert state(told, "scoring") == before
    assert done["settled"] == {"checked": len(told.villages), "written": 0, "announced": 0}


@pytest.mark.parametrize("source", ["events", "services"])
def test_damage_is_found_and_put_right_while_reads_go_on(told: Told, source: str) -> None:
    before = state(told, "scoring")
    one, two, three, four = told.villages[:4]
    phantom = uuid7()
    told.platform.sql(
        "scoring",
        f"""
        UPDATE reported_facts SET facts = '{{"pokja": false}}' WHERE village_id = '{one}' AND kind = 'profile';
        DELETE FROM reported_facts WHERE village_id = '{two}' AND kind = 'population';
        UPDATE villages SET version = 999 WHERE id = '{three}';
        UPDATE assessments SET village_class = 'mandiri', version = 77 WHERE village_id = '{three}';
        DELETE FROM assessments WHERE village_id = '{four}';
        DELETE FROM interventions WHERE village_id = '{four}';
        INSERT INTO villages SELECT '{phantom}', '98.01.01.2001', version, status, name, province_name, regency_name,
            district_name, village_name, simulated FROM villages WHERE id = '{one}';
        INSERT INTO reported_facts SELECT '{phantom}', kind, source_system, period, report_id, revision, simulated,
            reported_at, facts FROM reported_facts WHERE village_id = '{one}';
        INSERT INTO assessments SELECT '{phantom}', '98.01.01.2001', active, without_reports, ruleset, ruleset_digest,
            village_class, scores, indexes, answered, asked, simulated, version, assessed_at, distance, newest_periods,
            readiness FROM assessments WHERE village_id = '{one}';
        """,
    )
    damaged = state(told, "scoring")
    body = request(told, "scoring", source)
    wait_until_settled(told.platform)
    only_told = told.ended("scoring", told.job("scoring", "rebuilds", {**body, "dry_run": True}))
    if source == "events":  # re-emitted events alone put some of it right
        assert state(told, "scoring") == damaged
    with reading(told, f"/assessments/{told.villages[5]}") as statuses:
        done = told.ended("scoring", told.job("scoring", "rebuilds", body))
    assert done["tables"] == only_told["tables"]
    assert only_told["settled"] is None
    assert state(told, "scoring") == before
    assert set(statuses) == {200}
    assert len(statuses) > 3
    assert done["tables"]["villages"] == {**NOTHING, "changed": 1, "removed": 1}
    if source == "events":
        assert done["tables"]["reported_facts"] == {**NOTHING, "added": 1, "changed": 1, "removed": 2}
        assert done["tables"]["interventions"] == {**NOTHING, "added": 1}
        assert done["settled"] == {"checked": len(told.villages), "written": 2, "announced": 0}


def test_consumers_pause_until_the_projection_is_right(told: Told) -> None:
    consumer = told.platform.processes["scoring", 0]

    def told_of(number: int) -> bool:
        query = f"SELECT 1 FROM reported_facts WHERE facts ->> 'pus' = '{number}'"
        return bool(told.platform.sql("scoring", query))

    def report(number: int) -> None:
        village = told.villages[6]
        told.report(village, "population-reports", {"pus": number}, period=f"2023-{number - 8_000:02}")

    put_aside = (
        "INSERT INTO dead_letters (consumer, subject, stream_sequence, body, digest, reason, attempts) "
        "VALUES ('scoring-registry', 'kkb.registry.x', 1, '{}', sha256('{}'), 'uji', 1) RETURNING id"
    )
    letter = told.platform.sql("scoring", put_aside)[0][0]
    for number, end in ((8_001, "cancel"), (8_002, "expire"), (8_003, "give")):
        path = told.job("scoring", "rebuilds", {"source": "services", "reason": REASON})
        assert told.get("scoring", path).json()["state"] == "waiting"
        report(number)
        until(lambda: "pauses" in str(consumer.readyz().json()["noted"]), 30, "pauses")
        requeued = told.post("scoring", f"/dead-letters/scoring/{letter}/requeue", None)
        assert (requeued.status_code, "a rebuild is under way" in requeued.text) == (409, True)
        assert not told_of(number)
        assert told.get("scoring", f"/assessments/{told.villages[6]}", "reader").status_code == 200
        if end == "cancel":
            cancelled = told.post("scoring", f"{path}/cancel", None)
            assert (cancelled.status_code, cancelled.json()["failure"]) == (200, "cancelled")
            assert told.post("scoring", f"{path}/cancel", None).status_code == 409
        elif end == "expire":
            told.platform.sql("scoring", "UPDATE rebuilds SET requested_at = requested_at - interval '3 hours'")
            assert told.ended("scoring", path)["failure"] == "never_told"
        else:
            give(told, "scoring", path)
            assert told.ended("scoring", path)["state"] == "done"
        until(lambda n=number: told_of(n), 30, "its effect")
    discarded = told.post("scoring", f"/dead-letters/scoring/{letter}/discard", {"reason": "uji"})
    assert discarded.status_code == 200, discarded.text
    wait_until_settled(told.platform)


def test_a_dry_run_does_not_hold_up_consumers(told: Told) -> None:
    path = told.job("scoring", "rebuilds", {"source": "services", "reason": REASON, "dry_run": True})
    told.report(told.villages[6], "population-reports", {"pus": 7_777}, period="2022-01")
    query = "SELECT 1 FROM reported_facts WHERE facts ->> 'pus' = '7777'"
    until(lambda: told.platform.sql("scoring", query), 30, "its effect")
    assert told.post("scoring", f"{path}/cancel", None).status_code == 200


@pytest.mark.parametrize("service", PROJECTIONS)
class TestReEmissionsOfAWaitingRebuild:
    def test_stranger(self, told: Told, service: Any) -> None:
        url = f"{told.url(service)}/rebuilds/{service}/{uuid7()}"
        assert httpx.put(f"{url}/re-emissions", json={"re_emissions": []}, headers=STRANGER).status_code == 401
        assert httpx.post(f"{url}/cancel", headers=STRANGER).status_code == 401

    def test_wrong_region(self, told: Told, service: Any) -> None:
        url = f"{told.url(service)}/rebuilds/{service}/{uuid7()}"
        headers = caller("operator", region="33")
        assert httpx.put(f"{url}/re-emissions", json={"re_emissions": []}, headers=headers).status_code == 403
        assert httpx.post(f"{url}/cancel", headers=headers).status_code == 403

    def test_unknown(self, told: Told, service: Any) -> None:
        url = f"{told.url(service)}/rebuilds/{service}/{uuid7()}"
        headers = caller("operator")
        assert httpx.put(f"{url}/re-emissions", json={"re_emissions": []}, headers=headers).status_code == 404
        assert httpx.post(f"{url}/cancel", headers=headers).status_code == 404

    def test_invalid_and_conflict(self, told: Told, service: Any) -> None:
        path = told.job(service, "rebuilds", {"source": "services", "reason": REASON})
        url, headers = f"{told.url(service)}{path}", caller("operator")
        for body in ({}, {"re_emissions": []}, {"re_emissions": None}, {"re_emissions": [], "more": 1}):
            assert httpx.put(f"{url}/re-emissions", json=body, headers=headers).status_code == 422, body
        assert httpx.post(f"{url}/cancel", headers=headers).status_code == 200
        assert httpx.put(f"{url}/re-emissions", json={"re_emissions": []}, headers=headers).status_code == 409


def test_a_sound_projection_is_left_alone(told: Told) -> None:
    re_emitted(told, "registry")  # what was reported since then has made versions grow
    wait_until_settled(told.platform)
    for service in PROJECTIONS:
        before = state(told, service)
        marks = {table: told.platform.sql(service, f"SELECT ctid, xmin FROM {table}") for table in TABLES[service]}
        for source in ("events", "services"):
            done = rebuilt(told, service, source)
            assert set(map(str, done["tables"].values())) == {str(NOTHING)}
        wait_until_settled(told.platform)
        assert state(told, service) == before
        if service == "scoring":  # not a single row was written again
            for table in ("assessments", "reported_facts"):
                assert told.platform.sql(service, f"SELECT ctid, xmin FROM {table}") == marks[table]


def test_what_is_told_meanwhile_is_there_at_the_end(told: Told) -> None:
    stop = threading.Event()
    written: list[str] = []

    def write() -> None:
        while not stop.is_set():
            village = told.village()
            told.report(village, "profiles", {"pokja": True, "pokja_members": len(written)})
            told.report(told.villages[0], "population-reports", {"pus": len(written)}, period="2024-05", **_any(told))
            written.append(village)

    told.report(told.villages[0], "population-reports", {"pus": 1_000_000}, period="2024-05")
    wait_until_settled(told.platform)
    told.platform.sql("scoring", EMPTY["scoring"])
    thread = threading.Thread(target=write)
    thread.start()
    try:
        done = rebuilt(told, "scoring")
        until(lambda: len(written) > 3)
    finally:
        stop.set()
        thread.join()
    wait_until_settled(told.platform)
    assert done["tables"]["villages"]["added"] > 0
    of_reports = "SELECT village_id, kind, period, source_system, revision, facts ->> 'pus' FROM {} ORDER BY 1, 2, 3, 4"
    current = "(SELECT * FROM reports WHERE superseded_at IS NULL) r"
    assert told.platform.sql("scoring", of_reports.format("reported_facts")) == told.platform.sql(
        "registry", of_reports.format(current)
    )
    assert set(map(str, rebuilt(told, "scoring", dry_run=True)["tables"].values())) == {str(NOTHING)}
    assert told.platform.sql("scoring", "SELECT count(*) FROM assessments") == [[str(len(told.villages))]]


def _any(told: Told) -> dict[str, str]:
    """If-Match for whatever revision there is."""
    query = (
        f"SELECT max(revision) FROM reports WHERE village_id = '{told.villages[0]}' AND period = '2024-05' "
        "AND kind = 'population'"
    )
    return {"If-Match": f'"{told.platform.sql("registry", query)[0][0]}"'}


def test_killed_while_reading_it_begins_again(told: Told) -> None:
    before = state(told, "scoring")
    process = told.platform.processes["scoring", 0]
    told.platform.sql("scoring", EMPTY["scoring"])
    lock = "SELECT pg_advisory_xact_lock_shared(x'6B6B7072'::int)"
    with holding(told.platform, "scoring", lock) as let_go:
        path = told.job("scoring", "rebuilds", OF_EVENTS)
        waits = "SELECT 1 FROM pg_locks WHERE objid = x'6B6B7072'::int AND mode = 'ExclusiveLock' AND NOT granted"
        until(lambda: told.platform.sql("scoring", waits), 30, "reading is done")
        process.kill()
        assert state(told, "scoring")["villages"] == []
        let_go()
        process.start()
        process.wait_ready()
    done = told.ended("scoring", path)
    assert done["state"] == "done"
    wait_until_settled(told.platform)
    assert state(told, "scoring") == before


def test_killed_while_settling_it_goes_on(told: Told) -> None:
    before = state(told, "scoring")
    process = told.platform.processes["scoring", 0]
    told.platform.sql("scoring", "DELETE FROM assessments")
    held = f"SELECT FROM villages WHERE id = '{told.villages[0]}' FOR UPDATE"
    with holding(told.platform, "scoring", held) as let_go:
        path = told.job("scoring", "rebuilds", OF_EVENTS)
        until(lambda: told.get("scoring", path).json()["state"] == "settling", 30, "settling")
        process.kill()
        let_go()
        process.start()
        process.wait_ready()
    assert told.ended("scoring", path)["state"] == "done"
    assert state(told, "scoring") == before


def test_nats_away_in_the_middle_it_begins_again(told: Told) -> None:
    before = state(told, "scoring")
    told.platform.sql("scoring", EMPTY["scoring"])
    lock = "SELECT pg_advisory_xact_lock_shared(x'6B6B7072'::int)"
    with holding(told.platform, "scoring", lock) as let_go:
        path = told.job("scoring", "rebuilds", OF_EVENTS)
        waits = "SELECT 1 FROM pg_locks WHERE objid = x'6B6B7072'::int AND mode = 'ExclusiveLock' AND NOT granted"
        until(lambda: told.platform.sql("scoring", waits), 30, "reading is done")
        told.platform.nats.stop()
        let_go()
        time.sleep(12)  # longer than a run lasts that finds NATS away
        assert told.get("scoring", path).json()["state"] == "reading"
        told.platform.nats.start()
    assert told.ended("scoring", path, 90)["state"] == "done"
    wait_until_settled(told.platform)
    assert state(told, "scoring") == before


def test_given_up_after_it_was_begun_too_often(told: Told) -> None:
    lock = "SELECT pg_advisory_xact_lock_shared(x'6B6B7072'::int)"
    with holding(told.platform, "interventions", lock):
        path = told.job("interventions", "rebuilds", OF_EVENTS)
        told.platform.sql("interventions", "UPDATE rebuilds SET attempts = 5 WHERE finished_at IS NULL")
        process = told.platform.processes["interventions", 0]
        process.kill()
        process.start()
        process.wait_ready()
        failed = told.ended("interventions", path)
    assert (failed["state"], failed["failure"]) == ("failed", "interrupted")
    assert rebuilt(told, "interventions")["state"] == "done"


def test_refused_where_events_are_missing(told: Told) -> None:
    """A stream that lost a message cannot say what was; one that never had a re-emission neither."""

    async def rob(jetstream: JetStreamContext) -> None:
        last = (await jetstream.stream_info("KKB_REGISTRY")).state.last_seq
        await jetstream.delete_msg("KKB_REGISTRY", last - 2)

    wrong = request(told, "interventions", "services")
    wrong["re_emissions"][0]["feed_id"] = str(uuid7())
    wait_until_settled(told.platform)
    before = {service: state(told, service) for service in PROJECTIONS}
    ask_jetstream(told.platform, rob)
    first = told.job("scoring", "rebuilds", OF_EVENTS)
    second = told.job("interventions", "rebuilds", wrong)
    refused = told.ended("scoring", first, 90)
    assert (refused["state"], refused["failure"]) == ("failed", "stream_incomplete")
    assert "KKB_REGISTRY does not hold position" in refused["failure_detail"]
    never_told = told.ended("interventions", second, 90)
    assert (never_told["state"], never_told["failure"]) == ("failed", "re_emission_incomplete")
    assert {service: state(told, service) for service in PROJECTIONS} == before

    registry = told.platform.processes["registry", 0]
    registry.kill()
    registry.start()
    registry.wait_ready()  # its leader reads the stream and publishes again what is lost
    until(lambda: registry.metric("kkb_reconciler_republished_total") == 1, 30, "published again")
    assert rebuilt(told, "scoring")["tables"]["villages"] == NOTHING


def test_a_deleted_stream_never_empties_a_projection(told: Told) -> None:
    before = state(told, "scoring")
    registry = told.platform.processes["registry", 0]
    registry.pause()  # nobody refills it
    try:

        async def delete(jetstream: JetStreamContext) -> None:
            await jetstream.delete_stream("KKB_INTERVENTIONS")
            await jetstream.delete_stream("KKB_REGISTRY")

        ask_jetstream(told.platform, delete)
        told.platform.processes["interventions", 0].kill()
        scoring = told.platform.processes["scoring", 0]
        scoring.kill()
        scoring.start()
        scoring.wait_ready()  # whoever starts makes the streams anew, empty
        path = told.job("scoring", "rebuilds", OF_EVENTS)
        refused = told.ended("scoring", path, 90)
    finally:
        registry.resume()
        told.platform.processes["interventions", 0].start()
        told.platform.processes["interventions", 0].wait_ready()
    assert refused["state"] == "failed"
    assert refused["failure"] in {"stream_incomplete", "stream_changed"}
    wait_until_settled(told.platform)
    assert state(told, "scoring") == before


def test_an_event_nobody_can_read_is_left_out_and_counted(told: Told) -> None:
    feed = told.platform.sql("registry", "SELECT feed_id FROM publication")[0][0]

    async def garble(jetstream: JetStreamContext) -> None:
        headers = {"Kkb-Position": f"{feed}:1"}
        await jetstream.publish("kkb.registry.village-changed.v9.33.26.01.2001", b"{}", headers=headers)

    ask_jetstream(told.platform, garble)
    wait = "SELECT count(*) FROM dead_letters WHERE outcome IS NULL"
    until(lambda: told.platform.sql("scoring", wait) == [["1"]], 30, "put aside")
    done = rebuilt(told, "scoring", dry_run=True)
    assert done["unreadable"] == 1
    assert done["tables"]["villages"] == NOTHING
    assert told.platform.sql("scoring", wait) == [["1"]]


def test_a_village_that_never_was_stays_while_interventions_refer_to_it(told: Told) -> None:
    service: ServiceName = "interventions"
    phantom, free = uuid7(), uuid7()
    for number in (phantom, free):
        told.platform.sql(
            service,
            f"INSERT INTO villages SELECT '{number}', '98.01.01.2001', name, status, province, regency, district, "
            f"village, version FROM villages WHERE id = '{told.villages[0]}'",
        )
    moved = f"(SELECT id FROM interventions WHERE village_id = '{told.villages[0]}' LIMIT 1)"
    told.platform.sql(service, f"UPDATE interventions SET village_id = '{phantom}' WHERE id = {moved}")
    done = rebuilt(told, service)
    assert done["tables"]["villages"] == {**NOTHING, "removed": 1, "kept": 1, "kept_ids": [str(phantom)]}
    assert told.platform.sql(service, f"SELECT count(*) FROM villages WHERE id = '{phantom}'") == [["1"]]
    told.platform.sql(
        service, f"UPDATE interventions SET village_id = '{told.villages[0]}' WHERE village_id = '{phantom}'"
    )
    assert rebuilt(told, service)["tables"]["villages"] == {**NOTHING, "removed": 1}


def test_a_reader_sees_no_state_in_between(told: Told) -> None:
    """Everything is written in one transaction: a village is either gone or has all its facts."""
    village = told.villages[1]
    answered = told.get("scoring", f"/assessments/{village}", "reader").json()["completeness"]["answered"]
    assert answered > 0
    seen: set[int] = set()
    told.platform.sql("scoring", f"DELETE FROM reported_facts WHERE village_id = '{village}'")
    path = told.job("scoring", "rebuilds", OF_EVENTS)
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up and not told.get("scoring", path).json()["finished_at"]:
        body = told.get("scoring", f"/assessments/{village}", "reader").json()
        seen.add(sum(kind["reported"] for kind in body["reports"]))
    assert seen <= {0, 2}
