"""What the gateway costs: direct, through it, through nginx, and through a plain FastAPI and httpx proxy; in one run.

Every part is a process of its own. The proxy has one core for itself, the service and the load generator share the
other, as far as the system lets them be pinned. What is told of half load and of overload comes from short slices, one
way after the other, of which those count in which the host took nothing and no other process worked (`Quiet`). Two services: one that answers fixed bytes, so that the proxy is all
there is to measure, and one made as ours are (FastAPI on uvicorn). Ratios count; a time by itself says nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import httptools
import httpx
import psutil
import uvicorn
import uvloop
from fastapi import FastAPI, Request, Response

from deploy.embedded.secrets import kept_password
from deploy.embedded.throwaway import throwaway_servers
from deploy.identity_keys import IdentityKeys
from kit.observe import Observed

ROOT = Path(__file__).parents[1]
SIZES = {"1kB": 1_000, "100kB": 100_000}
PATH = "/api/v1/villages/{}"
GOOD_SECONDS = 1.0
"""An answer that comes later is no use to anybody."""
WARM_SECONDS = 0.3
"""Of an open loop: connections are made and caches are filled, which is not what is asked."""
FOREIGN_SHARE = 0.02
"""Of both processors' time: what others may take of a slice that counts."""
MOST_CONNECTIONS = 1000


# --- the services -----------------------------------------------------------------------------------------------------


class _Fixed(asyncio.Protocol):
    """Answers every request by the size its path names, without reading more than that."""

    answers: ClassVar = {name.encode(): b"x" * size for name, size in SIZES.items()}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        name = data[: data.index(b" HTTP")].rsplit(b"/", 1)[1]
        body = self.answers.get(name, b"ready")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)


async def fixed_service(port: int) -> None:
    """Serve fixed bytes."""
    server = await asyncio.get_running_loop().create_server(_Fixed, "127.0.0.1", port)
    await server.serve_forever()


async def fastapi_service(port: int) -> None:
    """Serve the same from FastAPI, observed as our services are."""
    app = FastAPI()
    bodies = {name: b"x" * size for name, size in SIZES.items()}

    @app.get(PATH.format("{village}"))
    async def get_village(village: str) -> Response:
        return Response(bodies.get(village, b"ready"), media_type="application/json")

    config = uvicorn.Config(Observed(app), port=port, http="httptools", log_config=None, access_log=False)
    await uvicorn.Server(config).serve()


async def plain_proxy(port: int, service: int) -> None:
    """What one would write first: FastAPI and httpx."""
    app = FastAPI()
    client = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{service}", limits=httpx.Limits(max_connections=64), timeout=60
    )

    @app.get("/{path:path}")
    async def hand_on(path: str, request: Request) -> Response:
        answer = await client.get(f"/{path}", headers={"x-request-id": request.headers.get("x-request-id", "")})
        return Response(answer.content, answer.status_code, media_type=answer.headers["content-type"])

    config = uvicorn.Config(app, port=port, http="httptools", log_config=None, access_log=False)
    await uvicorn.Server(config).serve()


# --- the load ---------------------------------------------------------------------------------------------------------


class Quiet:
    """How much of the machine went to others: to the host's other guests (steal), or to processes that are not ours."""

    def __init__(self, ours: list[int]) -> None:
        self._processes = [psutil.Process(number) for number in (os.getpid(), *ours)]
        self._before = self._taken()

    def foreign_share(self) -> float:
        """Share of all processors' time since the beginning."""
        before, after = self._before, self._taken()
        passed, busy, mine = (late - early for late, early in zip(after, before, strict=True))
        return max(busy - mine, 0.0) / passed

    def _taken(self) -> tuple[float, float, float]:
        whole = psutil.cpu_times()
        idle = whole.idle + getattr(whole, "iowait", 0.0)
        passed = time.monotonic() * (psutil.cpu_count() or 1)
        total = sum(whole[:8]) if hasattr(whole, "steal") else passed
        times = [one.cpu_times() for one in self._processes]
        return passed, total - idle, sum(one.user + one.system for one in times)


