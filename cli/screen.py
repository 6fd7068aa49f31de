"""How answers are shown: tables and Indonesian numbers for people, JSON as it came for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.words import SIMULATED

_WIDTH_WITHOUT_TERMINAL = 160


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal, or wide enough for our tables where there is none."""
    stream = sys.stderr if stderr else sys.stdout
    known = stream.isatty() or "COLUMNS" in os.environ
    return Console(file=stream, width=None if known else _WIDTH_WITHOUT_TERMINAL, highlight=False, markup=False)


def show_json(answer: Any) -> None:
    """The platform's answer as it came."""
    print(json.dumps(answer, ensure_ascii=False, indent=2))


def table(*columns: str, numbers: Sequence[str] = ()) -> Table:
    """An empty table; the columns named in `numbers` are aligned to the right."""
    made = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return made


def show_table(screen: Console, title: str, filled: Table) -> None:
    """A table under its title; the title is a line of its own, because a table would break it to its width."""
    screen.print()
    screen.print(title, style="bold", soft_wrap=True)
    screen.print(filled)


def number(value: int | None) -> str:
    """A count as Indonesians write it (202.121); a dash where nothing was reported."""
    return "-" if value is None else f"{value:,}".replace(",", ".")


def decimal(value: str | float | None, unit: str = "") -> str:
    """A decimal as the platform sends it, with a comma; a dash where there is none."""
    return "-" if value is None else f"{value}".replace(".", ",") + unit


def moment(value: str | None) -> str:
    """A point in time as this machine's clock shows it; a dash where there is none."""
    return "-" if value is None else f"{datetime.fromisoformat(value).astimezone():%Y-%m-%d %H:%M}"


def mark(*, simulated: bool) -> Text:
    """The mark of made-up data, or nothing."""
    return Text(SIMULATED if simulated else "", style="bold magenta")


def more_than(shown: int) -> str:
    """What to say under a list that was cut off."""
    return f"Hanya {number(shown)} yang pertama; masih ada lagi (--limit)."
