"""What serves an improvement: activities of the Inpres catalogue and kinds of offices, by the fact that is to change.

The assignment is the platform's own suggestion. No regulation that was sighted makes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from services.scoring.rulesets.document import Labels


@dataclass(frozen=True)
class Actor:
    """A kind of office or partner: its code, and its number in the predecessor's list."""

    code: str
    number: int | None
    name: str


@dataclass(frozen=True)
class Serving:
    """What serves a fact: codes of activities and of actors, those nearest to it first."""

    kegiatan: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(files(__package__).joinpath("serving.json").read_bytes())
    return document


ACTORS: tuple[Actor, ...] = tuple(Actor(**actor) for actor in _document()["actors"])
"""Kinds of offices and partners that can be asked to take part, in the order in which they are proposed."""


def serving(paths: list[str]) -> Serving:
    """What serves these facts together, each code once; a fact that is not listed is served as its report is."""
    inputs = _document()["inputs"]
    found = [inputs.get(path) or inputs.get(path.partition(".")[0], {}) for path in paths]
    return Serving(
        tuple(dict.fromkeys(code for one in found for code in one.get("kegiatan", ()))),
        tuple(dict.fromkeys(code for one in found for code in one.get("actors", ()))),
    )


def people(path: str) -> Labels | None:
    """Whom a count counts, as the end of "41 more ..."; None where the input's own label has to do."""
    words = _document()["people"].get(path)
    return None if words is None else Labels(**words)


def counted_as(code: str) -> int | str:
    """What an actor of this code is counted by: its number in the predecessor's list, or the code where it has none."""
    return next((actor.number for actor in ACTORS if actor.code == code and actor.number is not None), code)


def actor_name(code: str) -> str:
    """What a kind of office is called."""
    return next((actor.name for actor in ACTORS if actor.code == code), code)