class _Client(asyncio.Protocol):
    """One connection: one request at a time, timed from when it was due."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._parser = httptools.HttpResponseParser(self)
        self.due = 0.0
        self._status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def ask(self, due: float) -> None:
        self.due = due
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_message_complete(self) -> None:
        self._load.answered(self, self._status, time.perf_counter() - self.due)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._load.lost(self)


class _Load:
    """Asks one address, as fast as it is answered (closed loop) or so many times a second whatever happens (open)."""

    def __init__(self, port: int, path: str, headers: str, seconds: float, ours: list[int]) -> None:
        self._ours = ours
        self.request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n".encode()
        self._port = port
        self._seconds = seconds
        self._idle: list[_Client] = []
        self._times: list[float] = []
        self._statuses: dict[int, int] = {}
        self._good = self._unsent = self._lost = 0
        self._closed = False
        self._over = False
        self._warm_at = 0.0

    async def closed(self, connections: int) -> dict[str, Any]:
        """Each connection asks again as soon as it is answered."""
        self._closed = True
        await self._connect(connections)
        clients, self._idle = self._idle, []
        quiet = Quiet(self._ours)
        began = time.perf_counter()
        for client in clients:
            client.ask(time.perf_counter())
        await asyncio.sleep(self._seconds)
        return self._result(time.perf_counter() - began, quiet)

    async def open(self, rate: float, connections: int) -> dict[str, Any]:
        """`rate` requests fall due each second; one that finds no connection free was turned away."""
        await self._connect(connections)
        quiet = Quiet(self._ours)
        began = time.perf_counter()
        self._warm_at = began + WARM_SECONDS
        sent = 0
        while (now := time.perf_counter()) - began < self._seconds:
            for number in range(sent, int((now - began) * rate)):
                sent += 1
                if self._idle:
                    self._idle.pop().ask(began + number / rate)
                else:
                    self._unsent += 1
            await asyncio.sleep(0.001)
        elapsed = time.perf_counter() - self._warm_at
        await asyncio.sleep(GOOD_SECONDS)
        return self._result(elapsed, quiet)

    def answered(self, client: _Client, status: int, seconds: float) -> None:
        """Count an answer."""
        if self._over:
            return
        if client.due >= self._warm_at:
            self._count(status, seconds)
        if self._closed:
            client.ask(time.perf_counter())
        else:
            self._idle.append(client)

    def _count(self, status: int, seconds: float) -> None:
        self._statuses[status] = self._statuses.get(status, 0) + 1
        if status == 200:
            self._times.append(seconds)
            self._good += seconds <= GOOD_SECONDS

    def lost(self, client: _Client) -> None:
        """Count a connection that was closed on us."""
        if not self._over:
            self._lost += 1
            with contextlib.suppress(ValueError):
                self._idle.remove(client)

    async def _connect(self, connections: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, client = await loop.create_connection(lambda: _Client(self), "127.0.0.1", self._port)
            self._idle.append(client)

    def _result(self, elapsed: float, quiet: Quiet) -> dict[str, Any]:
        self._over = True
        times = sorted(self._times) or [float("nan")]
        return {
            "rate": len(self._times) / elapsed,
            "good": self._good / elapsed,
            "p50": times[len(times) // 2] * 1e3,
            "p99": times[int(len(times) * 0.99)] * 1e3,
            "statuses": self._statuses,
            "unsent": self._unsent,
            "lost": self._lost,
            "foreign": quiet.foreign_share(),
        }


# --- the run ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """One way to the service."""

    name: str
    port: int
    process: int
    headers: str = ""

    def seconds(self) -> float:
        """Processor time that it has used: unlike the rate, it hardly depends on what else the machine does."""
        parent = psutil.Process(self.process)
        times = [one.cpu_times() for one in (parent, *parent.children(recursive=True))]
        return sum(one.user + one.system for one in times)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pinned(core: int, command: list[str]) -> list[str]:
    """The command on one core, where there are several and the system lets us."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(cores[core]), *command] if taskset and len(cores) > core else command


@contextlib.contextmanager
def running(core: int, command: list[str], port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens on a port."""
    process = subprocess.Popen(
        pinned(core, command), cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{' '.join(command)} does not listen")
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()


def part(*arguments: str | float) -> list[str]:
    """The command of one of our own parts."""
    return [sys.executable, "-m", "benchmarks.gateway", *map(str, arguments)]


def measured(
    way: Way, size: str, seconds: float, *, connections: int, rate: float = 0, ours: list[int] | None = None
) -> dict[str, Any]:
    """What the load generator saw, in a process of its own."""
    asked = {"port": way.port, "path": PATH.format(size), "headers": way.headers, "seconds": seconds}
    asked["ours"] = ours or []
    command = part("load", json.dumps({**asked, "connections": connections, "rate": rate}))
    before = way.seconds()
    done = subprocess.run(pinned(0, command), cwd=ROOT, check=True, capture_output=True)
    result: dict[str, Any] = json.loads(done.stdout)
    answers = sum(result["statuses"].values()) or float("nan")
    return {**result, "processor": (way.seconds() - before) / answers * 1e6}


@contextlib.contextmanager
def nginx(service: int, folder: Path) -> Iterator[Way | None]:
    """Debian's nginx as a plain reverse proxy, one worker: installed, or unpacked from its package for this run."""
    binary = shutil.which("nginx") or unpacked_nginx(folder)
    if binary is None:
        print("nginx: skipped, it is neither installed nor can its package be fetched")
        yield None
        return
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;\n"
        "events { worker_connections 4096; }\n"
        "http { access_log off; client_body_temp_path " + f"{folder}/a; proxy_temp_path {folder}/b;"
        f" fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;\n"
        f"upstream service {{ server 127.0.0.1:{service}; keepalive 64; }}\n"
        f"server {{ listen 127.0.0.1:{port} backlog=4096; keepalive_requests 100000000; location / {{"
        " proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ''; } } }\n"
    )
    with running(1, [binary, "-c", str(config), "-p", str(folder), "-e", f"{folder}/error.log"], port) as process:
        yield Way("nginx", port, process.pid)


