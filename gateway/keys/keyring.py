"""The keys the door knows right now: whose they are and whether they open it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.identities import Minted
from gateway.keys import rules, store
from gateway.keys.rules import OldSecret, Secret
from gateway.keys.schemas import KeyStatus, status_of
from gateway.keys.tables import ApiKey
from gateway.proxy.origin import Network, address_of, lies_in, parse_network
from gateway.remembered import Remembered
from kit import clock
from kit.access import Grant, Principal, Role
from kit.database import Database
from kit.problems import AddressForbidden, Unauthenticated, is_database_away

_MOST = 100_000
_NOTE_USE_SECONDS = 60.0

_REFUSALS = {KeyStatus.EXPIRED: "the key has expired", KeyStatus.REVOKED: "the key has been revoked"}


class ShownElsewhere(AddressForbidden):
    """A good key, shown from where it may not be used: stolen, perhaps. Whose it is goes into the audit trail."""

    def __init__(self, principal: Principal, client: str) -> None:
        super().__init__(f"this key may not be used from {client}")
        self.principal = principal


@dataclass(slots=True)
class Known:
    """A key as it was when it was loaded."""

    key: ApiKey
    principal: Principal
    networks: tuple[Network, ...] | None
    """Where it may be used from; None is anywhere."""
    old_secret: OldSecret | None
    identities: dict[str, Minted] = field(default_factory=dict)


class Keyring:
    """Checks keys and remembers them for a short while."""

    def __init__(self, database: Database, cache_seconds: float) -> None:
        self._database = database
        self.remembered = Remembered(self._load, lambda known: known.principal.id, cache_seconds, _MOST)
        self._used: set[UUID] = set()
        self._used_old: set[UUID] = set()
        """Those of them that were used with the secret before the last rotation."""

    async def check(self, text: str, client: str) -> Known:
        """The key that a client presents, from the address where he is.

        Raises:
            Unauthenticated: it is no key, not known, replaced, expired or revoked.
            ShownElsewhere: it may not be used from there.
        """
        presented = rules.parse(text)
        if presented is None:
            raise Unauthenticated("this is not a key")
        known = await self.remembered.get(presented.id)
        secret = opening(known, presented.secret, client, clock.now())
        self._used.add(presented.id)
        if secret is Secret.OLD:
            self._used_old.add(presented.id)
        return known

    async def standing(self, key_id: UUID, client: str) -> Known:
        """A key whose owner proved before that he has it, as it stands now.

        Raises:
            Unauthenticated: it is not known, expired or revoked.
            ShownElsewhere: it may not be used from there.
        """
        known = await self.remembered.get(key_id)
        _require_open(known, client, clock.now())
        self._used.add(key_id)
        return known

    def forget_after_commit(self, session: AsyncSession, key_id: UUID) -> None:
        """Forget a key as soon as the session's change of it is committed, before the response is sent."""
        forget = self.remembered.forget
        event.listen(session.sync_session, "after_commit", lambda _session: forget(str(key_id)), once=True)

    async def listen(self, dsn: str) -> None:
        """Hear from other processes which keys to forget, until cancelled."""
        await self.remembered.listen(dsn, store.CHANNEL)

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
        hour = clock.hour_of(clock.now())
        try:
            async with self._database.transaction() as session:
                await store.note_use(session, used, with_old, hour)
        except Exception as error:
            self._used |= used
            self._used_old |= with_old
            if not is_database_away(error):
                raise

    async def _load(self, key_id: UUID) -> Known:
        async with asyncio.timeout(self._database.request_seconds), self._database.transaction() as session:
            key = await store.load(session, key_id)
        if key is None:
            raise Unauthenticated("the key is not known")
        return as_known(key)


def principal_of(key: ApiKey) -> Principal:
    """Who a key is, with what was granted to it."""
    return Principal(str(key.id), key.name, tuple(Grant(Role(role), key.region) for role in key.roles))


def opening(known: Known, secret: str, client: str, now: datetime) -> Secret:
    """Which of the key's secrets it is that opens the door from where the client is.

    Raises:
        Unauthenticated: none, or the key has expired or was revoked.
        ShownElsewhere: it may not be used from there.
    """
    which = rules.which(secret, known.key.secret_hash, known.old_secret, now)
    if which is Secret.WRONG:
        raise Unauthenticated("the key is not known")
    if which is Secret.REPLACED:
        raise Unauthenticated("this key was replaced by one with a new secret")
    _require_open(known, client, now)
    return which


def as_known(key: ApiKey) -> Known:
    """A key as the door knows it."""
    networks = None if key.allowed_addresses is None else tuple(parse_network(text) for text in key.allowed_addresses)
    old = None
    if key.old_secret_hash is not None and key.old_secret_until is not None:
        old = OldSecret(key.old_secret_hash, key.old_secret_until)
    return Known(key, principal_of(key), networks, old)


def _require_open(known: Known, client: str, now: datetime) -> None:
    status = status_of(known.key, now)
    if status is not KeyStatus.ACTIVE:
        raise Unauthenticated(_REFUSALS[status])
    if known.networks is None:
        return
    address = address_of(client)
    if address is None or not lies_in(address, known.networks):
        # the owner must learn what we see: behind a proxy that is not named in the settings it is the proxy
        raise ShownElsewhere(known.principal, client)
