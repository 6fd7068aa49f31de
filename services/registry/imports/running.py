"""Running an import: read all its tables, put them together, store village by village, sum up.

The tables are read and resolved as a whole, then stored in chunks of villages. Each chunk is one transaction: reports,
findings, events, row results and the import's position. A run that dies resumes after the last committed chunk and
ends with the same summary. A chunk of a dry run does the same and rolls its effects back, so it tells the truth.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts import FACTS_OF, ReportKind
from kit import clock
from kit.access import Caller
from kit.database import Database
from kit.ids import uuid7
from kit.problems import is_database_away
from services.registry.aliases import store as aliases
from services.registry.aliases.rules import Gazetteer
from services.registry.findings import actions as findings
from services.registry.findings import store as finding_rows
from services.registry.imports import metrics, store
from services.registry.imports.actions import MOST_UNPACKED
from services.registry.imports.reasons import Refusal, RowReason, RowStatus
from services.registry.imports.rules import ANNOUNCEMENT_FINDINGS, announcement_finding
from services.registry.imports.schemas import ImportFormat, ImportState
from services.registry.imports.siga.assembling import (
    Announcement,
    Assembly,
    ReportKey,
    Said,
    assemble,
    facts_with,
    report_keys,
    status_of,
)
from services.registry.imports.siga.kinds import AFTER_2019_YEAR
from services.registry.imports.siga.reading import unpack
from services.registry.imports.siga.rows import ReadTable, Row, read_table, totals
from services.registry.imports.summary import Tally, summarise
from services.registry.imports.tables import Import
from services.registry.reports import store as report_rows
from services.registry.reports.actions import store_reports
from services.registry.reports.drafts import Draft
from services.registry.villages import actions as villages
from services.registry.villages import store as village_rows
from services.registry.villages.schemas import VillageIn
from services.registry.villages.tables import Village

SOURCE: Final = ImportFormat.SIGA.value
MOST_ROWS: Final = 1_000_000
"""Most rows of one import: all are held in memory while they are put together."""
MOST_ATTEMPTS: Final = 5
"""How often a run may die without having stored a chunk before the import is given up."""
CHUNK_ROWS: Final = 2_500
"""Rows of one transaction, about: small enough that requests between two chunks do not wait."""

log = logging.getLogger(__name__)


class Overtaken(Exception):
    """Another worker has moved the import on; this run stops and leaves it to the other."""


class Stopped(Exception):
    """The import cannot go on; the text is a sentence for the officer (Indonesian)."""


@dataclass(slots=True)
class Job:
    """One import being run, with all it needs in memory."""

    number: UUID
    caller: Caller
    dry_run: bool
    tables: list[ReadTable]
    refused: dict[str, Refusal]
    assembly: Assembly
    registered: set[str]
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    said: dict[str, list[tuple[ReportKind, str, Said]]] = field(default_factory=lambda: defaultdict(list))
    announced: dict[str, Announcement] = field(default_factory=dict)

    def chunks(self, after: str | None) -> list[list[str]]:
        """Village codes in order, cut into chunks of about CHUNK_ROWS rows; rows without a village come first as ""."""
        chunks: list[list[str]] = []
        room = 0
        for code in sorted(self.rows):
            if after is not None and code <= after:
                continue
            if room <= 0:
                chunks.append([])
                room = CHUNK_ROWS
            chunks[-1].append(code)
            room -= len(self.rows[code])
        return chunks


async def run(database: Database, number: UUID) -> None:
    """Run a claimed import to its end.

    Raises:
        Overtaken: another worker runs it; it stays in the queue and is looked at again later.
        Exception: the database is away; likewise.
    """
    started = time.perf_counter()
    try:
        row = await _begin(database, number)
        if row is None:
            return
        await _run(database, row)
    except Overtaken:
        raise
    except Stopped as stopped:
        await _fail(database, number, str(stopped))
    except Exception as error:
        if is_database_away(error):
            raise
        _log_defect(number, error)
        await _fail(database, number, f"Impor berhenti karena galat internal ({type(error).__name__}).")
    metrics.IMPORT_SECONDS.observe(time.perf_counter() - started)


def _log_defect(number: UUID, error: BaseException) -> None:
    """Where it went wrong, without the error's text: a database error quotes the rows it was about."""
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("import failed: %s", type(error).__name__, extra={"import": str(number), "error": where})


async def _begin(database: Database, number: UUID) -> Import | None:
    async with database.transaction() as session:
        row = await store.get(session, number, lock=True)
        if row.state not in {ImportState.QUEUED, ImportState.RUNNING}:
            return None
        if row.attempts >= MOST_ATTEMPTS:
            detail = f"Impor berhenti: {row.attempts} kali dijalankan tanpa selesai."
            _end(row, ImportState.FAILED, detail)
            return None
        row.state = ImportState.RUNNING.value
        row.attempts += 1
        row.started_at = row.started_at or clock.now()
    return row


