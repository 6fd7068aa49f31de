"""The script that the PostgreSQL image runs on a new volume, on a real server."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.embedded.ports import free_port
from deploy.embedded.problems import StartProblem
from deploy.embedded.servers import EmbeddedPostgres
from tests.deploy.compose.conftest import PROCESSES, REPOSITORY

SCRIPT = REPOSITORY / "deploy/postgres/roles-and-databases.sql"


@pytest.fixture
def server(open_folder: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedPostgres]:
    """A new server; psql sees the passwords that its container would."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    server = EmbeddedPostgres(open_folder, free_port(), durable=False)
    server.start()
    yield server
    server.stop()


class TestPostgres:
    def test_without_a_password_it_fails(self, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("REGISTRY_DATABASE_PASSWORD")
        with pytest.raises(StartProblem, match="syntax error"):
            server.sql(SCRIPT.read_text())

    async def test_each_role_enters_its_own_database_only(
        self, server: EmbeddedPostgres, compose: dict[str, Any]
    ) -> None:
        server.sql(SCRIPT.read_text())
        address = re.compile(r"postgresql\+asyncpg://(\w+):(\w+)@postgres:5432/(\w+)")
        parts = {
            process: address.fullmatch(compose["services"][process]["environment"]["KKB_DATABASE_URL"])
            for process in PROCESSES
        }
        for own, other in itertools.product(parts.values(), repeat=2):
            assert own is not None
            assert other is not None
            where = {"host": "127.0.0.1", "port": server.port, "database": other[3]}
            if own is other:
                connection = await asyncpg.connect(user=own[1], password=own[2], **where)
                await connection.execute("CREATE TABLE mine ()")
                await connection.close()
            else:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await asyncpg.connect(user=own[1], password=own[2], **where)
