"""Queries of the facts room."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import ReportState
from kit.database import fetch_rows
from services.scoring.facts.rules import Report

_APPLY = sa.text(
    "INSERT INTO reported_facts (village_id, kind, source_system, period, report_id, revision, simulated, "
    "reported_at, facts) "
    "SELECT * FROM unnest(cast(:villages AS uuid[]), cast(:kinds AS text[]), cast(:sources AS text[]), "
    "cast(:periods AS text[]), cast(:reports AS uuid[]), cast(:revisions AS int[]), cast(:simulated AS bool[]), "
    "cast(:times AS timestamptz[]), cast(:facts AS jsonb[])) "
    "ON CONFLICT (village_id, kind, source_system, period) DO UPDATE SET report_id = excluded.report_id, "
    "revision = excluded.revision, simulated = excluded.simulated, reported_at = excluded.reported_at, "
    "facts = excluded.facts "
    "WHERE excluded.revision > reported_facts.revision RETURNING village_id, period"
)
_LATEST = (
    "SELECT DISTINCT ON (village_id, kind, source_system) village_id, report_id, kind, source_system, period, "
    "revision, simulated, reported_at, facts::text FROM reported_facts "
    "WHERE village_id = ANY($1) AND ($2::text IS NULL OR period <= $2) "
    "ORDER BY village_id, kind, source_system, period DESC"
)
_OLDER = (
    "SELECT village_id, report_id, kind, source_system, period, revision, simulated, reported_at, facts::text "
    "FROM (SELECT *, lead(period) OVER (PARTITION BY village_id, kind, source_system ORDER BY period) AS next "
    "FROM reported_facts WHERE village_id = ANY($1)) AS r WHERE next IS NOT NULL"
)


@dataclass(frozen=True)
class Reported:
    """A report of one kind as its event carries it."""

    kind: str
    state: ReportState[Any]

    @property
    def key(self) -> tuple[UUID, str, str, str]:
        """Where it belongs: village, kind, source system, period."""
        return (self.state.village.id, self.kind, self.state.source_system, self.state.period)


async def apply(session: AsyncSession, reported: Sequence[Reported]) -> list[tuple[UUID, str]]:
    """Take over reports, at most one a key; a revision older than the one that is there changes nothing.

    Answers the village and month of each that did change something.
    """
    if not reported:
        return []
    states = [report.state for report in reported]
    applied = await session.execute(
        _APPLY,
        {
            "villages": [state.village.id for state in states],
            "kinds": [report.kind for report in reported],
            "sources": [state.source_system for state in states],
            "periods": [state.period for state in states],
            "reports": [state.report_id for state in states],
            "revisions": [state.revision for state in states],
            "simulated": [state.simulated for state in states],
            "times": [state.reported_at for state in states],
            "facts": [state.facts.model_dump_json(exclude_none=True) for state in states],
        },
    )
    return [(village, period) for village, period in applied.all()]


async def latest(session: AsyncSession, ids: Iterable[UUID], until: str | None = None) -> dict[UUID, list[Report]]:
    """The latest report of each kind and source system by village; villages without reports are left out.

    `until` a month (YYYY-MM) only reports of it or earlier.
    """
    return _by_village(await fetch_rows(session, _LATEST, list(ids), until))


async def older(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, list[Report]]:
    """The reports by village that a later one of their kind and source has replaced: all that `latest` leaves out."""
    if not ids:
        return {}
    return _by_village(await fetch_rows(session, _OLDER, list(ids)))


def _by_village(rows: Iterable[Any]) -> dict[UUID, list[Report]]:
    found: dict[UUID, list[Report]] = {}
    for village, *report, facts in rows:
        found.setdefault(village, []).append(Report._make((*report, orjson.loads(facts))))
    return found