def _end(row: Import, state: ImportState, failure: str | None = None) -> None:
    row.state, row.failure, row.finished_at = state.value, failure, clock.now()
    metrics.IMPORTS.labels(state.value).inc()


async def _fail(database: Database, number: UUID, detail: str) -> None:
    async with database.transaction() as session:
        _end(await store.get(session, number, lock=True), ImportState.FAILED, detail)


async def _run(database: Database, row: Import) -> None:
    job = await _prepare(database, row)
    position = row.position
    async with database.transaction() as session:
        (await store.get(session, row.id, lock=True)).rows_total = len(job.assembly.rows)
    for codes in job.chunks(position):
        await _store_chunk(database, job, codes, position)
        position = codes[-1]
    await _finish(database, job)


async def _prepare(database: Database, row: Import) -> Job:
    """Read, resolve and put together all tables; the heavy parts in a thread, so that requests are answered meanwhile."""
    province = row.region_code.partition(".")[0]
    async with database.transaction() as session:
        uploads = [(table.name, table.content) for table in await store.tables_of(session, row.id, content=True)]
        names = await store.region_names(session, province)
        # a resumed run must read names as its first run did: rows already recorded must not move to another village
        known = await aliases.known(session, row.format, province, row.started_at or clock.now())
        registered, closed = await store.villages_by_status(session, row.region_code)
    latest = clock.today().strftime("%Y-%m")

    def work() -> Job:
        tables, refused = _read_all(uploads, row.year, latest)
        assembly = assemble(tables, Gazetteer.of(names), known, row.region_code, registered, closed)
        caller = Caller(id=row.created_by, name="", roles=frozenset(), region=row.region_code)
        return _sorted_by_village(Job(row.id, caller, row.dry_run, tables, refused, assembly, registered))

    return await asyncio.to_thread(work)


def _read_all(
    uploads: Sequence[tuple[str, bytes | None]], year: int, latest: str
) -> tuple[list[ReadTable], dict[str, Refusal]]:
    tables: list[ReadTable] = []
    refused: dict[str, Refusal] = {}
    rows = 0
    for name, content in uploads:
        plain = unpack(content or b"", MOST_UNPACKED)
        table = plain if isinstance(plain, Refusal) else read_table(name, plain, year, latest)
        if isinstance(table, Refusal):
            refused[name] = table
            continue
        tables.append(table)
        rows += len(table.rows)
        if rows > MOST_ROWS:
            raise Stopped(f"Tabel-tabel ini berisi lebih dari {MOST_ROWS} baris; impor per kabupaten/kota.")
    return tables, refused


def _sorted_by_village(job: Job) -> Job:
    for row in job.assembly.rows:
        job.rows[row.code or ""].append(row)
    for (kind, code, period), said in job.assembly.said.items():
        job.said[code].append((kind, period, said))
    job.announced = {found.code: found for found in job.assembly.announcements}
    return job


async def _store_chunk(database: Database, job: Job, codes: Sequence[str], position: str | None) -> None:
    async with database.transaction() as session:
        current = await store.get(session, job.number, lock=True)
        if current.state != ImportState.RUNNING or current.position != position:
            raise Overtaken
        tally = Tally.of(current.tally)
        if job.dry_run:
            nested = await session.begin_nested()
            outcome = await _store_villages(session, job, codes, tally)
            await nested.rollback()
        else:
            outcome = await _store_villages(session, job, codes, tally)
        await store.add_rows(session, job.number, outcome)
        await store.advance(session, job.number, codes[-1], len(outcome), tally.stored())
    for status, count in Counter(status for _, _, status, *_ in outcome).items():
        metrics.IMPORT_ROWS.labels(status).inc(count)


async def _store_villages(session: AsyncSession, job: Job, codes: Sequence[str], tally: Tally) -> list[tuple[Any, ...]]:
    """Store what the import says about some villages; what became of each of their rows."""
    registered = await _register(session, job, codes, tally)
    concerned = [code for code in codes if code in job.said or code in job.announced]
    active = await village_rows.lock_active(session, concerned)
    await _open_findings(session, job, active, tally)
    changed = await _report(session, job, active, tally)
    outcome = []
    for code in codes:
        for row in job.rows[code]:
            if row.reason is None and code not in active:
                row.refuse(RowReason.KAMPUNG_KB_INACTIVE, "Kampung KB desa/kelurahan ini baru saja dinonaktifkan")
            outcome.append(_result(row, _is_changed(job, row, registered, changed)))
    return outcome


