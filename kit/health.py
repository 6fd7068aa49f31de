"""What a service says of its own health: what it waits for, and how things are that it can do without for a while."""

from __future__ import annotations

import asyncio
from datetime import datetime

import sqlalchemy as sa
from fastapi import FastAPI
from nats.js.errors import NotFoundError
from sqlalchemy.exc import ProgrammingError

from contracts.events import STREAMS
from kit.bus import Bus
from kit.database import Database
from kit.dead_letters.store import count_open
from kit.inbox import Consumer
from kit.ops import Check, Health
from kit.relay import LOCK, Relay
from kit.revisions import revisions

_REVISION = sa.text("SELECT version_num FROM alembic_version")
_LEADER = sa.text(
    "SELECT a.pid, a.client_addr::text, a.backend_start FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = :lock AND l.objsubid = 1 "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def health_of(app: FastAPI) -> Health:
    """Health of a service: alive while its background tasks run, ready while its database answers and is new enough."""
    state = app.state
    noted = {
        "nats": lambda: _nats(state.bus),
        "streams": lambda: _streams(state.bus),
        "relay": lambda: _relay(state.relay, state.database),
        **{f"consumer {what.durable}": _consumer_of(app, what.durable) for what in state.service.subscriptions},
        "dead_letters": lambda: _dead_letters(state.database),
    }
    ready = database_checks(state.database, state.service.name)
    return Health(alive=lambda: _alive(app), ready=ready, noted=noted, on_drain=state.changes.end)


def database_checks(database: Database, name: str) -> dict[str, Check]:
    """What every process needs of its database: that it answers, and that it was migrated for this release."""
    migrated = _Migrated(database, name)
    return {"database": lambda: _answers(database), "migrations": migrated.check}


async def _alive(app: FastAPI) -> str | None:
    if app.state.bus.closed:
        return "the NATS client has given up"
    if getattr(app.state, "ending", False):
        return None
    ended = [task for task in getattr(app.state, "tasks", []) if task.done()]
    return f"{len(ended)} background tasks have ended" if ended else None


async def _answers(database: Database) -> None:
    await database.ping()


class _Migrated:
    """Whether the database has the tables of this release; asked until it once was so.

    A revision that this release does not know is a newer one's: while a new version is rolled out, the processes of
    the old one go on and may be started again.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._done = False

    async def check(self) -> str | None:
        """What is missing."""
        if self._done:
            return None
        known = revisions(self._name)
        found = await self._revision()
        self._done = found is not None and found not in known[:-1]
        if self._done:
            return None
        place = "has no tables" if found is None else f"is at revision {found}"
        return f"the database {place}, this release needs {known[-1]}: run python -m kit.migrate {self._name}"

    async def _revision(self) -> str | None:
        try:
            async with self._database.engine.connect() as connection:
                found: str | None = await connection.scalar(_REVISION)
                return found
        except ProgrammingError:  # nobody has migrated it yet
            return None


async def _nats(bus: Bus) -> str | None:
    return None if bus.connected else f"not connected since {_moment(bus.away_since)}; writes go on, events follow"


async def _streams(bus: Bus) -> str | None:
    if not bus.connected:
        return "unknown while NATS is not connected"
    jetstream = await bus.jetstream()

    async def there(name: str) -> bool:
        try:
            await jetstream.stream_info(name)
        except NotFoundError:
            return False
        return True

    found = await asyncio.gather(*(there(name) for name in STREAMS))
    missing = [name for name, is_there in zip(STREAMS, found, strict=True) if not is_there]
    return f"missing: {', '.join(missing)}" if missing else None


async def _relay(relay: Relay, database: Database) -> str:
    if relay.leads:
        return "this process leads"
    async with database.engine.connect() as connection:
        leader = (await connection.execute(_LEADER, {"lock": LOCK})).first()
    if leader is None:
        return "nobody leads: events are neither placed nor published"
    pid, address, since = leader
    return f"another process leads: at {address or 'this machine'}, PostgreSQL's process {pid}, since {_moment(since)}"


def _consumer_of(app: FastAPI, name: str) -> Check:
    """The check of one consumer, which the running app makes."""

    async def check() -> str:
        consumer: Consumer = next(one for one in app.state.consumers if one.name == name)
        if consumer.paused:
            how = "pauses with events in hand: a rebuild is under way"
        elif consumer.waits:
            how = "waits for the database with events in hand"
        elif not (consumer.bound and app.state.bus.connected):
            how = "takes no events: NATS or its stream is away"
        else:
            how = "takes events"
        pending = "unknown" if consumer.pending is None else str(consumer.pending)
        return f"{how}; pending: {pending}"

    return check


async def _dead_letters(database: Database) -> str | None:
    async with database.engine.connect() as connection:
        found = await count_open(connection)
    return f"open: {', '.join(f'{consumer} {number}' for consumer, number in sorted(found.items()))}" if found else None


def _moment(when: datetime | None) -> str:
    return when.isoformat(timespec="seconds") if when else "just now"
