"""The keys the door knows right now: whose they are and whether they open it."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.identities import Minted
from gateway.keys import rules, store
from gateway.keys.rules import OldSecret, Secret
from gateway.keys.schemas import KeyStatus, status_of
from gateway.keys.tables import ApiKey
from gateway.proxy.origin import Network, address_of, lies_in, parse_network
from kit import clock
from kit.access import Grant, Principal, Role
from kit.database import Database
from kit.problems import CONNECTION_LOST, AddressForbidden, Unauthenticated, is_database_away

log = logging.getLogger(__name__)

_DEAF_CACHE_SECONDS = 2.0
"""How long a key is remembered while nobody could tell us that it was revoked."""
_PING_SECONDS = 5.0
_RECONNECT_SECONDS = 1.0
_NOTE_USE_SECONDS = 60.0

_REFUSALS = {KeyStatus.EXPIRED: "the key has expired", KeyStatus.REVOKED: "the key has been revoked"}


@dataclass(slots=True)
class Known:
    """A key as it was when it was loaded."""

    key: ApiKey
    principal: Principal
    loaded_at: float
    """Monotonic time."""
    networks: tuple[Network, ...] | None
    """Where it may be used from; None is anywhere."""
    old_secret: OldSecret | None
    identities: dict[str, Minted] = field(default_factory=dict)


class Keyring:
    """Checks keys and remembers them for a short while."""

    def __init__(self, database: Database, cache_seconds: float) -> None:
        self._database = database
        self._cache_seconds = cache_seconds
        self._known: dict[UUID, Known] = {}
        self._loading: dict[UUID, asyncio.Task[Known]] = {}
        self._forgotten = 0
        """Counts what was forgotten, so that a key loaded meanwhile is not remembered."""
        self._listening = False
        self._used: set[UUID] = set()
        self._used_old: set[UUID] = set()
        """Those of them that were used with the secret before the last rotation."""

    async def check(self, text: str, client: str) -> Known:
        """The key that a client presents, from the address where he is.

        Raises:
            Unauthenticated: it is no key, not known, replaced, expired or revoked.
            AddressForbidden: it may not be used from there.
        """
        presented = rules.parse(text)
        if presented is None:
            raise Unauthenticated("this is not a key")
        known = await self._known_of(presented.id)
        now = clock.now()
        secret = rules.which(presented.secret, known.key.secret_hash, known.old_secret, now)
        if secret is Secret.WRONG:
            raise Unauthenticated("the key is not known")
        if secret is Secret.REPLACED:
            raise Unauthenticated("this key was replaced by one with a new secret")
        _require_open(known, client, now)
        self._used.add(presented.id)
        if secret is Secret.OLD:
            self._used_old.add(presented.id)
        return known

    async def standing(self, key_id: UUID, client: str) -> Known:
        """A key whose owner proved before that he has it, as it stands now.

        Raises:
            Unauthenticated: it is not known, expired or revoked.
            AddressForbidden: it may not be used from there.
        """
        known = await self._known_of(key_id)
        _require_open(known, client, clock.now())
        self._used.add(key_id)
        return known

    def forget(self, key_id: UUID) -> None:
        """Ask the database again before this key opens the door."""
        self._forgotten += 1
        self._known.pop(key_id, None)

    def forget_all(self) -> None:
        """Ask the database again for every key."""
        self._forgotten += 1
        self._known.clear()

    def forget_after_commit(self, session: AsyncSession, key_id: UUID) -> None:
        """Forget a key as soon as the session's change of it is committed, before the response is sent."""
        event.listen(session.sync_session, "after_commit", lambda _session: self.forget(key_id), once=True)

    async def listen(self, dsn: str) -> None:
        """Hear from other processes which keys to forget, until cancelled."""
        while True:
            try:
                await self._listen_once(dsn)
            except CONNECTION_LOST as error:
                log.warning("keyring lost its database: %s", type(error).__name__)
            finally:
                self._listening = False
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def note_use(self) -> None:
        """Write down now and then which keys were used, until cancelled."""
        while True:
            await asyncio.sleep(_NOTE_USE_SECONDS)
            await self.write_use()

    async def write_use(self) -> None:
        """Write down which keys were used since the last time; when the database is away, the next time."""
        used, self._used = self._used, set()
        with_old, self._used_old = self._used_old, set()
        if not used:
            return
        hour = clock.now().replace(minute=0, second=0, microsecond=0)
        try:
            async with self._database.transaction() as session:
                await store.note_use(session, used, with_old, hour)
        except Exception as error:
            self._used |= used
            self._used_old |= with_old
            if not is_database_away(error):
                raise

    async def _listen_once(self, dsn: str) -> None:
        connection = await asyncpg.connect(dsn, timeout=_PING_SECONDS, command_timeout=_PING_SECONDS)
        try:
            await connection.add_listener(store.CHANNEL, self._on_notice)
            self.forget_all()  # something may have been revoked while nobody listened
            self._listening = True
            while True:
                await asyncio.sleep(_PING_SECONDS)
                await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    def _on_notice(self, _connection: Any, _process: int, _channel: str, payload: str) -> None:
        self.forget(UUID(payload))

    async def _known_of(self, key_id: UUID) -> Known:
        return self._remembered(key_id) or await self._load_once(key_id)

    def _remembered(self, key_id: UUID) -> Known | None:
        known = self._known.get(key_id)
        if known is None:
            return None
        life = self._cache_seconds if self._listening else min(_DEAF_CACHE_SECONDS, self._cache_seconds)
        return known if time.monotonic() - known.loaded_at < life else None

    async def _load_once(self, key_id: UUID) -> Known:
        """Load a key; requests that want the same one wait for the same query."""
        loading = self._loading.get(key_id)
        if loading is None:
            loading = asyncio.create_task(self._load(key_id))
            self._loading[key_id] = loading
            loading.add_done_callback(lambda task: self._loaded(key_id, task))
        return await asyncio.shield(loading)

    def _loaded(self, key_id: UUID, task: asyncio.Task[Known]) -> None:
        del self._loading[key_id]
        if not task.cancelled():
            task.exception()  # looked at, also when everybody who waited for it has gone

    async def _load(self, key_id: UUID) -> Known:
        forgotten = self._forgotten
        loaded_at = time.monotonic()
        async with asyncio.timeout(self._database.request_seconds), self._database.transaction() as session:
            key = await store.load(session, key_id)
        if key is None:
            raise Unauthenticated("the key is not known")
        known = _as_known(key, loaded_at)
        if forgotten == self._forgotten:
            self._known[key_id] = known
        return known


def principal_of(key: ApiKey) -> Principal:
    """Who a key is, with what was granted to it."""
    return Principal(str(key.id), key.name, tuple(Grant(Role(role), key.region) for role in key.roles))


def _as_known(key: ApiKey, loaded_at: float) -> Known:
    networks = None if key.allowed_addresses is None else tuple(parse_network(text) for text in key.allowed_addresses)
    old = None
    if key.old_secret_hash is not None and key.old_secret_until is not None:
        old = OldSecret(key.old_secret_hash, key.old_secret_until)
    return Known(key, principal_of(key), loaded_at, networks, old)


def _require_open(known: Known, client: str, now: datetime) -> None:
    status = status_of(known.key, now)
    if status is not KeyStatus.ACTIVE:
        raise Unauthenticated(_REFUSALS[status])
    if known.networks is None:
        return
    address = address_of(client)
    if address is None or not lies_in(address, known.networks):
        # the owner must learn what we see: behind a proxy that is not named in the settings it is the proxy
        raise AddressForbidden(f"this key may not be used from {client}")
