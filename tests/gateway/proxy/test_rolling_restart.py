"""Two replicas, real processes, restarted one after the other while clients go on: nobody meets an error."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections import Counter

from tests.conftest import eventually
from tests.gateway.proxy import replica
from tests.gateway.proxy.scene import Front
from tests.gateway.proxy.test_failures import free_port

CLIENTS = 4


PROCESSES = multiprocessing.get_context("forkserver")
"""Their modules are imported once, not by each."""
PROCESSES.set_forkserver_preload([replica.__name__])


def start(*ports: int) -> multiprocessing.process.BaseProcess:
    process = PROCESSES.Process(target=replica.main, args=ports)
    process.start()
    return process


async def ended(process: multiprocessing.process.BaseProcess) -> int | None:
    await asyncio.to_thread(process.join, 60)
    return process.exitcode


async def one_client(door: Front, over: asyncio.Event, statuses: Counter[int]) -> None:
    """Reads and writes in turn, without a key that would let a write be sent again."""
    client = await door.connect()
    while not over.is_set():
        for method, body in (("GET", b""), ("POST", b"{}")):
            statuses[(await client.ask(method, "/thing", body=body)).status] += 1
            await asyncio.sleep(0.005)


async def test_clients_notice_nothing(front):
    ports = [(free_port(), free_port()) for _ in range(2)]
    processes = [start(*pair) for pair in ports]
    door = await front(",".join(f"http://127.0.0.1:{port}" for port, _ in ports))
    service = door.forwarder.services["thing"]
    for one in service.all:
        one.leave_out()  # until they have started
    watching = asyncio.create_task(service.watch())
    over, statuses = asyncio.Event(), Counter[int]()
    clients: list[asyncio.Task[None]] = []

    async def all_ready() -> bool:
        return all(one.ready for one in service.all)

    async def some(more_than: int) -> bool:
        return statuses.total() > more_than

    try:
        await eventually(all_ready)
        clients = [asyncio.create_task(one_client(door, over, statuses)) for _ in range(CLIENTS)]
        for number, pair in enumerate(ports):
            before = statuses.total()
            await eventually(lambda before=before: some(before + 50))
            processes[number].terminate()
            assert await ended(processes[number]) == 0
            before = statuses.total()
            await eventually(lambda before=before: some(before + 50))
            processes[number] = start(*pair)
            await eventually(all_ready)
        over.set()
        await asyncio.gather(*clients)
    finally:
        for task in (watching, *clients):
            task.cancel()
        for process in processes:
            process.kill()
            process.join()
    assert set(statuses) == {200}, Counter(call.failure for call in door.calls)
    assert statuses.total() > 200
