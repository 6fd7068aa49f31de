"""The whole platform on this machine: cold and second start, memory at rest, and what the gateway costs.

Starts `python -m deploy.up` on a data folder of its own. The package cache plays no part: the environment exists.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from kit.access import IDENTITY_HEADER, Grant, Principal, Role
from kit.identity import load_private_key, mint

ROOT = Path(__file__).parents[1]
NAMES = ("GATEWAY", "REGISTRY", "INTERVENTIONS", "SCORING", "POSTGRES", "NATS")
PATH = "/api/v1/villages/33.26.01.2001"
CONNECTIONS = 32
SECONDS = 5.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def platform(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """The running platform and the seconds its start took."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.up"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Ready after"):
            break
    seconds = time.perf_counter() - started
    if process.poll() is not None:
        raise SystemExit("".join(lines))
    try:
        yield process, seconds
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def memory(parent: int) -> dict[str, float]:
    """Megabytes of unique memory by process."""
    found: dict[str, float] = {}
    for child in psutil.Process(parent).children(recursive=True):
        words = " ".join(child.cmdline())
        match = re.search(r"-m (services\.\w+|gateway)", words)
        name = match[1] if match else "postgres" if "postgres" in words else "nats" if "nats" in words else None
        if name:
            found[name] = found.get(name, 0.0) + child.memory_full_info().uss / 2**20
    return found


async def one_client(port: int, request: bytes, until: float, times: list[float]) -> None:
    """Send the request over and over on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert length, head
        await reader.readexactly(int(length[1]))
        times.append(time.perf_counter() - started)
    writer.close()


async def load(port: int, header: str, connections: int) -> tuple[float, float, float]:
    """Requests per second, p50 and p99 in milliseconds."""
    request = f"GET {PATH} HTTP/1.1\r\nhost: localhost\r\n{header}\r\n\r\n".encode()
    times: list[float] = []
    until = time.perf_counter() + SECONDS
    await asyncio.gather(*(one_client(port, request, until, times) for _ in range(connections)))
    times.sort()
    return len(times) / SECONDS, times[len(times) // 2] * 1e3, times[int(len(times) * 0.99)] * 1e3


def headers(data: Path) -> tuple[str, str]:
    """What the gateway's and the service's client send to be let in."""
    key = (data / "secrets/admin.key").read_text().strip()
    principal = Principal("benchmark", "benchmark", (Grant(Role.ADMINISTRATOR, None),))
    token = mint(principal, load_private_key(data / "secrets/identity-private.pem"), "registry")
    return f"authorization: Bearer {key}", f"{IDENTITY_HEADER}: {token}"


def compare(data: Path, ports: dict[str, str]) -> None:
    """Print the gateway against the service reached directly."""
    for connections in (1, CONNECTIONS):
        through, direct = headers(data)
        asyncio.run(load(int(ports["KKB_GATEWAY_PORT"]), through, connections))  # warm up
        gateway = asyncio.run(load(int(ports["KKB_GATEWAY_PORT"]), through, connections))
        service = asyncio.run(load(int(ports["KKB_REGISTRY_PORT"]), direct, connections))
        print(
            f"GET of one village, {connections} connections: gateway {gateway[0]:,.0f}/s (p50 {gateway[1]:.1f} ms, "
            f"p99 {gateway[2]:.1f} ms), direct {service[0]:,.0f}/s (p50 {service[1]:.1f} ms, p99 {service[2]:.1f} ms): "
            f"{gateway[0] / service[0]:.2f} of direct"
        )


def main() -> None:
    """Print the figures."""
    data = Path(tempfile.mkdtemp(prefix="kkb-benchmark-"))
    data.chmod(0o755)
    ports = {f"KKB_{name}_PORT": str(free_port()) for name in NAMES}
    ports |= {f"KKB_{name}_OPS_PORT": str(free_port()) for name in NAMES[:4]}
    environment = {**os.environ, **ports, "KKB_DATA_DIR": str(data / "data")}
    with platform(environment) as (_, cold):
        pass
    with platform(environment) as (process, second):
        print(
            f"start: {cold:.1f} s cold (new data, 91,599 regions, demonstration district), {second:.1f} s again: {second / cold:.2f}"
        )
        time.sleep(5)
        print("memory at rest, MB: " + json.dumps({k: round(v) for k, v in sorted(memory(process.pid).items())}))
        compare(data / "data", ports)


if __name__ == "__main__":
    main()
