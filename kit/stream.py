"""What goes to a stream and how one is read: headers of our messages, sending in batches, reading in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, PubAck, RawStreamMsg
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from contracts.events.base import nats_subject
from kit.bus import REQUEST_SECONDS

log = logging.getLogger(__name__)

POSITION_HEADER = "Kkb-Position"
"""Header of a message: `<feed id>:<position>`."""
PUBLISHED_HEADER = "Kkb-Published"
"""Header of a message: the position up to which its feed had been published when this message was sent. Whoever reads a
stream knows by it that the stream must hold more than he has found."""
WRITTEN_HEADER = "Kkb-Written"
"""Header of a message: when the event was written into the outbox (ISO 8601). An event that is told again keeps the
time of its change, so only this says how long it was on its way."""

_BATCH = 500
_PULL = json.dumps({"batch": _BATCH, "no_wait": True}).encode()
_NO_MESSAGES = "404"
_NOBODY = "503"
_RETRIES = 5
_WAIT_SECONDS = 1.0


class NotRead(Exception):
    """The stream could not be read to the end."""


async def send(client: Client, state: Any, rows: Sequence[Any], *, suffix: str = "") -> list[PubAck | Exception]:
    """Send outbox rows (position, event_id, type, region_code, body, created_at) in order, without waiting in between.

    `state` is the publication: feed_id, published. `suffix` makes messages whose Nats-Msg-Id the stream may still
    remember new to it. Answers for each row the stream's acknowledgement, or why there is none.
    """
    inbox, complete = client.new_inbox(), asyncio.Event()
    answers: dict[int, PubAck | Exception] = {}
    missing: Exception = TimeoutError(f"no acknowledgement within {REQUEST_SECONDS:g} s")

    async def take(message: Msg) -> None:
        answers[int(message.subject.rpartition(".")[2])] = _answer(message)
        if len(answers) == len(rows):
            complete.set()

    try:
        # one subscription a batch: nats-py's own publish makes a task and a timer a message, which costs twice as much
        async with _listening(client, f"{inbox}.*", take):
            for place, row in enumerate(rows):
                subject, headers = nats_subject(row["type"], row["region_code"]), _headers(state, row, suffix)
                await client.publish(subject, row["body"], f"{inbox}.{place}", headers)
            await asyncio.wait_for(complete.wait(), REQUEST_SECONDS)
    except (nats.errors.Error, OSError) as error:  # TimeoutError is an OSError
        missing = missing if isinstance(error, TimeoutError) else error
    return [answers.get(place, missing) for place in range(len(rows))]


def _answer(message: Msg) -> PubAck | Exception:
    if (message.headers or {}).get("Status") == _NOBODY:
        return NoStreamResponseError()
    said = json.loads(message.data)
    return APIError(**said["error"]) if "error" in said else PubAck.from_response(said)


@asynccontextmanager
async def _listening(client: Client, subject: str, take: Callable[[Msg], Awaitable[None]]) -> AsyncIterator[None]:
    subscription = await client.subscribe(subject, cb=take)
    try:
        yield
    finally:
        with contextlib.suppress(nats.errors.Error):
            await subscription.unsubscribe()


def _headers(state: Any, row: Any, suffix: str) -> dict[str, str]:
    return {
        "Nats-Msg-Id": f"{row['event_id']}{suffix}",
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        POSITION_HEADER: f"{state['feed_id']}:{row['position']}",
        PUBLISHED_HEADER: str(state["published"]),
        WRITTEN_HEADER: row["created_at"].astimezone(UTC).isoformat(),
    }


def position_of(message: Msg | RawStreamMsg) -> tuple[UUID, int] | None:
    """Feed and position that a message carries; None where it carries none of ours."""
    feed, _, position = ((message.headers or {}).get(POSITION_HEADER) or "").rpartition(":")
    try:
        return UUID(feed), int(position)
    except ValueError:
        return None


def published_up_to(message: Msg) -> int:
    """The position up to which the message's feed had been published when it was sent; 0 where it does not say."""
    told = (message.headers or {}).get(PUBLISHED_HEADER) or ""
    return int(told) if told.isdecimal() else 0


