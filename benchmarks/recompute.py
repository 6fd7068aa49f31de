"""Assessing the whole country anew, end to end, against one plain SQL statement that gives the same twelve scores.

python -m benchmarks.recompute [--villages 84000]

Three runs over the same villages on one PostgreSQL: the first assessment (everything is stored and told), one that finds
everything right, and one in which every tenth village has another class than is stored. The statement reads the same
facts, scores, and tells each village's class; it stores and explains nothing, knows one ruleset and one report of a kind.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import resource
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.evaluation import VILLAGES, village
from deploy.embedded.throwaway import throwaway_servers
from kit import migrations
from kit.access import Caller, Role
from kit.database import Database
from kit.ids import uuid7
from kit.process import COLLECT_AFTER
from services.scoring.assessments.actions import bring_up_to_date
from services.scoring.recomputations import actions, worker
from services.scoring.recomputations.schemas import RecomputationIn

NOW = datetime(2025, 9, 30, tzinfo=UTC)
KINDS = ("profile", "population", "family_planning")
WHOLE_COUNTRY = Caller("benchmark", "benchmark", frozenset({Role.ADMINISTRATOR}), None)

_YES = "coalesce(({0}->>'{1}')::bool, false)::int"


def _count(document: str, group: str, names: str) -> str:
    return " + ".join(_YES.format(f"{document}->'{group}'" if group else document, name) for name in names.split())


def _sum(document: str, names: str) -> str:
    return " + ".join(f"coalesce(({document}->>'{name}')::int, 0)" for name in names.split())


def _share(part: str, whole: str) -> str:
    return f"coalesce(round(({part})::float8 / nullif(({whole})::int, 0) * 100), 0)"


_LONG = _sum("b->'methods'", "iud mow mop implant")
_ALL = _sum("b->'methods'", "iud mow mop implant condom injection pill")
_PARTICIPANTS = " + ".join(
    _share(f"coalesce((b->'poktan_participants'->>'{group}')::int, 0)", f"n->>'{whole}'")
    for group, whole in {
        "bkb": "families_with_under_fives",
        "bkr": "families_with_adolescents",
        "bkl": "families_with_elderly",
        "uppka": "families",
        "pik_r": "adolescents",
    }.items()
)
STATEMENT = f"""
WITH facts AS (
    SELECT v.id, coalesce(p.facts, '{{}}') AS p, coalesce(n.facts, '{{}}') AS n, coalesce(b.facts, '{{}}') AS b,
        n.facts IS NOT NULL AS counted,
        (SELECT count(DISTINCT actor) FROM interventions i, jsonb_array_elements(i.actors) AS actor
            WHERE i.village_id = v.id AND NOT i.withdrawn) AS actors
    FROM villages v
    LEFT JOIN reported_facts p ON p.village_id = v.id AND p.kind = 'profile'
    LEFT JOIN reported_facts n ON n.village_id = v.id AND n.kind = 'population'
    LEFT JOIN reported_facts b ON b.village_id = v.id AND b.kind = 'family_planning'
), numbers AS (
    SELECT id, counted, actors,
        {_YES.format("p", "pokja")} * (1 + (coalesce((p->>'pokja_members')::int, 0) > 0)::int
            + {_YES.format("p", "pokja_trained")}) AS pokja,
        coalesce(jsonb_array_length(p->'funding_sources'), 0) AS funds,
        {_count("p", "poktan", "bkb bkr bkl uppka pik_r")} AS poktan,
        {_count("p", "", "secretariat rumah_dataku")} AS sarana,
        {_count("p", "", "plkb_companion local_regulation")} AS pkb,
        coalesce(jsonb_array_length(p->'data_use'), 0) AS uses,
        {_count("p", "mechanisms", "planning_meeting coordination_meeting outreach monitoring_evaluation reporting")}
            AS mechanisms,
        round(({_PARTICIPANTS}) / 5) AS participation,
        {_share(_ALL, "n->>'pus'")} AS cpr,
        {_share(_LONG, _ALL)} AS mkjp,
        b->'non_users' ?| array['wants_child_later', 'wants_no_more'] OR b ? 'unmet_need' AS knows_unmet,
        {
    _share(
        "coalesce((b->'non_users'->>'wants_child_later')::int + (b->'non_users'->>'wants_no_more')::int, "
        "(b->>'unmet_need')::int, (b->'non_users'->>'wants_child_later')::int, "
        "(b->'non_users'->>'wants_no_more')::int)",
        "n->>'pus'",
    )
} AS unmet
    FROM facts
), scores AS (
    SELECT id,
        ARRAY[pokja + 1, CASE WHEN funds > 4 THEN 4 WHEN funds > 1 THEN 3 ELSE funds + 1 END,
            CASE WHEN poktan > 4 THEN 4 WHEN poktan > 2 THEN 3 WHEN poktan > 0 THEN 2 ELSE 1 END,
            sarana + 1, pkb + 1] AS input,
        ARRAY[CASE WHEN uses > 3 THEN 4 WHEN uses > 1 THEN 3 ELSE uses + 1 END,
            CASE WHEN mechanisms > 4 THEN 4 WHEN mechanisms > 2 THEN 3 WHEN mechanisms > 0 THEN 2 ELSE 1 END,
            CASE WHEN actors > 6 THEN 4 WHEN actors > 3 THEN 3 WHEN actors > 0 THEN 2 ELSE 1 END] AS proses,
        ARRAY[CASE WHEN participation > 30 THEN 4 WHEN participation > 20 THEN 3 WHEN participation > 9 THEN 2 ELSE 1 END,
            CASE WHEN cpr > 50 THEN 4 WHEN cpr > 40 THEN 3 WHEN cpr > 29 THEN 2 ELSE 1 END,
            CASE WHEN NOT counted THEN 1 WHEN mkjp > 24 THEN 4 WHEN mkjp > 22 THEN 3 WHEN mkjp > 19 THEN 2 ELSE 1 END,
            CASE WHEN NOT coalesce(knows_unmet, false) THEN 1 WHEN unmet < 7 THEN 4 WHEN unmet < 10 THEN 3
                WHEN unmet < 13 THEN 2 ELSE 1 END] AS output
    FROM numbers
), indexes AS (
    SELECT id, (SELECT round(avg(s), 2) FROM unnest(input) s) >= 3 AS input,
        (SELECT round(avg(s), 2) FROM unnest(proses) s) >= 3 AS proses,
        (SELECT round(avg(s), 2) FROM unnest(output) s) >= 3 AS output
    FROM scores
)
SELECT id, CASE WHEN input AND proses AND output THEN 'berkelanjutan' WHEN output AND (input OR proses) THEN 'mandiri'
    WHEN input AND proses THEN 'berkembang' ELSE 'dasar' END AS village_class
