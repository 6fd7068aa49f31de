"""What goes into the image, from where, and how it says that it is healthy."""

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.compose.conftest import REPOSITORY


def copy_of_the_image(folder: Path) -> set[str]:
    """What .dockerignore lets through, as it lies in the image; its first folders."""
    allowed = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    allowed -= {"requirements/runtime.txt"}
    for path in allowed:
        source, target = REPOSITORY / path, folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return {path.split("/")[0] for path in allowed}


def modules_of(folder: Path, packages: set[str]) -> set[str]:
    """Every module of the packages but migrations, which only run inside Alembic."""
    paths = [
        path.relative_to(folder).with_suffix("") for package in packages for path in folder.glob(f"{package}/**/*.py")
    ]
    kept = [path.parts for path in paths if "migrations" not in path.parts]
    return {".".join(parts[:-1] if parts[-1] == "__init__" else parts) for parts in kept}


class TestImage:
    def test_everything_that_is_copied_passes_dockerignore(self, dockerfile: str) -> None:
        rules = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line[:1] not in {"", "#"}]
        assert rules[0] == "*"
        allowed = {rule[1:] for rule in rules if rule.startswith("!")}
        assert all((REPOSITORY / path).exists() for path in allowed)
        own = re.findall(r"^COPY (?!--from)(\S+) ", dockerfile, re.MULTILINE)
        assert all(any(path == a or a.startswith(f"{path}/") for a in allowed) for path in own)
        assert {"**/__pycache__", "**/.env*"} <= set(rules)

    def test_every_module_in_it_finds_what_it_imports(self, tmp_path: Path, compose: dict[str, Any]) -> None:
        """Those that containers run, and all others; a file that .dockerignore forgot is missed here, not at the start."""
        copied = copy_of_the_image(tmp_path)
        commands = [service.get("command", []) for service in compose["services"].values()]
        started = {command[2] for command in commands if command[:2] == ["python", "-m"]}
        modules = sorted(modules_of(tmp_path, copied))
        assert started <= {name.removesuffix(".__main__") for name in modules}
        # What the copy lacks, an installation for development finds in the checkout: then it counts as missing.
        check = f"""
import importlib, sys
sys.path.insert(0, {str(tmp_path)!r})
for name in {modules!r}:
    importlib.import_module(name)
ours = [module for name, module in sys.modules.items() if name.split(".")[0] in {copied!r}]
sys.exit(", ".join(one.__name__ for one in ours if not one.__file__.startswith({str(tmp_path)!r})) or 0)
"""
        done = subprocess.run(
            [sys.executable, "-c", check],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    def test_packages_come_from_the_lock_with_hashes(self, dockerfile: str) -> None:
        installs = re.findall(r"install [^&]*", dockerfile.replace("\\\n", " "))
        pip = [command for command in installs if "-r " in command]
        assert len(pip) == 1
        assert {"--require-hashes", "--no-cache-dir"} <= set(pip[0].split())
        assert dockerfile.count("\nFROM ") > 1
        assert "# syntax" not in dockerfile


class TestHealthCheck:
    """The image's check against a server of our own."""

    @staticmethod
    async def check(status: str | None) -> int:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await reader.readuntil(b"\r\n\r\n")
            assert request.startswith(b"GET /readyz ")
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok".encode())
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        if status is None:
            server.close()
        script = REPOSITORY / "deploy/compose/healthy.py"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(script)),
            env={"KKB_OPS_PORT": str(port)},
            stdout=asyncio.subprocess.PIPE,
        )
        await process.communicate()
        server.close()
        assert process.returncode is not None
        return process.returncode

    async def test_ready(self) -> None:
        assert await self.check("200 OK") == 0

    @pytest.mark.parametrize("status", ["503 Service Unavailable", None])
    async def test_not_ready(self, status: str | None) -> None:
        assert await self.check(status) == 1

    def test_the_image_runs_it(self, dockerfile: str) -> None:
        assert '["python", "-I", "-S", "/app/deploy/compose/healthy.py"]' in dockerfile
