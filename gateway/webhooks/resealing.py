"""Brings webhooks' secrets under the newest key of the vault, a few at a time, and counts which keys they are under.

During a rolling restart gateways run with different key files. A secret that is brought under a key that one of them does
not have could not be read where that one leads next; so nothing is, until all that may lead have the key, seen twice in a
row: one whose connection was lost for a moment is not overlooked (decision 35).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from gateway.webhooks import store
from gateway.webhooks.schemas import Reason
from gateway.webhooks.tables import Webhook
from gateway.webhooks.vault import Under, Vault
from kit import clock
from kit.database import Database

AT_ONCE = 100


class Resealing:
    """One a leader; what it saw ends with it."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._agreed = False
        """Whether all had the newest key when it was looked the last time."""

    async def run(self) -> dict[Under, int]:
        """Look at every secret once, and bring under the newest key what may be; how many are under which key after it."""
        agreed, self._agreed = self._agreed, await self._all_know()
        counted: Counter[Under] = Counter(dict.fromkeys(Under, 0))
        last: UUID | None = None
        while page := await self._page(last):
            last = page[-1].id
            old = [webhook.id for webhook in page if Under.OLDER in self._unders(webhook)]
            renewed = await self._reseal(old) if old and agreed and self._agreed else {}
            for webhook in page:
                counted.update(self._unders(renewed.get(webhook.id, webhook)))
        return dict(counted)

    async def _all_know(self) -> bool:
        async with self._database.transaction() as session:
            return await store.all_know(session, self._vault.names[0])

    async def _page(self, after: UUID | None) -> Sequence[Webhook]:
        async with self._database.transaction() as session:
            return await store.secrets_after(session, after, AT_ONCE)

    async def _reseal(self, webhooks: Sequence[UUID]) -> dict[UUID, Webhook]:
        """Those that are held by somebody else wait for the next time: his change must not wait for ours."""
        async with self._database.transaction() as session:
            if not await store.all_know(session, self._vault.names[0]):
                self._agreed = False
                return {}
            found = await store.lock_free(session, webhooks)
            for webhook in found:
                self._renew(webhook)
                session.add(webhook)
        return {webhook.id: webhook for webhook in found}

    def _renew(self, webhook: Webhook) -> None:
        """The version stays: for its owner nothing has changed."""
        if self._vault.under(webhook.secret, webhook.id) is Under.OLDER:
            webhook.secret = self._vault.seal(self._vault.unseal(webhook.secret, webhook.id), webhook.id)
        previous = webhook.previous_secret
        if previous is not None and self._vault.under(previous, webhook.id) is Under.OLDER:
            webhook.previous_secret = self._vault.seal(self._vault.unseal(previous, webhook.id), webhook.id)

    def _unders(self, webhook: Webhook) -> list[Under]:
        """Of a webhook's secrets; not of those that nobody will ask for again."""
        secrets = [webhook.secret]
        if webhook.previous_secret is not None and (webhook.previous_until or clock.now()) > clock.now():
            secrets.append(webhook.previous_secret)
        found = [self._vault.under(secret, webhook.id) for secret in secrets]
        if webhook.reason == Reason.SECRET_UNREADABLE:
            found = [
                under for under in found if under is not Under.UNKNOWN
            ]  # its owner is told: it was paused for that
        return found