def _is_changed(job: Job, row: Row, registered: set[str], changed: set[ReportKey]) -> bool:
    keys = report_keys(row, job.assembly.months)
    return any(key in changed for key in keys) if keys else row.code in registered


def _result(row: Row, is_changed: bool) -> tuple[Any, ...]:
    status: RowStatus = status_of(row, changed=is_changed)
    reason = None if row.reason is None else row.reason.value
    return (row.table, row.number, status.value, reason, row.detail, row.code, row.period)


async def _register(session: AsyncSession, job: Job, codes: Sequence[str], tally: Tally) -> set[str]:
    """Register the villages that are announced and not there; codes of those registered."""
    wanted = [job.announced[code] for code in codes if code in job.announced and job.announced[code].kampung_kb]
    drafts = [
        VillageIn(
            region_code=found.code,
            launch_year=found.launch.year,
            launched_after_year=AFTER_2019_YEAR if found.launch.after_2019 else None,
            source_system=SOURCE,
        )
        for found in wanted
        if found.code not in job.registered
    ]
    registered = {new.village.region_code for new in await villages.register_missing(session, job.caller, drafts)}
    tally.registered += len(registered)
    tally.already_registered += len(wanted) - len(registered)
    return registered


async def _open_findings(session: AsyncSession, job: Job, active: Mapping[str, Village], tally: Tally) -> None:
    """Findings about announcements: open what does not fit now, close what no longer does."""
    announced = {code: job.announced[code].kampung_kb for code in active if code in job.announced}
    wanted = {code: announcement_finding(count) for code, count in announced.items()}
    ids = [active[code].id for code in announced]
    standing = await store.announcement_findings(session, ids, ANNOUNCEMENT_FINDINGS, SOURCE) if ids else []
    outdated = []
    for finding in standing:
        now_found = wanted[finding.region_code]
        if now_found is None or (now_found.code, now_found.message) != (finding.code, finding.message):
            outdated.append(finding.id)
    await finding_rows.resolve(session, outdated, clock.now())
    found = [(active[code], what) for code, what in wanted.items() if what is not None]
    tally.findings_opened += await findings.open_for_village(session, found, SOURCE)


async def _report(session: AsyncSession, job: Job, active: Mapping[str, Village], tally: Tally) -> set[ReportKey]:
    """Store the reports of locked villages; keys of those that are new or different."""
    said = [(village, *each) for code, village in active.items() for each in job.said.get(code, ())]
    if not said:
        return set()
    earlier = await report_rows.current_by_key(
        session, {(village.id, period, SOURCE) for village, _, period, _ in said}
    )
    drafts = []
    for village, kind, period, answers in said:
        before = earlier.get((village.id, kind, period, SOURCE))
        facts = FACTS_OF[kind].model_validate(facts_with(before.facts if before else None, answers))
        drafts.append(
            Draft(village.id, kind, period, facts, SOURCE, simulated=False, source_reference=f"impor {job.number}")
        )
    stored = await store_reports(session, job.caller, drafts)
    tally.count_reports(stored)
    codes = {village.id: code for code, village in active.items()}
    return {(draft.kind, codes[draft.village_id], draft.period) for draft in stored.changed}


async def _finish(database: Database, job: Job) -> None:
    """Sum up what all chunks did, and remember the aliases that were learned."""
    sums = await asyncio.to_thread(totals, job.tables)
    async with database.transaction() as session:
        row = await store.get(session, job.number, lock=True)
        if row.state != ImportState.RUNNING:
            raise Overtaken
        if row.rows_done != row.rows_total:
            raise Stopped("Impor terputus dan alias wilayah berubah sebelum dilanjutkan; buka impor baru.")
        if not job.dry_run:
            await aliases.remember(session, _alias_rows(job))
        counts = await store.row_counts(session, job.number)
        uploads = await store.tables_of(session, job.number)
        layouts = {table.name: table.layout for table in job.tables}
        summary = summarise(uploads, layouts, job.refused, job.assembly, counts, sums, Tally.of(row.tally))
        row.summary = summary.model_dump(mode="json")
        _end(row, ImportState.DONE)


def _alias_rows(job: Job) -> list[dict[str, Any]]:
    now = clock.now()
    return [
        {
            "id": uuid7(),
            "source_system": SOURCE,
            "key": alias.key,
            "province": alias.written.province,
            "regency": alias.written.regency,
            "district": alias.written.district,
            "village": alias.written.village,
            "region_code": alias.code,
            "how": alias.how.value,
            "remembered_by": job.caller.id,
            "remembered_at": now,
        }
        for alias in job.assembly.aliases
        if not alias.remembered
    ]
