"""The first administrator's key."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from tests.conftest import eventually
from tests.gateway.conftest import StartGateway


async def test_is_written_for_its_owner_only(start_gateway: StartGateway, tmp_path: Path) -> None:
    file = tmp_path / "new" / "admin.key"
    running = await start_gateway(admin_key_file=file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o077 == 0
    me = (await running.client.get("/me", headers=running.with_key())).json()
    assert (me["roles"], me["region"]) == (["administrator"], None)


async def test_a_second_start_leaves_it_alone(start_gateway: StartGateway, tmp_path: Path) -> None:
    file = tmp_path / "admin.key"
    first = await start_gateway(admin_key_file=file)
    url = str(first.gateway.own.state.settings.database_url)
    second = await start_gateway(admin_key_file=file, database_url=url)
    assert first.admin_key == second.admin_key
    assert (await second.client.get("/me", headers=second.with_key())).status_code == 200


async def test_many_that_start_at_once_make_one(start_gateway: StartGateway, tmp_path: Path) -> None:
    one = await start_gateway(admin_key_file=tmp_path / "a.key")
    url = str(one.gateway.own.state.settings.database_url)
    other = await start_gateway(admin_key_file=tmp_path / "b.key", database_url=url)
    assert other.admin_key == ""
    assert not (tmp_path / "b.key").exists()


async def test_a_place_that_cannot_be_written_is_said_and_makes_no_key(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    running = await start_gateway(admin_key_file=tmp_path / "file" / "admin.key", ready=False)
    bootstrap = running.gateway.own.state.bootstrap

    async def said() -> bool:
        return "cannot be written" in (bootstrap.missing or "")

    await eventually(said)
    async with running.gateway.own.state.database.transaction() as session:
        assert (await session.execute(sa.text("SELECT count(*) FROM api_keys"))).scalar() == 0
    (tmp_path / "file").unlink()

    async def done() -> bool:
        return bootstrap.missing is None

    await eventually(done)
    assert (tmp_path / "file" / "admin.key").exists()
