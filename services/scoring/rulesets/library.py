"""The rulesets that ship with the platform, read, checked and compiled once."""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.resources import files

from sqlalchemy.ext.asyncio import AsyncSession

from kit.problems import RulesetUnknown
from services.scoring.rulesets.document import Ruleset, RulesetInvalid, read_ruleset
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.rules import Problem

IN_FORCE = "web-2021"
"""Id of the ruleset that villages are assessed under."""


@cache
def published_rulesets() -> dict[str, Engine]:
    """Engine by ruleset id, oldest ruleset first. A document that does not pass its checks stops the process."""
    documents = [
        read_ruleset(resource.read_bytes())
        for resource in files(__package__).iterdir()
        if resource.name.endswith(".json")
    ]
    documents.sort(key=lambda ruleset: (ruleset.effective_from or date.min, ruleset.id))
    return _by_id(documents)


async def published(_session: AsyncSession, number: str) -> Engine:
    """The published ruleset of an id.

    Raises:
        RulesetUnknown: there is none.
    """
    engine = published_rulesets().get(number)
    if engine is None:
        raise RulesetUnknown(f"there is no ruleset {number}; GET /rulesets lists them")
    return engine


@cache
def engine_in_force() -> Engine:
    """The ruleset that villages are assessed under.

    It must give every village a class, because the event `village-classified` promises one.
    """
    engine = published_rulesets()[IN_FORCE]
    for place, compiled in enumerate(engine.indicators):
        if compiled.indicator.when_missing == "not_assessable":
            detail = "Aturan yang berlaku harus selalu memberi skor"
            raise RulesetInvalid([Problem(f"/indicators/{place}/when_missing", detail)])
    return engine


async def in_force(_session: AsyncSession) -> Engine:
    """The ruleset that villages are assessed under now."""
    return engine_in_force()


def _by_id(documents: list[Ruleset]) -> dict[str, Engine]:
    engines: dict[str, Engine] = {}
    for ruleset in documents:
        if ruleset.id in engines:
            raise RulesetInvalid([Problem("/id", f"Kode aturan dipakai dua kali: {ruleset.id}")])
        engines[ruleset.id] = Engine(ruleset)
    return engines
