"""The configuration that is mounted into the NATS container, on a real server."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest
from nats.js.api import ConsumerConfig

from contracts.events import STREAMS
from deploy.embedded.ports import free_port
from kit.bus import Bus
from kit.stream import read
from tests.deploy.compose.conftest import REPOSITORY

PROGRAM = Path(sys.executable).with_name("nats-server")
CONFIGURATION = REPOSITORY / "deploy/nats/nats.conf"


@dataclass
class Nats:
    """The compose file's NATS server on a port of its own."""

    port: int
    env: dict[str, str]

    def url(self, service: str) -> str:
        return f"nats://{service}:{self.env[f'{service.upper()}_NATS_PASSWORD']}@127.0.0.1:{self.port}"

    async def answer(self, options: dict[str, str], command: str) -> str:
        """The first line that the server answers to a command, PONG if it does not mind; no client library in between."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        assert b'"auth_required":true' in await reader.readline()
        connect = json.dumps({"verbose": False, **options})
        writer.write(f"CONNECT {connect}\r\n{command}\r\nPING\r\n".encode())
        line = await reader.readline()
        writer.close()
        return line.decode().strip()


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]) -> AsyncIterator[Nats]:
    """Running on ports and a folder of this test, with the streams that a service makes at its start."""
    folder, port, monitor = tmp_path_factory.mktemp("nats"), free_port(), free_port()
    configuration = folder / "nats.conf"
    assert CONFIGURATION.read_text().count('"/data"') == 1
    configuration.write_text(CONFIGURATION.read_text().replace('"/data"', json.dumps(str(folder))))
    options = ("-c", configuration, "-a", "127.0.0.1", "-p", str(port), "-m", str(monitor))
    process = await asyncio.create_subprocess_exec(PROGRAM, *options, env=env, stderr=asyncio.subprocess.DEVNULL)
    running = Nats(port, env)
    bus = Bus(running.url("registry"), "test")
    ensuring = asyncio.create_task(bus.run())
    try:
        await asyncio.wait_for(bus.jetstream(), 15)
        yield running
    finally:
        ensuring.cancel()
        await asyncio.gather(ensuring, return_exceptions=True)
        process.terminate()
        await process.wait()


class TestNats:
    def test_without_passwords_it_does_not_start(self) -> None:
        done = subprocess.run(
            [PROGRAM, "-t", "-c", CONFIGURATION],
            env={},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode != 0
        assert "REGISTRY_NATS_PASSWORD" in done.stderr

    @pytest.mark.parametrize("options", [{}, {"user": "registry", "pass": "wrong"}])
    async def test_a_stranger_does_not_get_in(self, server: Nats, options: dict[str, str]) -> None:
        assert await server.answer(options, "SUB _INBOX.x 1") == "-ERR 'Authorization Violation'"

    @pytest.mark.parametrize("service", ["registry", "interventions", "scoring"])
    async def test_a_service_publishes_its_own_events_and_reads_all(self, server: Nats, service: str) -> None:
        client = await nats.connect(server.url(service))
        jetstream = client.jetstream(timeout=5)
        await jetstream.publish(f"kkb.{service}.tried", service.encode())
        for stream in STREAMS:
            await jetstream.stream_info(stream)
        config = ConsumerConfig(durable_name=f"reader-{service}")
        subscription = await jetstream.pull_subscribe(
            f"kkb.{service}.>", durable=f"reader-{service}", stream=f"KKB_{service.upper()}", config=config
        )
        (message,) = await subscription.fetch(1, timeout=5)
        await message.ack_sync()
        assert message.data == service.encode()
        last = await jetstream.get_last_msg(f"KKB_{service.upper()}", f"kkb.{service}.>")
        assert last.data == message.data
        batches = read(client, f"KKB_{service.upper()}", 1, last.seq, headers_only=True)
        assert [one.metadata.sequence.stream async for batch in batches for one in batch][-1] == last.seq
        await client.close()

    @pytest.mark.parametrize(
        "subject",
        [
            "kkb.registry.forged",
            "kkb.interventions.forged",
            "$JS.API.STREAM.DELETE.KKB_SCORING",
            "$JS.API.STREAM.PURGE.KKB_SCORING",
            "$JS.API.STREAM.UPDATE.KKB_SCORING",
            "$JS.API.STREAM.MSG.DELETE.KKB_SCORING",
        ],
    )
    async def test_a_service_neither_forges_nor_destroys(self, server: Nats, subject: str) -> None:
        options = {"user": "scoring", "pass": server.env["SCORING_NATS_PASSWORD"]}
        assert await server.answer(options, "PUB kkb.scoring.tried 2\r\n{}") == "PONG"
        answer = await server.answer(options, f"PUB {subject} 2\r\n{{}}")
        assert answer == f"-ERR 'Permissions Violation for Publish to \"{subject}\"'"
