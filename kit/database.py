"""The database of a service: engine, session of a request, and the tables every service has."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.event import listen
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from kit import deadlines, failpoints
from kit.problems import Unavailable
from kit.settings import ProcessSettings

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
CONNECT_SECONDS = 5.0
POOL_WAIT_SECONDS = 5.0
_CLOSE_SECONDS = 2.0
_CLIENT_FIRST_SECONDS = 5.0
"""How much longer the server waits than we do: it ends a statement by itself only where our word does not reach it."""


class Database:
    """One service's own database."""

    def __init__(self, engine: AsyncEngine, request_seconds: float = 20.0) -> None:
        self.engine = engine
        self.request_seconds = request_seconds
        """Longest transaction of a request, and so about the longest that a request waits."""

    @classmethod
    def of(
        cls,
        settings: ProcessSettings,
        application: str,
        *,
        pool: int | None = None,
        seconds: float | None = None,
        **session: str,
    ) -> Database:
        """The database that the settings name, with every wait limited.

        `pool` and `seconds` are other limits of connections and of a statement; `session` are settings of PostgreSQL.
        """
        longest = seconds or settings.database_timeout
        engine = create_async_engine(
            str(settings.database_url),
            pool_size=pool or settings.database_pool,
            max_overflow=0,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            pool_timeout=POOL_WAIT_SECONDS,
            hide_parameters=True,  # an error's text goes into the logs, what was reported does not
            connect_args={
                "timeout": CONNECT_SECONDS,
                "command_timeout": longest,
                "server_settings": {"application_name": application, **_server_limits(longest), **session},
            },
        )
        listen(engine.sync_engine, "checkout", _give_no_closed_connection)
        return cls(engine, settings.request_seconds)

    async def close(self) -> None:
        """Close the pool; what a silent server does not confirm is left to the end of the process."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.engine.dispose(), _CLOSE_SECONDS)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose block is one transaction: committed at its end, rolled back on any error."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            async with session.begin():
                yield session
                if failpoints.MATTERS in session.info:
                    failpoints.reach("before_commit")
            if failpoints.MATTERS in session.info:
                failpoints.reach("after_commit")

    @asynccontextmanager
    async def for_request(self) -> AsyncIterator[AsyncSession]:
        """A transaction that somebody waits for: within the limit of requests and the time that he still waits.

        Raises:
            Unavailable: nobody waits any more, so nothing is begun.
            TimeoutError: it took too long and was rolled back.
        """
        if deadlines.is_over():
            raise Unavailable(deadlines.OVER)
        async with asyncio.timeout(deadlines.within(self.request_seconds)), self.transaction() as session:
            yield session

    @asynccontextmanager
    async def alone(self, lock: int) -> AsyncIterator[bool]:
        """Hold an advisory lock, so that one process at a time does something; False where another holds it.

        PostgreSQL lets go of it when the process dies.
        """
        async with self.engine.connect() as bare:
            connection = await bare.execution_options(isolation_level="AUTOCOMMIT")
            try:
                yield bool(await connection.scalar(select(func.pg_try_advisory_lock(lock))))
            finally:
                await connection.invalidate()  # the lock is the session's, so the session must end

    async def ping(self) -> None:
        """Raise if the database does not answer."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))


def _server_limits(seconds: float) -> dict[str, str]:
    """What PostgreSQL is told of us, so that nobody who vanished or froze keeps rows locked for ever."""
    return {
        "statement_timeout": f"{1000 * (seconds + _CLIENT_FIRST_SECONDS):.0f}ms",
        "idle_in_transaction_session_timeout": f"{1000 * seconds:.0f}ms",
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "3",
        "tcp_keepalives_count": "3",
    }


def _give_no_closed_connection(connection: Any, _record: Any, _proxy: Any) -> None:
    """Make the pool connect anew where the server has closed a connection meanwhile: a restart is no request's error."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.database
    async with database.for_request() as session:
        yield session


Session = Annotated[AsyncSession, Depends(_session, scope="function")]
"""The request's transaction. It is committed before the response is sent (scope=function): a commit that fails is an
error the client sees."""


PLANNED_FOR_ITS_VALUES = text("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
"""Before a statement whose best plan depends on the region asked for, in its transaction. Measured with 100,000 events:
a district's page of the change feed takes 0.2 ms planned for its code, and 45 ms by a plan made for any code."""


async def read_one_moment(session: AsyncSession) -> None:
    """Let all that the session reads be of one moment; before its first statement, and only where it changes nothing.

    Otherwise every statement sees what was committed until it began, and an answer put together from several can be one
    that never was.
    """
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