def unpacked_nginx(folder: Path) -> str | None:
    """The binary out of Debian's package, unpacked into a temporary folder; None where that cannot be."""
    try:
        subprocess.run(["apt-get", "download", "nginx"], cwd=folder, check=True, capture_output=True, timeout=60)
        (package,) = folder.glob("nginx_*.deb")
        subprocess.run(["dpkg-deb", "-x", package.name, "unpacked"], cwd=folder, check=True, capture_output=True)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    binary = folder / "unpacked/usr/sbin/nginx"
    return str(binary) if binary.exists() else None


@contextlib.contextmanager
def our_gateway(service: int, folder: Path) -> Iterator[Way]:
    """The gateway as it is deployed, with a real key; quotas so large that they are counted and never used up."""
    keys = IdentityKeys(folder / "secrets")
    keys.make()
    kept_password(folder / "webhooks.key")
    port = free_port()
    url = f"http://127.0.0.1:{service}"
    with throwaway_servers() as servers:
        environment = {
            "KKB_PORT": str(port),
            "KKB_OPS_PORT": str(free_port()),
            "KKB_DATABASE_URL": servers.fresh_database("gateway"),
            "KKB_IDENTITY_PRIVATE_KEY_FILE": str(keys.private),
            "KKB_IDENTITY_PUBLIC_KEY_FILE": str(keys.public),
            "KKB_WEBHOOK_KEY_FILE": str(folder / "webhooks.key"),
            "KKB_ADMIN_KEY_FILE": str(folder / "admin.key"),
            **{f"KKB_{name}_URL": url for name in ("REGISTRY", "INTERVENTIONS", "SCORING")},
            "KKB_LIMIT_READ": "100000000/60",
        }
        with running(1, [sys.executable, "-m", "gateway"], port, **environment) as process:
            while not (folder / "admin.key").exists():
                time.sleep(0.1)
            key = (folder / "admin.key").read_text().strip()
            yield Way("gateway", port, process.pid, f"authorization: Bearer {key}\r\n")


def compare(kind: str, what: str, seconds: float, slicing: Slicing) -> None:
    """Print one service's figures: everything, or only half load, or only the load beyond capacity."""
    service = free_port()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kkb-benchmark-")))
        folder.chmod(0o755)
        (folder / "nginx").mkdir()
        served = stack.enter_context(running(0, part(kind, service), service))
        ways = [Way("direct", service, served.pid), stack.enter_context(our_gateway(service, folder))]
        port = free_port()
        proxy = stack.enter_context(running(1, part("plain", port, service), port))
        plain = Way("FastAPI+httpx", port, proxy.pid)
        ways += [way for way in (stack.enter_context(nginx(service, folder / "nginx")), plain) if way]
        print(f"\n{kind} service: requests/s (added p50 and p99 in ms; share of nginx; processor time per request, us)")
        for size in SIZES if what == "compare" else ():
            for connections in (1, 32, 256):
                row(ways, size, seconds, connections)
        if what in {"compare", "half"}:
            half_load(ways, slicing)
        if what in {"compare", "overload"}:
            overload(ways, slicing)


def row(ways: list[Way], size: str, seconds: float, connections: int) -> None:
    """Print one size and number of connections, every way after the other."""
    found = {way.name: measured(way, size, seconds, connections=connections) for way in ways}
    peer = found.get("nginx", found["direct"])["rate"]
    texts = [
        f"{name} {one['rate']:,.0f}/s (+{one['p50'] - found['direct']['p50']:.1f}, "
        f"+{one['p99'] - found['direct']['p99']:.1f}; {one['rate'] / peer:.2f}; {one['processor']:.0f})"
        for name, one in found.items()
    ]
    print(f"{size:>6} x {connections:>3}: " + "; ".join(texts), flush=True)


