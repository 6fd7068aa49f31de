"""The sessions the door knows right now: from a cookie to the person it stands for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, event
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts import throttle
from gateway.accounts.actions import can_sign_in, principal_of
from gateway.accounts.tables import Account
from gateway.identities import Minted
from gateway.metrics import SESSIONS
from gateway.remembered import Remembered
from gateway.sessions import rules, store
from gateway.sessions.tables import SignedIn
from kit import clock
from kit.access import Principal
from kit.database import Database
from kit.problems import Unauthenticated, is_database_away

_NOTE_SECONDS = 20.0
_SWEEP_AFTER = timedelta(days=1)
_MOST = 20_000


class SessionLimits(BaseModel):
    """How long sessions last. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    longest: float = Field(43_200.0, gt=0, description="However much it is used")
    idle: float = Field(1_800.0, ge=60, description="Without a request")
    remembered: float = Field(30.0, gt=0, description="In a process; ends are told")


@dataclass(slots=True)
class KnownSession:
    """A session as it was when it was loaded."""

    id: UUID
    account_id: UUID
    principal: Principal
    used_at: datetime
    expires_at: datetime
    is_open: bool
    identities: dict[str, Minted] = field(default_factory=dict)


class SessionBook:
    """Checks sessions, and notes now and then which were used."""

    def __init__(self, database: Database, limits: SessionLimits) -> None:
        self._database = database
        self.limits = limits
        self._used: dict[UUID, datetime] = {}
        self.remembered = Remembered(self._load, lambda known: str(known.account_id), limits.remembered, _MOST)

    async def check(self, text: str) -> KnownSession:
        """The session of a cookie.

        Raises:
            Unauthenticated: there is none, it has ended, or it was not used for too long.
        """
        if not rules.is_secret(text):
            raise Unauthenticated("the session is not known; sign in")
        known = await self.remembered.get(rules.digest(text))
        now = clock.now()
        if not known.is_open or now >= known.expires_at:
            raise Unauthenticated("the session has ended; sign in again")
        if (now - known.used_at).total_seconds() >= self.limits.idle:
            raise Unauthenticated("the session was not used for too long; sign in again")
        known.used_at = self._used[known.id] = now
        return known

    def forget_after_commit(self, session: AsyncSession, account_id: UUID) -> None:
        """Forget an account's sessions as soon as a change is committed, before the response is sent."""
        forget = self.remembered.forget
        event.listen(session.sync_session, "after_commit", lambda _session: forget(str(account_id)), once=True)

    async def keep(self) -> None:
        """Note use, count what is open and sweep what is over, until cancelled."""
        while True:
            await self.write_use()
            await self._count_and_sweep()
            await asyncio.sleep(_NOTE_SECONDS)

    async def write_use(self) -> None:
        """Write down which sessions were used since the last time; when the database is away, the next time."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            async with self._database.transaction() as session:
                await store.note_use(session, used)
        except Exception as error:
            self._used = used | self._used
            if not is_database_away(error):
                raise

    async def _count_and_sweep(self) -> None:
        now = clock.now()
        try:
            async with self._database.transaction() as session:
                SESSIONS.set(await store.count_open(session, self.open_now(now)))
                await store.sweep(session, now - _SWEEP_AFTER)
                await throttle.sweep(session, now)
        except Exception as error:
            SESSIONS.set(float("nan"))
            if not is_database_away(error):
                raise

    def open_now(self, now: datetime) -> ColumnElement[bool]:
        """Which sessions are open."""
        return store.is_open(now, timedelta(seconds=self.limits.idle))

    async def _load(self, secret_hash: bytes) -> KnownSession:
        async with asyncio.timeout(self._database.request_seconds), self._database.transaction() as session:
            found = await store.load(session, secret_hash)
        if found is None:
            raise Unauthenticated("the session is not known; sign in")
        return self._known(*found)

    def _known(self, row: SignedIn, account: Account) -> KnownSession:
        return KnownSession(
            id=row.id,
            account_id=account.id,
            principal=principal_of(account),
            used_at=max(row.last_used_at, self._used.get(row.id, row.last_used_at)),
            expires_at=row.expires_at,
            is_open=row.ended_at is None and can_sign_in(account),
        )


def session_of(request: Request) -> KnownSession | None:
    """The session that the caller came in with; None where he came in otherwise."""
    admitted = request.scope["call"].admitted
    return admitted if isinstance(admitted, KnownSession) else None