async def copy_rows(
    session: AsyncSession, table: str, columns: Sequence[str], records: Iterable[Sequence[Any]]
) -> None:
    """Append many rows by COPY, past SQLAlchemy but inside the session's transaction: half the time of an INSERT.

    JSON columns take their text.
    """
    driver = await _driver(session)
    await driver.copy_records_to_table(table, records=records, columns=columns)


async def fetch_rows(session: AsyncSession, statement: str, *values: Any) -> list[Any]:
    """Many rows, past SQLAlchemy but inside the session's transaction: a third of the time for thousands of rows.

    PostgreSQL's own parameters ($1), JSON comes as text. Not for a session's first statement, which begins the
    transaction.
    """
    driver = await _driver(session)
    rows: list[Any] = await driver.fetch(statement, *values)
    return rows


async def _driver(session: AsyncSession) -> Any:
    connection = await session.connection()
    return (await connection.get_raw_connection()).driver_connection


async def insert_missing(session: AsyncSession, table: str, rows: Sequence[Mapping[str, Any]]) -> set[uuid.UUID]:
    """Insert rows (every column named) unless a unique constraint is against it; ids of those inserted.

    One statement whatever the number of rows, so that nothing is compiled anew.
    """
    if not rows:
        return set()
    statement = text(
        f"INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, cast(:rows AS jsonb)) "  # noqa: S608 - a table's name, from our code only
        "ON CONFLICT DO NOTHING RETURNING id"
    )
    parameters = {"rows": orjson.dumps(rows, default=str).decode()}
    return set((await session.execute(statement, parameters)).scalars())


def own_metadata() -> MetaData:
    """Metadata of one service, with the tables that every service has: outbox, inbox, dead letters, idempotency keys."""
    metadata = MetaData(naming_convention=NAMING)
    Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("event_id", UUID(as_uuid=True), nullable=False, unique=True),
        Column("type", Text, nullable=False),
        Column("region_code", Text(collation="C"), nullable=False),
        Column("entity", Text(collation="C"), nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
        Column("position", BigInteger, unique=True),
        Index("ix_outbox_unplaced", "id", postgresql_where=text("position IS NULL")),
        Index("ix_outbox_entity_position", "entity", "position"),
        Index("ix_outbox_region_code_position", "region_code", "position"),
    )
    Table(
        "publication",
        metadata,
        Column("only_row", Boolean, primary_key=True, server_default=text("true")),
        Column("feed_id", UUID(as_uuid=True), nullable=False, server_default=func.gen_random_uuid()),
        Column("position", BigInteger, nullable=False, server_default=text("0")),
        Column("published", BigInteger, nullable=False, server_default=text("0")),
        Column("stream_sequence", BigInteger, nullable=False, server_default=text("0")),
        Column("stream_created", DateTime(timezone=True)),
        Column("reconciled_at", DateTime(timezone=True)),
        CheckConstraint("only_row", name="only_row"),
        CheckConstraint("published BETWEEN 0 AND position", name="published"),
    )
    Table(
        "inbox",
        metadata,
        Column("consumer", Text, primary_key=True),
        Column("event_id", UUID(as_uuid=True), primary_key=True),
        Column("handled_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Index("ix_inbox_handled_at", "handled_at"),
    )
    Table(
        "dead_letters",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("consumer", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("region_code", Text(collation="C")),
        Column("stream_sequence", BigInteger, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("reason", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("failed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("outcome", Text),
        Column("resolved_at", DateTime(timezone=True)),
        Column("resolved_by", Text),
        Column("resolution", Text),
        Index("uq_dead_letters_open", "consumer", "digest", unique=True, postgresql_where=text("outcome IS NULL")),
        CheckConstraint("outcome IN ('handled', 'discarded')", name="outcome"),
        CheckConstraint("(outcome IS NULL) = (resolved_at IS NULL)", name="resolved_at"),
        CheckConstraint("(outcome IS NULL) = (resolved_by IS NULL)", name="resolved_by"),
        CheckConstraint("(outcome = 'discarded') = (resolution IS NOT NULL)", name="resolution"),
    )
    Table(
        "idempotency_keys",
        metadata,
        Column("caller", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("operation", Text, nullable=False),
        Column("request_digest", LargeBinary, nullable=False),
        Column("status", Integer),
        Column("headers", JSONB),
        Column("body", LargeBinary),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )
    return metadata