@dataclass(frozen=True)
class Slicing:
    """How many slices, how long, and how long the machine rests before each."""

    rounds: int
    seconds: float
    pause: float

    def one(self, way: Way, ways: list[Way], connections: int, rate: float = 0) -> dict[str, Any]:
        """One slice."""
        time.sleep(self.pause)
        ours = [one.process for one in ways]
        return measured(way, "1kB", self.seconds, connections=connections, rate=rate, ours=ours)


def quiet(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The slices that count."""
    return [one for one in found if one["foreign"] <= FOREIGN_SHARE]


def middle(found: list[dict[str, Any]], what: str) -> float:
    """The median of slices; not a number where none counts."""
    return float(statistics.median([one[what] for one in found])) if found else float("nan")


def most_of(way: Way, ways: list[Way], slicing: Slicing) -> float:
    """Answers a second on 32 connections: the most of five slices, for whatever disturbs makes it fewer."""
    return float(max(slicing.one(way, ways, 32)["rate"] for _ in range(5)))


def half_load(ways: list[Way], slicing: Slicing) -> None:
    """Print what each way adds at half of what the gateway can do."""
    gateway = next(way for way in ways if way.name == "gateway")
    rate = most_of(gateway, ways, slicing) / 2
    found: dict[str, list[dict[str, Any]]] = {way.name: [] for way in ways[:3]}
    for _ in range(slicing.rounds):
        for way in ways[:3]:
            found[way.name] += quiet([slicing.one(way, ways, 64, rate)])
    texts = [
        f"{name} p50 {middle(some, 'p50'):.2f}, p99 {middle(some, 'p99'):.2f} "
        f"({len(some)} of {slicing.rounds} slices quiet)"
        for name, some in found.items()
    ]
    added = middle(found["gateway"], "p99") - middle(found["direct"], "p99")
    print(f"half load ({rate:,.0f}/s), ms: {'; '.join(texts)}; the gateway adds {added:.2f} at p99", flush=True)


def overload(ways: list[Way], slicing: Slicing) -> None:
    """Print the goodput at three times what each proxy can do: answers 200 within a second."""
    for way in ways[1:3]:
        most = most_of(way, ways, slicing)
        found = quiet([slicing.one(way, ways, MOST_CONNECTIONS, 3 * most) for _ in range(slicing.rounds)])
        good = middle(found, "good")
        shares = ", ".join(f"{one['good'] / most:.2f}" for one in found)
        last = found[-1] if found else {"statuses": {}, "unsent": 0, "lost": 0}
        print(
            f"three times capacity, {way.name}: {good:,.0f}/s good of {most:,.0f}/s at most: {good / most:.2f} "
            f"({len(found)} of {slicing.rounds} slices quiet: {shares}); p99 {middle(found, 'p99'):.0f} ms, "
            f"answers of the last {last['statuses']}, {last['unsent']} found no connection free, "
            f"{last['lost']} connections lost; {middle(found, 'processor'):.0f} us a request",
            flush=True,
        )


async def load(asked: dict[str, Any]) -> dict[str, Any]:
    """Be the load generator."""
    one = _Load(asked["port"], asked["path"], asked["headers"], asked["seconds"], asked["ours"])
    if asked["rate"]:
        return await one.open(asked["rate"], asked["connections"])
    return await one.closed(asked["connections"])


def main() -> None:
    """Run the whole comparison, or one part of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", default="compare")
    parser.add_argument("values", nargs="*")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument(
        "--pause", type=float, default=0.0, help="seconds before a slice: for a host that throttles who is busy"
    )
    parser.add_argument("--rounds", type=int, default=8, help="slices of half load and of overload, each half as long")
    arguments = parser.parse_args()
    if arguments.part == "load":
        print(json.dumps(uvloop.run(load(json.loads(arguments.values[0])))))
    elif arguments.part in {"compare", "half", "overload"}:
        slicing = Slicing(arguments.rounds, arguments.seconds / 2, arguments.pause)
        for kind in arguments.values or ("fixed", "fastapi"):
            compare(kind, arguments.part, arguments.seconds, slicing)
    else:
        parts = {"fixed": fixed_service, "fastapi": fastapi_service, "plain": plain_proxy}
        uvloop.run(parts[arguments.part](*map(int, arguments.values)))  # type: ignore[operator]  # each takes its ports


if __name__ == "__main__":
    main()
