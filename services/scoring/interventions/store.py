"""Queries of the interventions room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import InterventionActor, InterventionState
from kit.database import fetch_rows

_CLAIM = sa.text(
    "INSERT INTO interventions (id, village_id, version, date, actors, simulated, withdrawn) "
    "SELECT id, village, 0, date, '[]', false, true "
    "FROM unnest(cast(:ids AS uuid[]), cast(:villages AS uuid[]), cast(:dates AS date[])) AS n(id, village, date) "
    "ON CONFLICT DO NOTHING"
)
_LOCK = sa.text(
    "SELECT id, village_id, date FROM interventions WHERE id = ANY(cast(:ids AS uuid[])) ORDER BY id FOR UPDATE"
)
_APPLY = sa.text(
    "INSERT INTO interventions (id, village_id, version, date, actors, simulated, withdrawn) "
    "SELECT * FROM unnest(cast(:ids AS uuid[]), cast(:villages AS uuid[]), cast(:versions AS int[]), "
    "cast(:dates AS date[]), cast(:actors AS jsonb[]), cast(:simulated AS bool[]), cast(:withdrawn AS bool[])) "
    "ON CONFLICT (id) DO UPDATE SET village_id = excluded.village_id, version = excluded.version, "
    "date = excluded.date, actors = excluded.actors, simulated = excluded.simulated, withdrawn = excluded.withdrawn "
    "WHERE excluded.version > interventions.version RETURNING id"
)
_OF_VILLAGES = (
    "SELECT village_id, date::text, actors::text, simulated FROM interventions "
    "WHERE village_id = ANY($1) AND NOT withdrawn "
    "AND ($2::text IS NULL OR date < to_date($2, 'YYYY-MM') + interval '1 month') ORDER BY village_id, interventions.date, id"
)


class Done(NamedTuple):
    """One intervention that counts: when (YYYY-MM-DD), who took part, whether it is made up."""

    date: str
    actors: list[int | str]
    simulated: bool

    @property
    def month(self) -> str:
        """Its month, YYYY-MM."""
        return self.date[:7]


async def claim(session: AsyncSession, states: Sequence[InterventionState]) -> dict[UUID, tuple[UUID, date]]:
    """Hold the interventions' rows until the transaction ends; the village and day that each stood for so far.

    A row is made where there is none, so that two consumers with two versions of a new intervention wait for each
    other. `states` are at most one an intervention; `apply` follows in the same transaction.
    """
    ordered = sorted(states, key=lambda state: state.intervention_id)
    ids = [state.intervention_id for state in ordered]
    villages = [state.village.id for state in ordered]
    await session.execute(_CLAIM, {"ids": ids, "villages": villages, "dates": [state.date for state in ordered]})
    rows = (await session.execute(_LOCK, {"ids": ids})).all()
    return {number: (village, day) for number, village, day in rows}


async def apply(session: AsyncSession, states: Sequence[InterventionState]) -> list[UUID]:
    """Take over interventions' new states; what is older than what is there changes nothing.

    Answers the interventions whose state was taken over.
    """
    applied = await session.execute(
        _APPLY,
        {
            "ids": [state.intervention_id for state in states],
            "villages": [state.village.id for state in states],
            "versions": [state.version for state in states],
            "dates": [state.date for state in states],
            "actors": [orjson.dumps([_identity(actor) for actor in state.actors]).decode() for state in states],
            "simulated": [state.simulated for state in states],
            "withdrawn": [state.withdrawn for state in states],
        },
    )
    return list(applied.scalars())


def _identity(actor: InterventionActor) -> int | str:
    """What an actor is counted by: the number of the predecessor's list, or the code where that list has none."""
    return actor.code if actor.web_kkb_number is None else actor.web_kkb_number


async def of_villages(session: AsyncSession, ids: Iterable[UUID], until: str | None = None) -> dict[UUID, list[Done]]:
    """Interventions that count by village, oldest first; villages without any are left out.

    `until` a month (YYYY-MM) only those that took place in it or earlier.
    """
    found: dict[UUID, list[Done]] = {}
    for village, day, actors, simulated in await fetch_rows(session, _OF_VILLAGES, list(ids), until):
        found.setdefault(village, []).append(Done(day, orjson.loads(actors), simulated))
    return found