FROM indexes
"""


def rows(number: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Rows of made-up villages with their table."""
    dice = random.Random(2021)
    for place in range(number):
        key, facts = uuid7(), village(dice)
        code = f"{11 + place // 2500:02}.{1 + place // 250 % 10:02}.{1 + place // 25 % 10:02}.{2001 + place % 25}"
        yield "villages", (key, code, 1, "active", None, "P", "K", "D", "V", False)
        for kind in KINDS:
            told = orjson.dumps(facts[kind]).decode()
            yield "reported_facts", (key, kind, "manual", "2025-09", uuid7(), 1, False, NOW, told)
        for done in facts["interventions"]:
            actors = orjson.dumps(done["actors"]).decode()
            yield "interventions", (uuid7(), key, 1, date(2025, 3, 1), actors, False, False)


async def fill(connection: asyncpg.Connection, number: int) -> None:
    """Give an empty scoring database its villages, as if it had consumed their events."""
    tables: dict[str, list[tuple[Any, ...]]] = {"villages": [], "reported_facts": [], "interventions": []}
    for table, row in rows(number):
        tables[table].append(row)
    columns = {
        "villages": "id region_code version status name province_name regency_name district_name village_name simulated",
        "reported_facts": "village_id kind source_system period report_id revision simulated reported_at facts",
        "interventions": "id village_id version date actors simulated withdrawn",
    }
    for table, found in tables.items():
        await connection.copy_records_to_table(table, records=found, columns=columns[table].split())
    await connection.execute("VACUUM ANALYZE")


async def recompute(database: Database) -> None:
    """One recomputation of the whole country, as the service does it."""
    async with database.transaction() as session:
        await actions.start(session, WHOLE_COUNTRY, RecomputationIn(reason="benchmark"))
    await worker.run_next(database)


async def timed(what: Callable[[], Awaitable[Any]]) -> tuple[float, float, Any]:
    """Seconds, of which this process computed, and the result."""
    began, computed = time.perf_counter(), time.process_time()
    result = await what()
    return time.perf_counter() - began, time.process_time() - computed, result


async def measure(url: str, number: int) -> None:
    """Print the figures."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), command_timeout=600)
    await fill(connection, number)
    engine = create_async_engine(
        url, json_serializer=lambda value: orjson.dumps(value).decode(), json_deserializer=orjson.loads
    )
    database = Database(engine)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = await timed(lambda: bring_up_to_date(database))
    await connection.execute("VACUUM ANALYZE")
    plain = min([await timed(lambda: connection.fetch(STATEMENT)) for _ in range(3)], key=lambda one: one[0])
    stored = dict(await connection.fetch("SELECT village_id, village_class FROM assessments"))
    assert stored == dict(plain[2]), "the statement and the engine differ"
    right = await timed(lambda: recompute(database))
    await connection.execute(
        "UPDATE assessments SET village_class = CASE village_class WHEN 'dasar' THEN 'mandiri' ELSE 'dasar' END "
        "WHERE get_byte(uuid_send(village_id), 15) % 10 = 0"
    )
    tenth = await timed(lambda: recompute(database))
    job = await connection.fetchrow("SELECT written, villages_done FROM recomputations ORDER BY id DESC LIMIT 1")
    print(f"{number:,} villages, {plain[0]:.2f} s by the plain statement, which gives the same classes")
    for what, (seconds, computed, _) in {
        "first assessment, everything stored and told": first,
        "everything right already": right,
        f"{job['written']:,} of {job['villages_done']:,} stored and told anew": tenth,
    }.items():
        print(
            f"  {what}: {seconds:.2f} s ({computed:.2f} s computing), {seconds / plain[0]:.2f} x, {number / seconds:,.0f}/s"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"  peak memory {peak / 1024:.0f} MB, {before / 1024:.0f} MB of it made up the villages before")
    await database.close()
    await connection.close()


def main() -> None:
    """Measure on throw-away servers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--villages", type=int, default=VILLAGES)
    number = parser.parse_args().villages
    gc.set_threshold(COLLECT_AFTER, 10, 10)  # as the service does
    with throwaway_servers() as servers:
        url = servers.empty_database("scoring")
        migrations.upgrade("scoring", url)
        asyncio.run(measure(url, number))


if __name__ == "__main__":
    main()
