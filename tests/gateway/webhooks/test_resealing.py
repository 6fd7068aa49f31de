"""Secrets come under the newest key, when all who may send have it; nobody's change waits, and nothing is lost."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

from gateway.deliveries import leading, metrics
from gateway.deliveries.leading import Leading
from gateway.webhooks import resealing
from gateway.webhooks.actions import Outfit
from gateway.webhooks.resealing import Resealing
from gateway.webhooks.store import KEYS_CLASS
from gateway.webhooks.vault import SecretUnreadable, Under, Vault
from kit.database import Database
from kit.tasks import stop
from tests.conftest import eventually
from tests.gateway.conftest import Running, StartGateway

OLD, NEW, OTHER = (secrets.token_bytes(32) for _ in range(3))
BEFORE, BOTH, AFTER = Vault([OLD]), Vault([NEW, OLD]), Vault([NEW])


@dataclass
class Scene:
    """A gateway that sends nothing, with webhooks under the old key."""

    running: Running
    dsn: str
    owner: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        database: Database = self.running.gateway.own.state.database
        return database

    async def make(self, number: int = 1) -> dict[UUID, str]:
        """Webhooks of a new owner, all there are; their secrets."""
        await self.sql("DELETE FROM webhooks")
        self.owner = self.running.with_key((await self.running.issue("reader", region="82.04"))["key"])
        made = {}
        for _ in range(number):
            draft = {"name": "Uji", "url": "https://siga.example.go.id/kkb"}
            answer = await self.running.client.post("/webhooks", json=draft, headers=self.owner)
            assert answer.status_code == 201, answer.text
            made[UUID(answer.json()["id"])] = answer.json()["secret"]
        return made

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.database.transaction() as session:
            result: Any = await session.execute(sa.text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def stored(self) -> dict[UUID, bytes]:
        return {row[0]: row[1] for row in await self.sql("SELECT id, secret FROM webhooks")}

    @asynccontextmanager
    async def processes(self, *vaults: Vault) -> AsyncIterator[None]:
        """Gateways that may send, as the others see them: sessions that hold a lock for each of their keys."""
        async with AsyncExitStack() as stack:
            for vault in vaults:
                connection = await asyncpg.connect(self.dsn)
                stack.push_async_callback(connection.close)
                for key in vault.names:
                    await connection.execute("SELECT pg_advisory_lock_shared($1, $2)", KEYS_CLASS, key)
            yield


@pytest.fixture(scope="module")
async def scene(start_gateway: StartGateway, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    file = tmp_path_factory.mktemp("old") / "webhooks.key"
    file.write_text(OLD.hex())
    running = await start_gateway(webhook_key_file=file)
    url = running.gateway.own.state.database.engine.url
    return Scene(running, url.set(drivername="postgresql").render_as_string(hide_password=False))


def under(newest: int = 0, older: int = 0, unknown: int = 0) -> dict[Under, int]:
    return {Under.NEWEST: newest, Under.OLDER: older, Under.UNKNOWN: unknown}


def test_a_vault_knows_under_which_key_a_secret_is() -> None:
    webhook = UUID(int=82)
    sealed = BEFORE.seal("whsec_x", webhook)
    found = [vault.under(sealed, webhook) for vault in (BEFORE, BOTH, AFTER)]
    assert found == [Under.NEWEST, Under.OLDER, Under.UNKNOWN]
    assert BOTH.under(sealed, UUID(int=83)) is Under.UNKNOWN, "it is bound to its webhook"
    assert (BOTH.names, all(0 <= name < 2**31 for name in BOTH.names)) == ([*AFTER.names, *BEFORE.names], True)


async def test_all_have_the_key_twice_in_a_row(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "AT_ONCE", 2)
    made = await scene.make(5)
    first = next(iter(made))
    owned = await scene.running.client.get(f"/webhooks/{first}", headers=scene.owner)
    rotated = await scene.running.client.post(
        f"/webhooks/{first}/rotation",
        json={"overlap_hours": 24},
        headers={**scene.owner, "If-Match": owned.headers["etag"]},
    )
    before = await scene.running.client.get(f"/webhooks/{first}", headers=scene.owner)
    task = Resealing(scene.database, BOTH)
    async with scene.processes(BOTH, BOTH):
        assert await task.run() == under(older=6)
        assert await task.run() == under(newest=6)
        assert await task.run() == under(newest=6)
    stored = await scene.stored()
    now = {**made, first: rotated.json()["secret"]}
    assert {webhook: AFTER.unseal(sealed, webhook) for webhook, sealed in stored.items()} == now
    ((previous,),) = await scene.sql("SELECT previous_secret FROM webhooks WHERE id = :id", id=first)
    assert AFTER.unseal(previous, first) == made[first]
    with pytest.raises(SecretUnreadable):
        BEFORE.unseal(stored[first], first)
    after = await scene.running.client.get(f"/webhooks/{first}", headers=scene.owner)
    assert (after.json(), after.headers["etag"]) == (before.json(), before.headers["etag"])


async def test_not_while_one_that_may_send_lacks_it(scene: Scene) -> None:
    await scene.make(2)
    sealed, task = await scene.stored(), Resealing(scene.database, BOTH)
    async with scene.processes(BOTH):
        async with scene.processes(BEFORE):
            for _ in range(3):
                assert await task.run() == under(older=2)
        # it is gone, but for how long?
        assert await task.run() == under(older=2)
        async with scene.processes(BEFORE):
            assert await task.run() == under(older=2)
        assert await task.run() == under(older=2)
        assert await scene.stored() == sealed
        assert await task.run() == under(newest=2)


async def test_not_where_nobody_says_that_he_has_it(scene: Scene) -> None:
    await scene.make()
    task = Resealing(scene.database, BOTH)
    assert [await task.run() for _ in range(3)] == [under(older=1)] * 3


async def test_one_with_the_older_file_takes_nothing_back(scene: Scene) -> None:
    """A process that does not have the new key leaves what is under it alone, and says that it cannot read it."""
    made = await scene.make(2)
    first = next(iter(made))
    await scene.sql("UPDATE webhooks SET secret = :s WHERE id = :id", s=AFTER.seal("whsec_x", first), id=first)
    sealed, task = await scene.stored(), Resealing(scene.database, BEFORE)
    async with scene.processes(BEFORE, BOTH):
        assert [await task.run() for _ in range(3)] == [under(newest=1, unknown=1)] * 3
    assert await scene.stored() == sealed


async def test_what_somebody_holds_waits_for_the_next_time(scene: Scene) -> None:
    made = await scene.make(2)
    held, task = next(iter(made)), Resealing(scene.database, BOTH)
    async with scene.processes(BOTH):
        await task.run()
        async with scene.database.transaction() as session:
            await session.execute(sa.text("SELECT 1 FROM webhooks WHERE id = :id FOR UPDATE"), {"id": held})
            assert await task.run() == under(newest=1, older=1)
        assert await task.run() == under(newest=2)


async def test_what_nobody_can_read_is_counted_until_its_owner_is_told(scene: Scene) -> None:
    made = await scene.make(3)
    lost, paused, ended = made
    for webhook in made:
        await scene.sql(
            "UPDATE webhooks SET secret = :s WHERE id = :id", s=Vault([OTHER]).seal("x", webhook), id=webhook
        )
    pausing = "UPDATE webhooks SET state = :state, reason = :reason WHERE id = :id"
    await scene.sql(pausing, state="paused", reason="secret_unreadable", id=paused)
    await scene.sql(pausing, state="ended", reason="owner_revoked", id=ended)
    sealed, task = await scene.stored(), Resealing(scene.database, BOTH)
    async with scene.processes(BOTH):
        assert [await task.run() for _ in range(2)] == [under(unknown=1)] * 2
        assert await scene.stored() == sealed
        await scene.sql("UPDATE webhooks SET secret = :s WHERE id = :id", s=BEFORE.seal("x", paused), id=paused)
        assert await task.run() == under(newest=1, unknown=1), "the old key was put back: it is read again"
        await scene.sql("DELETE FROM webhooks WHERE id = :id", id=lost)


async def test_the_leader_does_it_and_shows_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading, "_RESEAL_EVERY_SECONDS", 0.2)
    made = await scene.make(5)
    state = scene.running.gateway.own.state
    feeds = state.leading._feeds
    leader = Leading.of(state.settings, Outfit(BOTH, state.settings.webhook_destinations, feeds.ends), feeds)

    def shown(key: str) -> float:
        return float(metrics.SECRETS.labels(key)._value.get())

    async def counted() -> bool:
        return shown("older") == 5

    async def done() -> bool:
        return (shown("newest"), shown("older"), shown("unknown")) == (5, 0, 0)

    leads = asyncio.create_task(leader.run())
    try:
        async with scene.processes(BEFORE):
            await eventually(counted)
        await eventually(done)
    finally:
        await stop([leads])
        await leader.close()
    assert {webhook: AFTER.unseal(sealed, webhook) for webhook, sealed in (await scene.stored()).items()} == made
