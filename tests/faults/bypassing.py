"""A service with a mistake in it, so that the history checker can be seen to find it: `python -m tests.faults.bypassing NAME`.

The setting KKB_TESTS_MISTAKES says who makes which, such as `scoring=acknowledge-first interventions=forget-keys`; the
others are themselves. Each mistake is one that is made in earnest elsewhere:

publish-after-commit: no outbox; when the transaction is committed, its events are sent to the stream.
acknowledge-first: a consumer acknowledges what it fetched and handles it then.
forget-keys: Idempotency-Key is accepted and not looked at.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import nats
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

import kit.outbox
from contracts.events import Event
from kit import failpoints
from kit.database import Database
from kit.idempotency import Answer, Once
from kit.inbox import Consumer
from kit.process import Service, run
from kit.settings import ServiceSettings

SETTING = "KKB_TESTS_MISTAKES"
_PATIENCE_SECONDS = 30
log = logging.getLogger(__name__)


def publish_after_commit(settings: ServiceSettings) -> None:
    """Events are sent when they are committed: whoever dies between the two loses them."""
    client, connecting = nats.NATS(), asyncio.Lock()

    async def remember(session: AsyncSession, events: Iterable[Event]) -> None:
        session.info.setdefault("events", []).extend(events)
        session.info[failpoints.MATTERS] = True
        failpoints.reach("after_flush")

    @asynccontextmanager
    async def transaction(self: Database) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            async with session.begin():
                yield session
            events: list[Event] = session.info.get("events", [])
            if events:
                failpoints.reach("after_commit")
                await send(events)

    async def send(events: list[Event]) -> None:
        try:
            async with connecting:
                if not client.is_connected:
                    await client.connect(settings.nats_url, connect_timeout=_PATIENCE_SECONDS)
            for event in events:
                headers = {"Nats-Msg-Id": str(event.id)}
                stream = client.jetstream(timeout=_PATIENCE_SECONDS)
                await stream.publish(event.nats_subject, kit.outbox.wire(event), headers=headers)
        except (nats.errors.Error, OSError, TimeoutError):
            log.exception("not published")

    kit.outbox.publish = remember
    Database.transaction = transaction  # type: ignore[method-assign]


def acknowledge_first(_settings: ServiceSettings) -> None:
    """What was acknowledged is not delivered again: whoever dies before the commit loses it."""
    apply: Callable[..., Awaitable[Any]] = Consumer._apply

    async def acknowledged(self: Consumer, deliveries: list[Any]) -> Any:
        for delivery in deliveries:
            message = delivery.message
            await message._client.publish(message.reply, b"+ACK")
        await deliveries[0].message._client.flush()
        return await apply(self, deliveries)

    Consumer._apply = acknowledged  # type: ignore[method-assign]


def forget_keys(_settings: ServiceSettings) -> None:
    """Every request is a new one: what is sent again is done again."""

    async def always(_self: Once, _caller: object, action: Callable[[], Awaitable[Answer]]) -> Response:
        return (await action()).response()

    Once.__call__ = always  # type: ignore[method-assign]


MISTAKES: dict[str, Callable[[ServiceSettings], None]] = {
    "publish-after-commit": publish_after_commit,
    "acknowledge-first": acknowledge_first,
    "forget-keys": forget_keys,
}


def main(name: str) -> None:
    """Run a service, with its mistake if it makes one."""
    settings = ServiceSettings()
    mistakes = dict(pair.split("=") for pair in os.environ[SETTING].split())
    if name in mistakes:
        MISTAKES[mistakes[name]](settings)
    # only now: the rooms take `publish` by name when they are imported
    service: Service = importlib.import_module(f"services.{name}.service").SERVICE
    run(service, settings)


if __name__ == "__main__":
    main(sys.argv[1])
