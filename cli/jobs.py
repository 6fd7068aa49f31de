"""Waiting for what the platform does in the background."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.client import Gateway
from cli.screen import console

_POLL_SECONDS = 0.5


def wait_for(gateway: Gateway, path: str, how_far: Callable[[Any], tuple[str, int, int | None]]) -> dict[str, Any]:
    """The job at a path once it has ended; until then its progress: what it does, how much is done, of how much."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        while True:
            found: dict[str, Any] = gateway.get(path)
            description, completed, total = how_far(found)
            bar.update(task, description=description, completed=completed, total=total)
            if found["finished_at"] is not None:
                return found
            time.sleep(_POLL_SECONDS)
