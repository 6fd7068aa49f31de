import os
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import asyncpg
import nats
import pytest

from deploy.embedded.databases import SERVICES, ensure_databases
from deploy.embedded.ports import free_port
from deploy.embedded.problems import StartProblem
from deploy.embedded.servers import EmbeddedNats, EmbeddedPostgres


def plain(url: str) -> str:
    return url.replace("+asyncpg", "")


class TestEmbeddedPostgres:
    def test_a_restart_on_another_port_keeps_data_and_passwords(self, open_folder: Path) -> None:
        first = EmbeddedPostgres(open_folder, free_port())
        first.start()
        try:
            first.sql("CREATE TABLE kept (what text); INSERT INTO kept VALUES ('berkelanjutan');")
        finally:
            first.stop()
        second = EmbeddedPostgres(open_folder, free_port())
        second.start()
        try:
            assert second.sql("SELECT what FROM kept;") == "berkelanjutan"
        finally:
            second.stop()
        assert "database system is shut down" in (open_folder / "logs" / "postgres.log").read_text()

    def test_it_is_durable_utf8_and_local(self, open_folder: Path) -> None:
        server = EmbeddedPostgres(open_folder, free_port())
        server.start()
        try:
            shown = {name: server.sql(f"SHOW {name};") for name in ("fsync", "synchronous_commit", "listen_addresses")}
            encoding = server.sql("SHOW server_encoding;")
        finally:
            server.stop()
        assert shown == {"fsync": "on", "synchronous_commit": "on", "listen_addresses": "127.0.0.1"}
        assert encoding == "UTF8"

    async def test_a_wrong_password_is_refused(self, open_folder: Path) -> None:
        server = EmbeddedPostgres(open_folder, free_port(), durable=False)
        server.start()
        try:
            wrong = plain(server.url("postgres", "wrong", "postgres"))
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(wrong)
        finally:
            server.stop()

    def test_after_kill_9_it_recovers_although_its_pid_belongs_to_another_program(self, open_folder: Path) -> None:
        server = EmbeddedPostgres(open_folder, free_port())
        server.start()
        server.sql("CREATE TABLE kept (what text); INSERT INTO kept VALUES ('mandiri');")
        assert server.child.process is not None
        server.child.process.kill()
        server.child.process.wait()
        pid_file = next(open_folder.rglob("postmaster.pid"))
        owner = pid_file.stat()
        # The number of a living process of the same user: PostgreSQL alone would refuse to start.
        user = owner.st_uid if os.geteuid() == 0 else None
        stranger = subprocess.Popen(["/bin/sleep", "60"], user=user)
        try:
            lines = pid_file.read_text().splitlines()
            pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
            restarted = EmbeddedPostgres(open_folder, server.port)
            self.start_when_the_old_backends_have_gone(restarted)
            try:
                assert restarted.sql("SELECT what FROM kept;") == "mandiri"
            finally:
                restarted.stop()
        finally:
            stranger.kill()
            stranger.wait()

    @staticmethod
    def start_when_the_old_backends_have_gone(server: EmbeddedPostgres) -> None:
        """Backends notice a killed postmaster within moments; until then the shared memory is in use."""
        for _ in range(100):
            try:
                return server.start()
            except StartProblem:
                time.sleep(0.1)
        return server.start()

    def test_a_second_server_on_the_same_data_is_refused_and_the_first_goes_on(self, open_folder: Path) -> None:
        first = EmbeddedPostgres(open_folder, free_port(), durable=False)
        first.start()
        try:
            with pytest.raises(StartProblem, match="already works on"):
                EmbeddedPostgres(open_folder, free_port(), durable=False).start()
            assert first.sql("SELECT 1;") == "1"
        finally:
            first.stop()

    def test_a_port_taken_after_the_check_is_reported_with_the_log(self, open_folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            server = EmbeddedPostgres(open_folder, taken.getsockname()[1], durable=False)
            with pytest.raises(StartProblem, match=r"PostgreSQL ended while starting(.|\n)*Address already in use"):
                server.start()

    async def test_the_databases_are_made_once_and_nobody_enters_another_ones(self, open_folder: Path) -> None:
        server = EmbeddedPostgres(open_folder, free_port(), durable=False)
        server.start()
        try:
            urls = ensure_databases(server, open_folder / "secrets")
            assert ensure_databases(server, open_folder / "secrets") == urls
            assert list(urls) == list(SERVICES)
            await self.write_a_table(plain(urls["registry"]))
            foreign = plain(urls["registry"]).removesuffix("kkb_registry") + "kkb_scoring"
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(foreign)
        finally:
            server.stop()
        modes = {stat.S_IMODE(path.stat().st_mode) for path in open_folder.rglob("*.password")}
        assert modes == {0o600}

    @staticmethod
    async def write_a_table(url: str) -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE own (n int)")
        await connection.close()


async def publish_one(url: str) -> None:
    client = await nats.connect(url)
    stream = client.jetstream()
    await stream.add_stream(name="TEST", subjects=["test.>"])
    await stream.publish("test.one", b"kept")
    await client.close()


async def read_one(url: str) -> bytes:
    client = await nats.connect(url)
    message = await client.jetstream().get_msg("TEST", 1)
    await client.close()
    return message.data or b""


class TestEmbeddedNats:
    @pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
    async def test_a_restart_keeps_the_streams(self, open_folder: Path, ending: signal.Signals) -> None:
        first = EmbeddedNats(open_folder, free_port())
        first.start()
        await publish_one(first.url)
        assert first.child.process is not None
        first.child.process.send_signal(ending)
        first.child.process.wait()
        second = EmbeddedNats(open_folder, free_port())
        second.start()
        try:
            assert await read_one(second.url) == b"kept"
        finally:
            second.stop()

    def test_without_the_password_nobody_enters(self, open_folder: Path) -> None:
        server = EmbeddedNats(open_folder, free_port())
        server.start()
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
                assert client.recv(4096).startswith(b"INFO ")
                client.sendall(b'CONNECT {"verbose": true}\r\n')
                assert client.recv(4096) == b"-ERR 'Authorization Violation'\r\n"
        finally:
            server.stop()
        assert stat.S_IMODE((open_folder / "nats" / "nats.conf").stat().st_mode) == 0o600

    def test_a_taken_port_is_reported_with_the_log(self, open_folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            server = EmbeddedNats(open_folder, taken.getsockname()[1])
            with pytest.raises(StartProblem, match=r"NATS ended while starting(.|\n)*address already in use"):
                server.start()