def written_at(message: Msg) -> datetime | None:
    """When the message's event was written into its outbox, if the message says."""
    try:
        return datetime.fromisoformat((message.headers or {})[WRITTEN_HEADER])
    except (KeyError, ValueError):
        return None


async def read(
    client: Client, stream: str, start: int | datetime, last: int, *, headers_only: bool = False
) -> AsyncIterator[list[Msg]]:
    """Messages of a stream in order, in batches, from a sequence or a moment on up to the sequence `last`.

    Nobody else's deliveries are touched: the consumer is made for this reading. Where the connection breaks, reading
    goes on after the last message that came.

    Raises:
        NotRead: it broke several times without any message in between.
        nats.js.errors.NotFoundError: there is no such stream.
    """
    broken = 0
    while isinstance(start, datetime) or start <= last:
        try:
            async with _Puller.of(client, stream, start, headers_only=headers_only) as puller:
                while batch := await puller.pull():
                    broken, start = 0, batch[-1].metadata.sequence.stream + 1
                    yield [message for message in batch if message.metadata.sequence.stream <= last]
                    if start > last:
                        return
            if puller.at_end:
                return
        except NotFoundError:
            raise
        except (nats.errors.Error, TimeoutError) as error:
            log.warning("reading %s broke off: %s", stream, error or type(error).__name__)
        broken += 1
        if broken > _RETRIES:
            raise NotRead(f"the stream {stream} breaks off at {start}")
        await asyncio.sleep(_WAIT_SECONDS)


class _Puller:
    """Fetches of a consumer. nats-py's own fetch makes a task for every message, which costs four times as much."""

    def __init__(self, client: Client, stream: str, consumer: str) -> None:
        self._client = client
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = client.new_inbox()
        self._got: list[Msg] = []
        self._came = 0
        self._complete = asyncio.Event()
        self.at_end = False
        """Whether the stream has no more messages just now."""

    @classmethod
    @asynccontextmanager
    async def of(
        cls, client: Client, stream: str, start: int | datetime, *, headers_only: bool
    ) -> AsyncIterator[_Puller]:
        """A puller with a consumer of its own; if it is not removed at the end, the server forgets it by itself."""
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE if isinstance(start, int) else DeliverPolicy.BY_START_TIME,
            opt_start_seq=max(start, 1) if isinstance(start, int) else None,
            opt_start_time=None if isinstance(start, int) else start,
            ack_policy=AckPolicy.NONE,
            headers_only=headers_only,
            mem_storage=True,
            inactive_threshold=6 * REQUEST_SECONDS,
        )
        jetstream = client.jetstream(timeout=REQUEST_SECONDS)
        consumer = await jetstream.add_consumer(stream, config)
        puller = cls(client, stream, consumer.name)
        # no limit of bytes: a pull asks for one batch, so nothing needs to be dropped for want of room
        subscription = await client.subscribe(puller._inbox, cb=puller._take, pending_bytes_limit=0)
        try:
            yield puller
        finally:
            with contextlib.suppress(nats.errors.Error, TimeoutError):
                await subscription.unsubscribe()
                await jetstream.delete_consumer(stream, consumer.name)

    async def _take(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status")
        if status is None:
            self._got.append(message)
        self.at_end = status == _NO_MESSAGES
        if status is not None or len(self._got) == _BATCH:
            self._complete.set()

    async def pull(self) -> list[Msg]:
        """The next messages without a gap; none at the end, and where something broke."""
        self._got = []
        self._complete.clear()
        await self._client.publish(self._next, _PULL, self._inbox)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._complete.wait(), REQUEST_SECONDS)
        whole = [
            message
            for expected, message in enumerate(self._got, self._came + 1)
            if message.metadata.sequence.consumer == expected
        ]
        self._came += len(whole)
        return whole
