"""Processes of services that are forked from one that has imported everything, instead of started from nothing.

A service spends two seconds of processor time on imports before it does anything; tests start some hundred of them.
What is forked is a process like any other: with environment, log, session and life of its own. That the services
start by their commands is tested where they are started so (tests/deploy).
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import threading
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess

from deploy.embedded.processes import Child, Launched, tie_to_parent

_IMPORTED = [f"services.{service}.service" for service in ("registry", "interventions", "scoring")]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([*_IMPORTED, "uvicorn", "uvicorn.protocols.http.httptools_impl"])


class ForkedChild(Child):
    """A child whose command is `PYTHON -m MODULE ARGUMENT...`."""

    def launched(self) -> Launched:
        """A new process of it, forked."""
        python, dash_m, module, *arguments = self.command
        assert (python, dash_m) == (sys.executable, "-m")
        assert self.environment is not None
        what = (module, arguments, dict(self.environment), str(self.log), str(self.working_directory))
        # a daemon: this process does not wait for it when it ends
        process = _CONTEXT.Process(target=_live, args=what, daemon=True)
        process.start()
        return _Forked(process)


class _Forked:
    def __init__(self, process: ForkServerProcess) -> None:
        assert process.pid is not None
        self.pid: int = process.pid
        self._process = process
        self._lock = threading.Lock()

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        with self._lock:  # the first to read it takes it away
            return self._process.exitcode

    def send_signal(self, number: int, /) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _live(module: str, arguments: list[str], environment: Mapping[str, str], log: str, folder: str) -> None:
    """What the child does."""
    tie_to_parent(signal.SIGKILL, os.getppid())()
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    _replace(0, os.open(os.devnull, os.O_RDONLY))
    _replace(1, os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644))
    os.dup2(1, 2)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _replace(descriptor: int, opened: int) -> None:
    os.dup2(opened, descriptor)
    os.close(opened)
