"""Rulesets made ready to score: those stored, asked for in a session, and those that ship with the platform."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files

from sqlalchemy.ext.asyncio import AsyncSession

from kit import clock
from kit.problems import RulesetUnknown
from services.scoring.rulesets import store
from services.scoring.rulesets.checks import read_ruleset
from services.scoring.rulesets.document import Ruleset, RulesetInvalid
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.rules import Problem

FIRST_IN_FORCE = "web-2021"
"""Id of the shipped ruleset that is in force where nobody has ever said which one is."""

_COMPILED: dict[str, Engine] = {}
"""By digest: what is published never changes, so it is compiled once in the life of a process."""


async def in_force(session: AsyncSession) -> Engine:
    """The ruleset that villages are assessed under today (the day in Indonesia)."""
    number, digest = await store.in_force(session, clock.today())
    return await _compiled(session, number, digest)


async def published(session: AsyncSession, number: str) -> Engine:
    """The ruleset of an id, published or retired: what was assessed under a retired one can still be asked about.

    Raises:
        RulesetUnknown: there is none, or it is a draft.
    """
    digest = await store.digest(session, number)
    if digest is None:
        raise RulesetUnknown(f"there is no published ruleset {number}; GET /rulesets lists them")
    return await _compiled(session, number, digest)


async def _compiled(session: AsyncSession, number: str, digest: str) -> Engine:
    if digest not in _COMPILED:
        # its shape only: it passed the checks when it was published, and a later release may have stricter ones
        engine = Engine(Ruleset.parse(await store.document(session, number)))
        if engine.digest != digest:
            raise RuntimeError(f"the stored document of ruleset {number} is not the one that was published")
        _COMPILED[digest] = engine
    return _COMPILED[digest]


@cache
def shipped_rulesets() -> Mapping[str, Engine]:
    """Engine by id of the documents in this package, whatever the database holds, the oldest first.

    Raises:
        RulesetInvalid: a document does not pass its checks, or two have one id.
    """
    documents = [
        read_ruleset(resource.read_bytes())
        for resource in files(__package__).iterdir()
        if resource.name.endswith(".json")
    ]
    documents.sort(key=lambda ruleset: (ruleset.effective_from or date.min, ruleset.id))
    engines: dict[str, Engine] = {}
    for ruleset in documents:
        if ruleset.id in engines:
            raise RulesetInvalid([Problem("/id", f"Kode aturan dipakai dua kali: {ruleset.id}")])
        engines[ruleset.id] = Engine(ruleset)
    return engines


def first_in_force() -> Engine:
    """The shipped ruleset that is in force where nobody has ever said which one is."""
    return shipped_rulesets()[FIRST_IN_FORCE]
