"""One gateway process of all follows the feeds and sends: the one that holds a lock in the database."""

from __future__ import annotations

import asyncio
import logging

import asyncpg

from gateway.deliveries import metrics, store
from gateway.deliveries.feeds import OwnFeeds
from gateway.deliveries.following import Follower
from gateway.deliveries.lanes import Lanes
from gateway.deliveries.sending import Resolver, Sender, SendingLimits, trusting
from gateway.settings import GatewaySettings
from gateway.webhooks import actions as webhooks
from gateway.webhooks import store as subscriptions
from gateway.webhooks.actions import Outfit
from gateway.webhooks.owners import standing
from gateway.webhooks.resealing import Resealing
from gateway.webhooks.schemas import Reason
from gateway.webhooks.vault import Vault
from kit import clock
from kit.database import Database
from kit.problems import CONNECTION_LOST, is_database_away
from kit.tasks import first_to_end

log = logging.getLogger(__name__)

LOCK = 0x6B6B_7768
"""Advisory lock of the leader, in the gateway's database."""
_POOL = 4
_STATEMENT_SECONDS = 8.0
_PING_SECONDS = 3.0
_STAND_BY_SECONDS = 2.0
_RETRY_SECONDS = 1.0
_KEEP_EVERY_SECONDS = 5.0
_CLEAN_EVERY_SECONDS = 3600.0
_RESEAL_EVERY_SECONDS = 60.0

# One that has gone silent (its machine, its network) loses its lock with its session; cut off, it has given up by itself
# before (_STATEMENT_SECONDS).
_SESSION = {
    "application_name": "kkb-webhooks",
    "idle_session_timeout": "12s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}


class Leading:
    """Follows and sends while this process holds the leader's lock."""

    def __init__(
        self, dsn: str, database: Database, feeds: OwnFeeds, lanes: Lanes, resolver: Resolver, vault: Vault
    ) -> None:
        self._dsn = dsn
        self._vault = vault
        self._database = database
        self._feeds = feeds
        self._lanes = lanes
        self._resolver = resolver
        self._follower = Follower(database, feeds, lanes.wake.set)
        metrics.forget(feeds.services)

    @classmethod
    def of(cls, settings: GatewaySettings, outfit: Outfit, feeds: OwnFeeds) -> Leading:
        """As a process has it: with a pool of connections of its own, so that it takes none of the requests'."""
        database = Database.of(settings, "kkb-webhooks", pool=_POOL)
        resolver, trust = Resolver(), trusting(settings.webhook_ca_file)

        def new_sender() -> Sender:
            return Sender(outfit.destinations, SendingLimits(), trust, resolver)

        dsn = str(settings.database_url).replace("+asyncpg", "", 1)
        return cls(dsn, database, feeds, Lanes(database, outfit.vault, new_sender), resolver, outfit.vault)

    async def close(self) -> None:
        """Close the connections; after `run` was cancelled."""
        self._resolver.close()
        await self._database.close()

    async def run(self) -> None:
        """Lead whenever nobody else does, until cancelled; whatever the database does, it is tried again."""
        while True:
            try:
                await self._lead()
            except Exception as error:
                if not (isinstance(error, CONNECTION_LOST) or is_database_away(error)):
                    raise
                log.warning("webhooks lost their database: %s", type(error).__name__)
            finally:
                metrics.forget(self._feeds.services)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _lead(self) -> None:
        connection = await asyncpg.connect(
            self._dsn, timeout=5, command_timeout=_STATEMENT_SECONDS, server_settings=_SESSION
        )
        try:
            for key in self._vault.names:  # who may lead says which keys he has (resealing.py)
                await connection.execute("SELECT pg_advisory_lock_shared($1, $2)", subscriptions.KEYS_CLASS, key)
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):  # noqa: ASYNC110 - another process's
                await asyncio.sleep(_STAND_BY_SECONDS)
            await connection.add_listener(subscriptions.CHANNEL, self._hear)
            metrics.LEADER.set(1)
            await first_to_end(
                _hold(connection),
                self._lanes.run(),
                self._follower.catch_up(),
                self._keep(),
                self._reseal(),
                *(self._follower.follow(service) for service in self._feeds.services),
            )
        finally:
            connection.terminate()

    def _hear(self, *_notification: object) -> None:
        self._lanes.wake.set()
        self._follower.look_anew()

    async def _keep(self) -> None:
        """Measure, end what has no owner any more, and clean the log."""
        cleaned: float | None = None
        while True:
            await self._measure()
            await self._end_orphans()
            now = asyncio.get_running_loop().time()
            if cleaned is None or now - cleaned > _CLEAN_EVERY_SECONDS:
                await self._clean()
                cleaned = now
            await asyncio.sleep(_KEEP_EVERY_SECONDS)

    async def _reseal(self) -> None:
        """Bring secrets under the newest key of the vault, and show how many are under which."""
        resealing = Resealing(self._database, self._vault)
        while True:
            for under, number in (await resealing.run()).items():
                metrics.SECRETS.labels(under.value).set(number)
            await asyncio.sleep(_RESEAL_EVERY_SECONDS)

    async def _measure(self) -> None:
        async with self._database.transaction() as session:
            number, oldest = await store.waiting(session)
            counts = await subscriptions.counts(session)
        metrics.WAITING.set(number)
        metrics.OLDEST.set(0 if oldest is None else max(0.0, (clock.now() - oldest).total_seconds()))
        for state in metrics.STATES:
            metrics.WEBHOOKS.labels(state).set(counts.get(state, 0))

    async def _end_orphans(self) -> None:
        async with self._database.transaction() as session:
            for owner in await subscriptions.owners(session):
                found = await standing(session, owner)
                if isinstance(found, Reason):
                    for webhook in await subscriptions.living_of(session, owner):
                        await webhooks.end_webhook(session, webhook, found)

    async def _clean(self) -> None:
        """A little at a time; what takes too long is left for the next time."""
        more = True
        while more:
            async with self._database.transaction() as session:
                more = await store.clean(session, clock.now())


async def _hold(connection: asyncpg.Connection) -> None:
    """Keep the session, and with it the lock.

    Raises:
        Exception: it is lost.
    """
    while True:
        await asyncio.sleep(_PING_SECONDS)
        await connection.execute("SELECT 1")
