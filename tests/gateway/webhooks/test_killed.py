"""A gateway that is killed between what it does and the commit of it: nothing is lost, and what was sent may come again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx

from deploy.embedded.ports import free_port
from deploy.embedded.throwaway import ThrowawayServers
from kit.observe import Observed
from tests.callers import caller
from tests.conftest import REPOSITORY, app_of, eventually
from tests.gateway.conftest import NOWHERE, listening
from tests.gateway.webhooks.conftest import Receiver, codes


class Gateway:
    """A gateway's process, with a file that says where it is to be killed."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{environment['KKB_PORT']}/api/v1"
        self._failpoints = folder / "failpoints"
        self._log = folder / "log"
        self._environment = {**os.environ, **environment, "KKB_FAILPOINTS_FILE": str(self._failpoints)}
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, killed_at: str = "") -> None:
        self._failpoints.write_text(killed_at)
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway", cwd=REPOSITORY, env=self._environment, stdout=log, stderr=log
            )

    async def killed(self) -> None:
        assert self.process is not None
        async with asyncio.timeout(120):
            assert await self.process.wait() == -signal.SIGKILL, self._log.read_text()[-2000:]

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def ask(self, method: str, path: str, key: str, body: object = None) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60) as client:
            answer = await client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())


async def test_neither_lost_nor_logged_twice(
    servers: ThrowawayServers,
    registry: httpx.AsyncClient,
    receiver: Receiver,
    public_key_file: Path,
    private_key_file: Path,
    webhook_key_file: Path,
    tmp_path: Path,
) -> None:
    place, key_file = receiver.place(), tmp_path / "admin.key"
    async with listening(Observed(app_of(registry))) as port:
        gateway = Gateway(
            tmp_path,
            {
                "KKB_PORT": str(free_port()),
                "KKB_OPS_PORT": str(free_port()),
                "KKB_DATABASE_URL": servers.fresh_database("gateway"),
                "KKB_IDENTITY_PUBLIC_KEY_FILE": str(public_key_file),
                "KKB_IDENTITY_PRIVATE_KEY_FILE": str(private_key_file),
                "KKB_REGISTRY_URL": f"http://127.0.0.1:{port}",
                "KKB_INTERVENTIONS_URL": NOWHERE,
                "KKB_SCORING_URL": NOWHERE,
                "KKB_ADMIN_KEY_FILE": str(key_file),
                "KKB_WEBHOOK_KEY_FILE": str(webhook_key_file),
                "KKB_WEBHOOK_NETWORKS": "127.0.0.0/8, ::1/128",
                "KKB_WEBHOOK_PORTS": f"443,{receiver.port}",
                "KKB_WEBHOOK_ALLOW_HTTP": "true",
            },
        )
        try:
            # the first commit that matters is the log's, the second the attempt's: the message has been sent by then
            await gateway.start("before_commit 2")

            async def has_key() -> bool:
                return key_file.exists() and await follows(gateway)

            await eventually(has_key, 120)
            key = key_file.read_text().strip()
            draft = {"name": "Uji", "url": place.url, "types": ["village-registered"], "region": "81.01"}
            webhook = await gateway.ask("POST", "/webhooks", key, draft)
            desa = (await codes(registry, (await codes(registry, "81.01"))[0]))[0]
            body = {"region_code": desa, "name": "Selamat"}
            told = await registry.post("/villages", json=body, headers=caller("officer"))
            assert told.status_code == 201, told.text
            await gateway.killed()
            assert place.names == ["Selamat"]
            await gateway.start()
            await place.has(2)

            async def delivered() -> object:
                try:
                    return (await gateway.ask("GET", f"{url}?state=delivered", key))["items"]
                except httpx.TransportError:
                    return None

            url = f"/webhooks/{webhook['id']}/deliveries"
            (one,) = await eventually(delivered, 120)
            assert (await gateway.ask("GET", url, key))["items"] == [one]
            assert one["attempts"] == 1
            assert [taken.headers["webhook-id"] for taken in place.taken] == [one["message_id"]] * 2
        finally:
            await gateway.stop()


async def follows(gateway: Gateway) -> bool:
    """Whether it has found the end of the registry's feed, so that a webhook made now begins after it."""
    ops = f"http://127.0.0.1:{gateway._environment['KKB_OPS_PORT']}/metrics"
    async with httpx.AsyncClient(timeout=30) as client:
        try:
            shown = (await client.get(ops)).text
        except httpx.TransportError:
            return False
    lines = [
        line
        for line in shown.splitlines()
        if line.startswith('kkb_webhook_feed_read_timestamp_seconds{feed="registry"}')
    ]
    return bool(lines) and not lines[0].endswith("NaN")
