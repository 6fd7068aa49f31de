"""Reads streams for a rebuild: which part of them counts, whether it is whole, and folding it beside the living."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import StreamInfo
from nats.js.errors import NotFoundError
from sqlalchemy.exc import ProgrammingError

from contracts.events import STREAMS, Event, decode
from kit.bus import REQUEST_SECONDS
from kit.database import Database
from kit.positions import Positions
from kit.problems import is_database_away
from kit.rebuilds import Fold
from kit.rebuilds.schemas import Failure
from kit.stream import position_of, published_up_to, read

log = logging.getLogger(__name__)

MOST_FAILING: Final = 100
"""Events that cannot be applied before the rebuild is refused: so many are no poison but a defect of the rebuild."""
_CLOCKS: Final = timedelta(minutes=10)
"""How far the clocks of an owner and of NATS may be apart."""


class Refused(Exception):
    """The rebuild cannot be carried out; the living projection is left as it is."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


@dataclass(frozen=True)
class Part:
    """Which part of a stream counts: of one feed, all positions from `first` on, `last` among them."""

    feed: UUID | None
    """None: the stream never held anything."""
    first: int
    last: int
    start: int | datetime
    """Where reading begins: a sequence or a moment."""
    expected: int
    """Events, at least."""
    why: Failure
    """What it means if some are missing."""


def told_again(re_emission: Mapping[str, Any]) -> Part:
    """The part that begins with a re-emission."""
    first, last = re_emission["first_position"], re_emission["last_position"]
    if first is None:  # its owner has nothing and never had: things are withdrawn, not removed
        return Part(UUID(re_emission["feed_id"]), 1, 0, 1, 0, Failure.STREAM_INCOMPLETE)
    start = datetime.fromisoformat(re_emission["started_at"]) - _CLOCKS
    return Part(UUID(re_emission["feed_id"]), first, last, start, last - first + 1, Failure.RE_EMISSION_INCOMPLETE)


async def whole(client: Client, stream: str) -> Part:
    """The whole feed of the stream's owner, from its first event on.

    It is the feed of the last message. Messages of another feed are from before the owner's database was put back in
    time; what they told may never have happened.

    Raises:
        Refused: there is no such stream, or it was emptied, or it ends with something that is not the owner's.
    """
    jetstream = client.jetstream(timeout=REQUEST_SECONDS)
    try:
        state = (await jetstream.stream_info(stream)).state
        if not state.last_seq:
            return Part(None, 1, 0, 1, 0, Failure.STREAM_INCOMPLETE)
        feed = position_of(await jetstream.get_last_msg(stream, STREAMS[stream]))
    except NotFoundError:
        feed = None
    if feed is None:
        detail = f"the stream {stream} does not end with an event of its owner; rebuild from the services instead"
        raise Refused(Failure.STREAM_INCOMPLETE, detail)
    return Part(feed[0], 1, 0, 1, state.messages, Failure.STREAM_INCOMPLETE)


class Reading:
    """One stream on its way into the tables beside the living."""

    def __init__(
        self, client: Client, beside: Database, stream: str, subjects: Sequence[str], fold: Fold, part: Part
    ) -> None:
        self._client = client
        self._beside = beside
        self.stream = stream
        self._subjects = tuple(subject.removesuffix(">") for subject in subjects)
        self._fold = fold
        self.part = part
        self._next = part.start
        self._created: datetime | None = None
        self._told = 0
        self._seen = Positions()
        self.events = 0
        """Positions seen, each time."""
        self.unreadable = 0
        self.failing = 0

    @property
    def gap(self) -> int | None:
        """The first position that counts and was not found; None where the part is whole.

        Whole up to what any message says had been published when it was sent, so an end that was lost is noticed.
        """
        if self.part.feed is None:
            return None
        return self._seen.first_gap(self.part.first, max(self.part.last, self._told, self._seen.newest))

    async def to_end(self) -> int:
        """Fold all that the stream holds by now; its last sequence.

        Raises:
            Refused: the stream was made anew, or its numbers went back, since reading began; too many events fail.
            NotRead, nats.errors.Error: NATS is away.
        """
        last = (await self._info()).state.last_seq
        if isinstance(self._next, datetime) or self._next <= last:
            async for batch in read(self._client, self.stream, self._next, last):
                await self._take(batch)
            self._next = last + 1
        return last

    async def _info(self) -> StreamInfo:
        try:
            info = await self._client.jetstream(timeout=REQUEST_SECONDS).stream_info(self.stream)
        except NotFoundError:
            raise Refused(Failure.STREAM_CHANGED, f"the stream {self.stream} is gone") from None
        went_back = isinstance(self._next, int) and info.state.last_seq < self._next - 1
        if went_back or self._created not in (None, info.created):
            raise Refused(Failure.STREAM_CHANGED, f"the stream {self.stream} was made anew or lost its newest events")
        self._created = info.created
        return info

    async def _take(self, batch: Sequence[Msg]) -> None:
        events = []
        for message in batch:
            feed, position = position_of(message) or (None, 0)
            if feed != self.part.feed or position < self.part.first:
                continue
            self._seen.add(position)
            self._told = max(self._told, published_up_to(message))
            self.events += 1
            if message.subject.startswith(self._subjects):
                events += self._decoded(message)
        await self._fold_all(events)

    def _decoded(self, message: Msg) -> list[Event]:
        """The event, if this release can read it; what it cannot read is a dead letter of the consumer's, not ours."""
        try:
            return [decode(message.data)]
        except Exception:  # noqa: BLE001 - whatever the bytes do to the decoder, the next message is read
            self.unreadable += 1
            return []

    async def _fold_all(self, events: Sequence[Event]) -> None:
        """Fold events in one transaction; what fails is halved down to the culprits, which are left out."""
        if not events:
            return
        failure = await self._try(events)
        if failure is None:
            return
        if len(events) > 1:
            middle = len(events) // 2
            await self._fold_all(events[:middle])
            await self._fold_all(events[middle:])
            return
        log.warning("event %s is left out of the rebuild: %s", events[0].id, type(failure).__name__)
        self.failing += 1
        if self.failing > MOST_FAILING:
            detail = f"more than {MOST_FAILING} events of {self.stream} cannot be applied: {type(failure).__name__}"
            raise Refused(Failure.TOO_MANY_FAILING, detail)

    async def _try(self, events: Sequence[Event]) -> Exception | None:
        try:
            async with self._beside.transaction() as session:
                await self._fold(session, events)
        except ProgrammingError:
            raise  # the tables are not what they should be: that is no event's fault
        except Exception as error:
            if is_database_away(error):
                raise
            return error
        return None
