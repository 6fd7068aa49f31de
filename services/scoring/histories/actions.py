"""Recording what villages are classed as month by month, whenever what is known of a month changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.scoring.assessments.rules import Verdict, day_of, verdict_in, verdict_of
from services.scoring.facts import store as facts
from services.scoring.facts.rules import Report, facts_in_force
from services.scoring.histories import store
from services.scoring.histories.rules import NEWEST_PERIOD, NONE, due, months_turned
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.turning import month_of, too_old_from, window_end

if TYPE_CHECKING:
    from services.scoring.assessments.actions import VillageInputs


@dataclass(frozen=True)
class Judged:
    """A village with what it is assessed from and as just now, and the month from which on facts changed."""

    inputs: VillageInputs
    verdict: Verdict
    since: str

    @property
    def village(self) -> UUID:
        return self.inputs.village.id

    @cached_property
    def newest(self) -> str:
        """The newest month of which anything was told; empty where nothing was."""
        return max(_months(self.inputs.in_force.reports, self.inputs), default="")


@dataclass(frozen=True)
class _Month:
    """One month of a village that is due, with what was known at its end; `inputs` None: all that is known now."""

    judged: Judged
    period: str
    inputs: VillageInputs | None


async def record(session: AsyncSession, engine: Engine, judged: Sequence[Judged], now: datetime) -> None:
    """Store the villages' classes for every month from the one that facts changed in, and for the newest.

    The caller holds the villages' rows. A month that says the same as before keeps its revision.
    """
    if not judged:
        return
    known = await store.known(session, {one.village: min(one.since, one.newest) for one in judged})
    older = await facts.older(session, {one.village for one in judged if one.newest > one.since})
    months = [
        month for one in judged for month in _due(engine, one, older.get(one.village, []), known.get(one.village, ()))
    ]
    await store.write(session, _rows(months, _verdicts(engine, months), known, now), now)


def _due(engine: Engine, one: Judged, older: Sequence[Report], known: Sequence[Mapping[str, Any]]) -> Iterable[_Month]:
    reports = [*one.inputs.in_force.reports, *older]
    told, since, today = _months(reports, one.inputs), one.since, one.inputs.as_of
    if told and engine.looks_at_time:
        told |= months_turned(_ends(engine, one.inputs, reports), today.isoformat())
        if since == NEWEST_PERIOD:
            # another ruleset: what it makes of the facts holds from now on, and months gone by keep what they were called
            since = month_of(today)
            told.add(since)
    for period in due(told, [row["period"] for row in known], since):
        is_now = period >= one.newest and (not engine.looks_at_time or day_of(period, today) == today)
        yield _Month(one, period, None if is_now else _as_of(one.inputs, reports, period))


def _ends(engine: Engine, inputs: VillageInputs, reports: Iterable[Report]) -> Iterator[str]:
    """The days on which a report or an intervention got, or will get, too old; a newer report of its source spares one."""
    for done in inputs.done:
        yield from (window_end(done.date, months) for months in engine.windows)
    periods: dict[tuple[str, str], list[str]] = {}
    for report in reports:
        periods.setdefault((report.kind, report.source_system), []).append(report.period)
    for (kind, _), own in periods.items():
        if kind in engine.limits:
            own.sort()
            for period, later in zip(own, [*own[1:], None], strict=True):
                end = too_old_from(period, engine.limits[kind])
                if later is None or later > month_of(end):
                    yield end


def _months(reports: Iterable[Report], inputs: VillageInputs) -> set[str]:
    return {report.period for report in reports} | {done.month for done in inputs.done}


def _as_of(inputs: VillageInputs, reports: Iterable[Report], period: str) -> VillageInputs:
    """What was known of a village at the end of a month."""
    return inputs._replace(
        in_force=facts_in_force(report for report in reports if report.period <= period),
        done=[done for done in inputs.done if done.month <= period],
        as_of=day_of(period, inputs.as_of),
    )


def _verdicts(engine: Engine, months: Sequence[_Month]) -> list[Verdict]:
    """The verdict of each month; those with less than all facts are evaluated as one batch."""
    earlier = [month.inputs for month in months if month.inputs is not None]
    evaluation = engine.evaluate([inputs.facts for inputs in earlier]) if earlier else None
    places = iter(range(len(earlier)))
    return [
        month.judged.verdict
        if month.inputs is None or evaluation is None
        else verdict_of(evaluation, next(places), simulated=month.inputs.simulated)
        for month in months
    ]


def _rows(
    months: Sequence[_Month],
    verdicts: Sequence[Verdict],
    known: Mapping[UUID, Sequence[Mapping[str, Any]]],
    now: datetime,
) -> list[dict[str, Any]]:
    """The rows that differ from what is stored."""
    rows = []
    stored = {(village, row["period"]): row for village, found in known.items() for row in found}
    classes = {
        village: {row["period"]: row["village_class"] or NONE for row in found} for village, found in known.items()
    }
    for month, verdict in zip(months, verdicts, strict=True):
        village = month.judged.village
        own = classes.setdefault(village, {})
        before = max((period for period in own if period < month.period), default=None)
        own[month.period] = verdict.village_class or NONE
        row = _row(month, verdict, None if before is None else own[before], stored.get((village, month.period)), now)
        if row is not None:
            rows.append(row)
    return rows


def _row(
    month: _Month, verdict: Verdict, previous: str | None, stored: Mapping[str, Any] | None, now: datetime
) -> dict[str, Any] | None:
    same = stored is not None and verdict_in(stored) == verdict
    if same and stored is not None and stored["previous_class"] == previous:
        return None
    revision = 0 if stored is None else stored["revision"]
    return {
        "village_id": month.judged.village,
        "period": month.period,
        "revision": revision if same else revision + 1,
        **verdict._asdict(),
        "previous_class": previous,
        "assessed_at": stored["assessed_at"] if stored is not None and same else now,
    }
