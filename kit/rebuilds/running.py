"""Running a rebuild: read beside the living, write what differs, settle what is derived."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import nats
import sqlalchemy as sa
from fastapi import FastAPI
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from kit import projection_lock
from kit.bus import REQUEST_SECONDS, Bus
from kit.database import Database
from kit.inbox import Subscription, reason_of
from kit.problems import is_database_away
from kit.rebuilds import Projection, shadow, store
from kit.rebuilds.reading import Part, Reading, Refused, told_again, whole
from kit.rebuilds.schemas import Failure, RebuildSource, RebuildState, TableDifferences
from kit.stream import NotRead

log = logging.getLogger(__name__)

MOST_ATTEMPTS: Final = 5
"""How often a rebuild may be begun; each time it reads from the beginning."""
SETTLE_AT_ONCE: Final = 200
PATIENCE_SECONDS: Final = 15.0
"""How long events may be missing on a stream without any coming, before the rebuild is refused."""
_STATEMENT_SECONDS: Final = 600.0
_LOOK_AGAIN_SECONDS: Final = 1.0
_WRITE_ATTEMPTS: Final = 5

_KNOWS = sa.text("SELECT EXISTS (SELECT FROM inbox WHERE consumer = ANY(cast(:consumers AS text[])))")


@dataclass(frozen=True)
class Workshop:
    """What a rebuild works with, apart from what serves requests."""

    projection: Projection
    subscriptions: Sequence[Subscription]
    client: Client
    living: Database
    """With more time for a statement than a request has."""
    beside: Database
    """Whose sessions see the tables beside the living ones, and nothing else."""


@asynccontextmanager
async def workshop(app: FastAPI, projection: Projection) -> AsyncIterator[Workshop]:
    """A workshop with connections of its own, closed at the end."""
    bus: Bus = app.state.bus
    settings, service = app.state.settings, app.state.service
    name = f"kkb-{service.name}-rebuild"
    client = await bus.client()
    living = Database.of(settings, name, pool=3, seconds=_STATEMENT_SECONDS)
    beside = Database.of(
        settings, name, pool=1, seconds=_STATEMENT_SECONDS, search_path=shadow.SCHEMA, synchronous_commit="off"
    )
    try:
        yield Workshop(projection, service.subscriptions, client, living, beside)
    finally:
        await living.close()
        await beside.close()


async def run(tools: Workshop, number: UUID) -> None:
    """Run a rebuild to its end, from the beginning or from where its settling stopped.

    Raises:
        Overtaken: another process runs it.
        Exception: the database or NATS is away; it stays under way and is run again.
    """
    async with tools.living.transaction() as session:
        job = await store.begin(session, number)
    if job.attempts > MOST_ATTEMPTS and job.state != RebuildState.SETTLING:
        await _fail(tools, job, Failure.INTERRUPTED, f"begun {MOST_ATTEMPTS} times and never came to its end")
        return
    try:
        if job.state != RebuildState.SETTLING:
            await _build(tools, job)
        await _settle(tools, job)
    except Refused as refused:
        await _fail(tools, job, refused.failure, refused.detail)
    except Exception as error:
        if _is_passing(error):
            raise
        where = "".join(traceback.format_tb(error.__traceback__))
        reason = reason_of(error)
        log.error("rebuild failed: %s", reason, extra={"rebuild": str(number), "error": where})  # noqa: TRY400 - a database's error quotes rows
        await _fail(tools, job, Failure.DEFECT, f"a defect of ours: {type(error).__name__}; the log says where")


def _is_passing(error: Exception) -> bool:
    return isinstance(error, store.Overtaken | NotRead | nats.errors.Error) or is_database_away(error)


async def _fail(tools: Workshop, job: Any, failure: Failure, detail: str) -> None:
    log.error("rebuild refused: %s", detail, extra={"rebuild": str(job.id)})
    async with tools.living.transaction() as session:
        await store.fail(session, await store.hold(session, job), failure, detail)


async def _build(tools: Workshop, job: Any) -> None:
    """Fold the streams beside the living projection, then put the living one right."""
    await shadow.make(tools.living.engine, tools.projection.tables)
    try:
        readings = [await _reading(tools, job, stream) for stream in tools.projection.folds]
        expected = sum(reading.part.expected for reading in readings)
        async with tools.living.transaction() as session:
            await store.note_reading(session, job, events_expected=expected)
        for _ in range(_WRITE_ATTEMPTS):
            await _read_until_whole(tools, job, readings)
            await shadow.analyse(tools.living.engine, tools.projection.tables)
            if await _write(tools, job, readings):
                return
        raise _incomplete(readings)
    finally:
        with contextlib.suppress(Exception):
            await shadow.drop(tools.living.engine)


async def _reading(tools: Workshop, job: Any, stream: str) -> Reading:
    subjects = [one.subject for one in tools.subscriptions if one.stream == stream]
    part = await _part(tools, job, stream)
    return Reading(tools.client, tools.beside, stream, subjects, tools.projection.folds[stream], part)


async def _part(tools: Workshop, job: Any, stream: str) -> Part:
    if job.source == RebuildSource.EVENTS:
        part = await whole(tools.client, stream)
        if part.feed is None and await _knows_events_of(tools, stream):
            detail = f"the stream {stream} is new and empty, but events of it had their effect here"
            raise Refused(Failure.STREAM_INCOMPLETE, detail)
        return part
    owner = tools.projection.owners[stream]
    return told_again(next(one for one in job.re_emissions if one["service"] == owner))


async def _knows_events_of(tools: Workshop, stream: str) -> bool:
    durables = [one.durable for one in tools.subscriptions if one.stream == stream]
    async with tools.living.transaction() as session:
        return bool(await session.scalar(_KNOWS, {"consumers": durables}))


async def _read_until_whole(tools: Workshop, job: Any, readings: Sequence[Reading]) -> None:
    """Read all streams to their ends; wait where events are missing that may still be on their way.

    Raises:
        Refused: nothing has come for a while and events are still missing.
    """
    loop = asyncio.get_running_loop()
    known, since = -1, loop.time()
    while True:
        for reading in readings:
            await reading.to_end()
            await _note(tools, job, readings)
        if all(reading.gap is None for reading in readings):
            return
        found = sum(reading.events for reading in readings)
        if found > known:
            known, since = found, loop.time()
        if loop.time() - since > PATIENCE_SECONDS:
            raise _incomplete(readings)
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _note(tools: Workshop, job: Any, readings: Sequence[Reading]) -> None:
    async with tools.living.transaction() as session:
        await store.note_reading(
            session,
            job,
            events_read=sum(reading.events for reading in readings),
            unreadable=sum(reading.unreadable for reading in readings),
            failing=sum(reading.failing for reading in readings),
        )


def _incomplete(readings: Sequence[Reading]) -> Refused:
    reading = next(reading for reading in readings if reading.gap is not None)
    detail = f"the stream {reading.stream} does not hold position {reading.gap} of feed {reading.part.feed}"
    if reading.part.why is Failure.STREAM_INCOMPLETE:
        detail += "; rebuild from the services instead"
    return Refused(reading.part.why, detail)


async def _write(tools: Workshop, job: Any, readings: Sequence[Reading]) -> bool:
    """Alone among the consumers, fold the rest and put the living tables right; whether nothing was missing."""
    async with tools.living.transaction() as session:
        await projection_lock.take_alone(session)
        await store.hold(session, job)
        delivered = await _delivered(tools)  # asked first: what comes while the streams are read is nobody's loss
        ends = {reading.stream: await reading.to_end() for reading in readings}
        if any(reading.gap is not None for reading in readings):
            return False
        _check_consumers(delivered, ends)
        differences = await _differences(session, tools.projection, dry_run=job.dry_run)
        ends_here = job.dry_run or tools.projection.settle is None
        state = RebuildState.DONE if ends_here else RebuildState.SETTLING
        await store.note_differences(session, job, differences, state)
    _log_end(job, differences)
    return True


async def _delivered(tools: Workshop) -> dict[str, int]:
    """By stream, the last number that a consumer of this service was given."""
    jetstream = tools.client.jetstream(timeout=REQUEST_SECONDS)
    newest: dict[str, int] = {}
    for one in tools.subscriptions:
        try:
            known = (await jetstream.consumer_info(one.stream, one.durable)).delivered
        except NotFoundError:
            continue
        if known is not None:
            newest[one.stream] = max(newest.get(one.stream, 0), known.stream_seq)
    return newest


def _check_consumers(delivered: dict[str, int], ends: dict[str, int]) -> None:
    """Whoever consumes here must not know later numbers than the streams have: then they lost what had its effect."""
    for stream, newest in delivered.items():
        if newest > ends[stream]:
            raise Refused(Failure.STREAM_CHANGED, f"the stream {stream} has lost events that had their effect here")


async def _differences(session: Any, projection: Projection, *, dry_run: bool) -> dict[str, TableDifferences]:
    if not dry_run:
        return await shadow.write_differences(session, projection.tables)
    nested = await session.begin_nested()
    differences = await shadow.write_differences(session, projection.tables)
    await nested.rollback()
    return differences


def _log_end(job: Any, differences: dict[str, TableDifferences]) -> None:
    counts = {table: found.model_dump(exclude={"kept_ids"}) for table, found in differences.items()}
    log.info("rebuilt%s: %s", " (nothing written)" if job.dry_run else "", counts, extra={"rebuild": str(job.id)})


async def _settle(tools: Workshop, job: Any) -> None:
    """Put right what is derived, chunk by chunk; each chunk notes how far it came."""
    while True:
        async with tools.living.transaction() as session:
            try:
                held = await store.hold(session, job)
            except store.Overtaken:
                return  # it has ended
            assert tools.projection.settle is not None, "without it a rebuild ends when it is written"
            chunk, place = await tools.projection.settle(session, held.place, SETTLE_AT_ONCE)
            await store.note_settled(session, held, chunk, place)
        if place is None:
            return
