"""The processes of the benchmark of events. Each writes at its end into a file, as JSON, what it did and used.

`python -m benchmarks.line.process FILE ROLE ...`: registry, scoring and nothing are a service as it is (nothing: scoring's
consumer with a handler that does nothing); publish and consume are bare nats-py.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import nats
from nats.js.api import ConsumerConfig
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event
from kit import metrics
from kit.inbox import Subscription
from kit.process import Service, run
from kit.settings import ServiceSettings

STREAM = "BENCHMARK"
SUBJECTS = "benchmark.>"
CONSUMER = "benchmark"
SENT = "Sent"
_BATCH = 500


class Ages:
    """In place of the histogram of event ages: writes each age down."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def labels(self, *_names: str) -> Ages:
        """All consumers in one."""
        return self

    def observe(self, age: float) -> None:
        """Note one event's age when its effect was committed."""
        self._file.write(f"{age:.6f}\n")


async def do_nothing(_session: AsyncSession, _events: Sequence[Event]) -> int:
    """The cheapest effect."""
    return 0


def service(role: str) -> Service:
    """The service of this role."""
    if role == "registry":
        from services.registry.service import SERVICE as REGISTRY  # noqa: PLC0415 - only what the role needs is loaded

        return REGISTRY
    from services.scoring.service import SERVICE as SCORING  # noqa: PLC0415 - as above

    if role == "scoring":
        return SCORING
    what = Subscription("scoring-registry", "KKB_REGISTRY", "kkb.registry.>", do_nothing)
    return Service(name="scoring", title="Nothing", description="", routers=(), subscriptions=(what,))


def serve(role: str, ages: Path) -> None:
    """Run a service until SIGTERM, with the ages of events in a file."""
    with ages.open("a", buffering=1) as file:
        metrics.EVENT_AGE = Ages(file)  # type: ignore[assignment]
        run(service(role), ServiceSettings())


async def publish(url: str, lines: Sequence[list[bytes]], rate: float) -> dict[str, Any]:
    """Publish every line (subject, body), as fast as it goes or so many a second; when it began."""
    client = await nats.connect(url)
    jetstream = client.jetstream()
    began = time.time()
    for place, (subject, body) in enumerate(lines):
        if rate:
            await asyncio.sleep(began + place / rate - time.time())
        await jetstream.publish_async(subject.decode(), body, headers={SENT: repr(time.time())} if rate else None)
    await jetstream.publish_async_completed()
    ended = time.time()
    await client.close()
    return {"began": began, "ended": ended}


async def consume(url: str, number: int, ages: Path) -> dict[str, Any]:
    """Fetch and acknowledge so many messages; when it had acknowledged the last."""
    client = await nats.connect(url)
    config = ConsumerConfig(max_ack_pending=100 * _BATCH)
    subscription = await client.jetstream().pull_subscribe(SUBJECTS, CONSUMER, STREAM, config)
    taken, began = 0, None
    with ages.open("a") as file:
        while taken < number:
            try:
                messages = await subscription.fetch(_BATCH, timeout=1)
            except TimeoutError:
                continue
            began = began or time.time()
            for message in messages:
                await message.ack()
                if message.headers:
                    file.write(f"{time.time() - float(message.headers[SENT]):.6f}\n")
            taken += len(messages)
    await client.flush()
    ended = time.time()
    await client.close()
    return {"began": began, "ended": ended}


def peak_megabytes() -> float:
    """Most memory this process has had in use (resource's ru_maxrss counts what its parent had as well)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(said: str, role: str, *arguments: str) -> None:
    """Play a role."""
    told: dict[str, Any] = {}
    if role == "publish":
        lines = [line.split(b"\t", 1) for line in Path(arguments[1]).read_bytes().splitlines()]
        told = asyncio.run(publish(arguments[0], lines, float(arguments[2])))
    elif role == "consume":
        told = asyncio.run(consume(arguments[0], int(arguments[1]), Path(arguments[2])))
    else:
        serve(role, Path(arguments[0]))
    told["megabytes"] = peak_megabytes()
    Path(said).write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
