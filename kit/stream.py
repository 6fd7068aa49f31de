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
from kit.bus import NATS_AWAY, REQUEST_SECONDS

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
_NO_MESSAGES = "404"
_NOTHING_THERE = {_NO_MESSAGES, "408"}
_NOBODY = "503"
_GRACE_SECONDS = 1.0
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
    except NATS_AWAY as error:
        missing = missing if isinstance(error, TimeoutError) else error
    return [answers.get(place, missing) for place in range(len(rows))]


def _answer(message: Msg) -> PubAck | Exception:
    if "Status" in (message.headers or {}):
        return _refusal(message)
    said = json.loads(message.data)
    return APIError(**said["error"]) if "error" in said else PubAck.from_response(said)


@asynccontextmanager
async def _listening(client: Client, subject: str, take: Callable[[Msg], Awaitable[None]]) -> AsyncIterator[None]:
    # no limit of bytes: what comes was asked for, a batch at a time, so nothing needs to be dropped for want of room
    subscription = await client.subscribe(subject, cb=take, pending_bytes_limit=0)
    try:
        yield
    finally:
        with contextlib.suppress(*NATS_AWAY):
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
            async with _reading(client, stream, start, headers_only=headers_only) as puller:
                came = 0
                while got := await puller.pull():
                    batch = _up_to_a_gap(got, came)
                    came += len(batch)
                    if batch:
                        broken, start = 0, batch[-1].metadata.sequence.stream + 1
                        yield [message for message in batch if message.metadata.sequence.stream <= last]
                        if start > last:
                            return
                    if len(batch) < len(got):
                        break
                else:
                    if puller.at_end and await puller.delivered() == came:
                        return
        except NotFoundError:
            raise
        except NATS_AWAY as error:
            log.warning("reading %s broke off: %s", stream, str(error) or type(error).__name__)
        broken += 1
        if broken > _RETRIES:
            raise NotRead(f"the stream {stream} breaks off at {start}")
        await asyncio.sleep(_WAIT_SECONDS)


def _up_to_a_gap(messages: Sequence[Msg], came: int) -> list[Msg]:
    """Messages of a consumer that has delivered so many before, up to the first that was lost on the way."""
    return [message for place, message in enumerate(messages, came + 1) if message.metadata.sequence.consumer == place]


@asynccontextmanager
async def _reading(client: Client, stream: str, start: int | datetime, *, headers_only: bool) -> AsyncIterator[Puller]:
    """A consumer of its own for one reading; if it is not removed at the end, the server forgets it by itself."""
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
    try:
        async with Puller(client, stream, consumer.name).listening() as puller:
            yield puller
    finally:
        with contextlib.suppress(*NATS_AWAY):
            await jetstream.delete_consumer(stream, consumer.name)


class Puller:
    """Fetches of a consumer. nats-py's own fetch makes a task and a timer a message, which costs three times as much."""

    def __init__(self, client: Client, stream: str, consumer: str) -> None:
        self._client = client
        self._stream, self._consumer = stream, consumer
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = client.new_inbox()
        self._got: list[Msg] = []
        self._wanted = 0
        self._refusal: nats.errors.Error | None = None
        self._complete = asyncio.Event()
        self.at_end = False
        """Whether the stream has no more messages just now."""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Puller]:
        """Within this block messages can be pulled."""
        async with _listening(self._client, self._inbox, self._take):
            yield self

    async def _take(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status")
        if status is None:
            self._got.append(message)
        elif status not in _NOTHING_THERE:
            self._refusal = _refusal(message)
        self.at_end = status == _NO_MESSAGES
        if status is not None or len(self._got) >= self._wanted:
            self._complete.set()

    async def pull(self, wait: float = 0.0) -> list[Msg]:
        """The next messages, as many as there are, about one batch at most; if there are none, wait for one.

        What comes too late for one pull is part of the next. No messages: there are none, or the connection is broken.

        Raises:
            nats.errors.Error: stream or consumer are gone, or it may not be pulled; what came before is given first.
        """
        await self._ask({"batch": _BATCH, "no_wait": True}, wait or REQUEST_SECONDS)
        if wait and not self._got and self._refusal is None:
            await self._ask({"batch": 1, "expires": int(wait * 1e9)}, wait + _GRACE_SECONDS)
        if self._refusal is not None and not self._got:
            refusal, self._refusal = self._refusal, None
            raise refusal
        got, self._got = self._got, []
        return got

    async def delivered(self) -> int:
        """How many messages the server has sent to this consumer, whether they came or not."""
        jetstream = self._client.jetstream(timeout=REQUEST_SECONDS)
        info = await jetstream.consumer_info(self._stream, self._consumer)
        return 0 if info.delivered is None else int(info.delivered.consumer_seq)

    async def _ask(self, request: dict[str, object], seconds: float) -> None:
        self._complete.clear()
        self._wanted = len(self._got) + int(str(request["batch"]))
        await self._client.publish(self._next, json.dumps(request).encode(), self._inbox)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._complete.wait(), seconds)


def _refusal(message: Msg) -> nats.errors.Error:
    said = message.headers or {}
    if said["Status"] == _NOBODY:
        return NoStreamResponseError()
    return APIError(code=int(said["Status"]), description=said.get("Description"))
