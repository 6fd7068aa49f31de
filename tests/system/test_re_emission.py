"""Owners tell their present state again: the same versions in new events, which change nothing where all is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from kit.ids import uuid7
from tests.callers import STRANGER, caller
from tests.faults.facts import until, wait_until_settled
from tests.faults.platform import platform
from tests.system.told import Told

OWNERS = ("registry", "interventions")
REASON = {"reason": "proyeksi dikosongkan"}
_STATES = """
SELECT entity, (convert_from(body, 'UTF8')::jsonb -> 'data') - 'village' AS data, position, event_id,
       convert_from(body, 'UTF8')::jsonb ->> 'type' AS type, convert_from(body, 'UTF8')::jsonb ->> 'time' AS time
FROM outbox
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with platform(tmp_path_factory.mktemp("re-emission")) as running:
        told = Told(running)
        told.much()
        yield told


@pytest.mark.parametrize("owner", OWNERS)
class TestStart:
    def test_stranger(self, told: Told, owner: Any) -> None:
        answer = httpx.post(f"{told.url(owner)}/re-emissions/{owner}", json=REASON, headers=STRANGER)
        assert answer.status_code == 401

    def test_without_the_scope(self, told: Told, owner: Any) -> None:
        assert told.post(owner, f"/re-emissions/{owner}", REASON, "officer").status_code == 403

    def test_wrong_region(self, told: Told, owner: Any) -> None:
        body = {**REASON, "region": "11"}
        answer = told.post(owner, f"/re-emissions/{owner}", body, region="33")
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("region-forbidden")

    @pytest.mark.parametrize(
        "body", [{}, {"reason": " "}, {**REASON, "region": "7"}, {**REASON, "everything": True}, {"reason": None}]
    )
    def test_invalid(self, told: Told, owner: Any, body: dict[str, Any]) -> None:
        answer = told.post(owner, f"/re-emissions/{owner}", body)
        assert answer.status_code == 422
        assert answer.json()["errors"]

    def test_the_callers_own_region_where_none_is_named(self, told: Told, owner: Any) -> None:
        answer = told.post(owner, f"/re-emissions/{owner}", REASON, region="31")
        assert answer.status_code == 202
        done = told.ended(owner, f"/re-emissions/{owner}/{answer.json()['id']}")
        assert done["region"] == "31"
        assert (done["state"], done["events"]) == ("done", 0)
        assert (done["first_position"], done["last_position"]) == (None, None)

    def test_replay(self, told: Told, owner: Any) -> None:
        key = uuid7().hex
        answers = [
            told.post(owner, f"/re-emissions/{owner}", {**REASON, "region": "12"}, **{"Idempotency-Key": key})
            for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json() == answers[1].json()
        assert answers[1].headers["Idempotency-Replayed"] == "true"
        assert answers[0].headers["Location"] == f"/api/v1/re-emissions/{owner}/{answers[0].json()['id']}"


@pytest.mark.parametrize("owner", OWNERS)
class TestRead:
    def test_stranger(self, told: Told, owner: Any) -> None:
        for path in ("", f"/{uuid7()}"):
            answer = httpx.get(f"{told.url(owner)}/re-emissions/{owner}{path}", headers=STRANGER)
            assert answer.status_code == 401

    def test_wrong_region(self, told: Told, owner: Any) -> None:
        path = told.job(owner, "re-emissions", {**REASON, "region": "13"})
        assert told.get(owner, path, region="14").status_code == 404
        assert told.get(owner, path, region="13.01").status_code == 404
        assert told.get(owner, path, region="13").status_code == 200
        ids = [job["id"] for job in told.get(owner, f"/re-emissions/{owner}", region="14").json()["items"]]
        assert path.rpartition("/")[2] not in ids

    def test_invalid(self, told: Told, owner: Any) -> None:
        assert told.get(owner, f"/re-emissions/{owner}/first").status_code == 422
        assert told.get(owner, f"/re-emissions/{owner}", state="done").status_code == 422
        assert told.get(owner, f"/re-emissions/{owner}", cursor="x").status_code == 422

    def test_unknown(self, told: Told, owner: Any) -> None:
        assert told.get(owner, f"/re-emissions/{owner}/{uuid7()}").status_code == 404

    def test_list_by_pages_newest_first(self, told: Told, owner: Any) -> None:
        made = [told.job(owner, "re-emissions", {**REASON, "region": "15"}).rpartition("/")[2] for _ in range(3)]
        first = told.get(owner, f"/re-emissions/{owner}", limit=2).json()
        second = told.get(owner, f"/re-emissions/{owner}", limit=2, cursor=first["next_cursor"]).json()
        assert [job["id"] for job in [*first["items"], *second["items"]]][:3] == made[::-1]


@pytest.mark.parametrize("owner", OWNERS)
def test_tells_the_present_state_of_everything_once(told: Told, owner: Any) -> None:
    newest = f"SELECT DISTINCT ON (entity) entity, data, time FROM ({_STATES}) o ORDER BY entity, position DESC"
    before = told.platform.sql(owner, newest)
    done = told.ended(owner, told.job(owner, "re-emissions", REASON))
    assert done["state"] == "done"
    assert done["events"] == len(before)
    within = f"position BETWEEN {done['first_position']} AND {done['last_position']}"
    again = told.platform.sql(owner, f"SELECT entity, data FROM ({_STATES}) o WHERE {within} ORDER BY entity")
    assert again == [row[:2] for row in before]
    assert done["feed_id"] == told.platform.sql(owner, "SELECT feed_id FROM publication")[0][0]
    # reports and interventions keep the time of their change
    times = dict(told.platform.sql(owner, f"SELECT entity, time FROM ({_STATES}) o WHERE {within}"))
    assert all(times[entity] == when for entity, _, when in before if not entity.startswith("village/"))


def test_kinds_of_events_say_what_is(told: Told) -> None:
    done = {owner: told.ended(owner, told.job(owner, "re-emissions", REASON)) for owner in OWNERS}
    query = "SELECT type, count(*) FROM ({}) o WHERE position BETWEEN {} AND {} GROUP BY 1 ORDER BY 1"

    def kinds(owner: Any) -> dict[str, int]:
        job = done[owner]
        found = told.platform.sql(owner, query.format(_STATES, job["first_position"], job["last_position"]))
        return {kind.split(".")[3]: int(number) for kind, number in found}

    number = len(told.villages)
    assert kinds("registry") == {
        "village-changed": number,
        "profile-reported": number,
        "population-reported": number,
    }
    told_states = told.platform.sql(
        "interventions",
        "SELECT CASE WHEN withdrawn_at IS NOT NULL THEN 'withdrawn' WHEN version = 1 THEN 'recorded' "
        "ELSE 'corrected' END, count(*) FROM interventions GROUP BY 1",
    )
    assert kinds("interventions") == {f"intervention-{state}": int(times) for state, times in told_states}


def test_only_of_a_region(told: Told) -> None:
    code = told.platform.sql("registry", f"SELECT region_code FROM villages WHERE id = '{told.villages[0]}'")[0][0]
    done = told.ended("registry", told.job("registry", "re-emissions", {**REASON, "region": code}))
    assert done["events"] == 3
    assert done["region"] == code


def test_changes_nothing_where_all_is_there(told: Told) -> None:
    wait_until_settled(told.platform)
    kept = {
        ("scoring", "assessments"),
        ("scoring", "reported_facts"),
        ("scoring", "interventions"),
        ("scoring", "dead_letters"),
    }
    before = {table: told.rows(*table) for table in kept}
    said = told.platform.sql("scoring", "SELECT count(*) FROM outbox")
    for owner in OWNERS:
        told.ended(owner, told.job(owner, "re-emissions", REASON))
    wait_until_settled(told.platform)
    assert {table: told.rows(*table) for table in kept} == before
    assert told.platform.sql("scoring", "SELECT count(*) FROM outbox") == said


def test_age_at_effect_is_counted_from_the_outbox_not_from_the_old_change(told: Told) -> None:
    consumer = told.platform.processes["scoring", 0]
    told.platform.sql("registry", "UPDATE reports SET reported_at = reported_at - interval '3 days'")
    before = consumer.metric("kkb_event_age_seconds_sum", consumer="scoring-registry")
    told.ended("registry", told.job("registry", "re-emissions", REASON))
    wait_until_settled(told.platform)
    assert consumer.metric("kkb_event_age_seconds_sum", consumer="scoring-registry") - before < 3600


def test_never_comes_after_a_newer_event(told: Told) -> None:
    """While villages change all the time, the newest event of each is that of its newest state."""
    job = told.job("registry", "re-emissions", REASON)
    for round_ in range(3, 8):
        for village in told.villages:
            version = told.platform.sql("registry", f"SELECT version FROM villages WHERE id = '{village}'")[0][0]
            headers = {**caller("officer"), "If-Match": f'"{version}"'}
            url = f"{told.url('registry')}/villages/{village}"
            answer = httpx.patch(url, json={"name": f"Kampung {round_}"}, headers=headers)
            assert answer.status_code == 200, answer.text
        told.job("registry", "re-emissions", REASON)
    told.ended("registry", job)
    wait_until_settled(told.platform)
    until(lambda: not told.platform.sql("registry", "SELECT 1 FROM re_emissions WHERE finished_at IS NULL"))
    query = f"SELECT DISTINCT ON (entity) data ->> 'name' FROM ({_STATES}) o WHERE entity LIKE 'village/%' ORDER BY entity, position DESC"
    assert {row[0] for row in told.platform.sql("registry", query)} == {"Kampung 7"}


def test_a_killed_process_goes_on_where_it_was(told: Told) -> None:
    """Every thing once, however often the process dies between two chunks."""
    process = told.platform.processes["registry", 0]
    told.platform.sql("registry", _MANY)
    wait_until_settled(told.platform)
    number = int(told.platform.sql("registry", "SELECT count(*) FROM villages")[0][0])
    process.arm("after_commit", 2)
    path = told.job("registry", "re-emissions", {**REASON, "region": "73"})
    until(lambda: not process.alive, 30, "killed between chunks")
    process.disarm()
    process.start()
    process.wait_ready()
    done = told.ended("registry", path)
    assert number > 120
    assert (done["state"], done["events"]) == ("done", 120)
    within = f"position BETWEEN {done['first_position']} AND {done['last_position']}"
    times = told.platform.sql("registry", f"SELECT entity, count(*) FROM outbox WHERE {within} GROUP BY 1")
    assert len(times) == 120
    assert {count for _, count in times} == {"1"}


_MANY = """
INSERT INTO villages (id, region_code, name, status, simulated, source_system, version, registered_by, registered_at, changed_at)
SELECT gen_random_uuid(), code, NULL, 'active', true, 'tests', 1, 'tests', now(), now()
FROM regions WHERE level = 'village' AND code LIKE '73.%' ORDER BY code LIMIT 120
"""


def test_given_up_after_several_failures_and_says_why(told: Told) -> None:
    # a stored report that breaks its contract stands for any defect
    broken = f"village_id = '{told.villages[0]}' AND kind = 'profile' AND superseded_at IS NULL"
    change = "UPDATE reports SET facts = jsonb_set(facts, '{pokja_members}', '%s') WHERE " + broken
    told.platform.sql("registry", change % '"many"')
    try:
        path = told.job("registry", "re-emissions", {**REASON, "region": told.region})
        failed = told.ended("registry", path)
        assert failed["state"] == "failed"
        assert failed["failure"] == "a defect of ours: ValidationError"
        assert failed["events"] == 0
    finally:
        told.platform.sql("registry", change % "21")
    after = told.ended("registry", told.job("registry", "re-emissions", {**REASON, "region": told.region}))
    assert after["state"] == "done"
