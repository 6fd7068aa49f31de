"""Assessing villages: from the facts in force to the stored class and its event."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import (
    Classification,
    ClassificationV2,
    Event,
    VillageClassified,
    VillageClassifiedV2,
    VillageKey,
)
from kit import clock, projection_lock
from kit.database import Database
from kit.ids import uuid7
from kit.metrics import UNKNOWN
from kit.outbox import publish
from kit.problems import is_database_away
from kit.rebuilds.pausing import pause_of
from services.scoring.assessments import store
from services.scoring.assessments.metrics import OUTDATED, RENEWED
from services.scoring.assessments.rules import Verdict, day_of, verdict_in, verdict_of
from services.scoring.facts import store as facts
from services.scoring.facts.readiness import readiness_of
from services.scoring.facts.rules import InForce, Report, facts_in_force
from services.scoring.histories.actions import Judged, record
from services.scoring.histories.rules import EVERY_PERIOD, NEWEST_PERIOD
from services.scoring.interventions import store as interventions
from services.scoring.interventions.store import Done
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import in_force
from services.scoring.rulesets.missing import missing_reasons
from services.scoring.rulesets.turning import month_of, next_turn
from services.scoring.villages import store as villages
from services.scoring.villages.store import Told
from services.scoring.villages.tables import Village

log = logging.getLogger(__name__)

SOURCE = "/services/scoring"
_CHUNK = 1_000
_LOOK_AGAIN_SECONDS = 60.0


class VillageInputs(NamedTuple):
    """Everything that a village is assessed from."""

    village: Village | Told
    in_force: InForce
    done: list[Done]
    as_of: date
    """The day for which it is assessed: how old reports are, and which interventions are recent."""

    @property
    def facts(self) -> dict[str, Any]:
        """The village as the engine reads it."""
        return {
            **self.in_force.facts,
            "interventions": [{"actors": done.actors, "date": done.date} for done in self.done],
            "periods": self.in_force.periods,
            "as_of": self.as_of.isoformat(),
        }

    @property
    def simulated(self) -> bool:
        """Whether the village itself or anything it is assessed from is made up."""
        return self.village.simulated or self.in_force.simulated or any(done.simulated for done in self.done)


async def inputs_of(
    session: AsyncSession, told_of: Iterable[Village | Told], until: str | None = None
) -> list[VillageInputs]:
    """What villages are assessed from, in their order; `until` a month (YYYY-MM) only what is of it or earlier."""
    known, as_of = list(told_of), day_of(until, clock.today())
    ids = [village.id for village in known]
    reports = await facts.latest(session, ids, until)
    done = await interventions.of_villages(session, ids, until)
    return [_inputs(village, reports.get(village.id, []), done.get(village.id, []), as_of) for village in known]


def _inputs(village: Village | Told, reports: list[Report], done: list[Done], as_of: date) -> VillageInputs:
    return VillageInputs(village, facts_in_force(reports), done, as_of)


Rows = Mapping[UUID, dict[str, Any]]


@dataclass(frozen=True)
class Tally:
    """What became of villages that were assessed: how many there were, were stored anew, were news."""

    villages: int = 0
    written: int = 0
    news: int = 0


async def assess(session: AsyncSession, since: Mapping[UUID, str], *, anew: bool = False) -> Tally:
    """Assess villages as one batch, store what differs and tell of what is news.

    `since` gives for each village the month (YYYY-MM) from which on facts changed: its later months are assessed too.
    The caller holds the villages' rows. Villages that the registry has not told of yet keep their facts and wait.

    News is what differs from what was last told. Usually the stored row is that. Where it is lost, the service's own last
    event is asked: if the facts still give what it says, the row comes back; if not, facts were lost too, and nothing is
    stored or told until a rebuild has put them right and assesses `anew`: then the last event is asked everywhere.
    """
    inputs = await inputs_of(session, await villages.told_of(session, since))
    if not inputs:
        return Tally()
    engine = await in_force(session)
    known = [one.facts for one in inputs]
    evaluation = engine.evaluate(known)
    reasons = missing_reasons(evaluation)
    stored = await store.current(session, _ids(inputs))
    told = stored | await store.announced(session, (i for i in _ids(inputs) if anew or i not in stored))
    found = _Findings(stored, told, clock.now(), anew=anew, may_give_no_class=engine.may_give_no_class)
    for place, one in enumerate(inputs):
        verdict = verdict_of(evaluation, place, simulated=one.simulated)
        distance, due_on = evaluation.distance_of(place), _due_on(engine, known[place])
        found.add(_Assessed(one, verdict, reasons[place], distance, due_on), since[one.village.id])
    await store.write(session, found.rows)
    await record(session, engine, found.judged, found.now)
    await publish(session, found.news)
    RENEWED.inc(found.overdue)
    if found.lost:
        log.error("%d villages have lost their assessments and facts; the projection needs a rebuild", found.lost)
    return Tally(len(inputs), len(found.rows), len(found.news))


class _Assessed(NamedTuple):
    """What comes out of assessing a village: the verdict, why something is missing, and what is derived from both.

    `reasons` are codes by indicator without a score. `due_on` is the first day on which time alone may change it.
    """

    inputs: VillageInputs
    verdict: Verdict
    reasons: dict[str, list[str]]
    distance: str | None
    due_on: date | None


class _Findings:
    """What follows from the verdicts on a batch: rows to store, months to look at, news to tell."""

    def __init__(self, stored: Rows, told: Rows, now: datetime, *, anew: bool, may_give_no_class: bool) -> None:
        """`stored` are the rows that are there, `told` what was last told, by village.

        `may_give_no_class` of the ruleset that they are assessed under.
        """
        self.now = now
        self.rows: list[dict[str, Any]] = []
        self.news: list[Event] = []
        self.judged: list[Judged] = []
        self.lost = 0
        self.overdue = 0
        """How many were stored with an answer that time may have changed since."""
        self._stored, self._told, self._anew = stored, told, anew
        self._may_give_no_class = may_give_no_class

    def add(self, one: _Assessed, since: str) -> None:
        """Conclude from one; `since` is the month from which on facts changed, and time may have before."""
        village = one.inputs.village.id
        stored, before = self._stored.get(village), self._told.get(village)
        row = _row(one, before, self.now)
        is_news = before is None or row["version"] != before["version"]
        if is_news and before is not None and stored is None and not self._anew:
            self.lost += 1
            return
        if stored is not None and stored["due_on"] is not None and stored["due_on"] <= one.inputs.as_of:
            self.overdue += 1
            since = min(since, month_of(stored["due_on"]))
        if is_news or since != NEWEST_PERIOD:
            self.judged.append(Judged(one.inputs, one.verdict, EVERY_PERIOD if before is None else since))
        if row != stored:
            self.rows.append(row)
        if is_news:
            self.news.append(self._event(row, one, before))

    def _event(self, row: dict[str, Any], one: _Assessed, before: dict[str, Any] | None) -> Event:
        """Version 1 as long as no village can be without class, so that its readers need not change before they must."""
        key = VillageKey(id=row["village_id"], region_code=row["region_code"], version=row["version"])
        previous = None if before is None else before["village_class"]
        said = {"village": key, "previous_class": previous, "assessed_at": self.now, **one.verdict._asdict()}
        envelope: dict[str, Any] = {"id": uuid7(), "source": SOURCE, "subject": key.region_code, "time": self.now}
        if self._may_give_no_class:
            data = ClassificationV2.model_validate(said | {"reasons": one.reasons})
            return VillageClassifiedV2(data=data, **envelope)
        return VillageClassified(data=Classification.model_validate(said), **envelope)


def _ids(inputs: Iterable[VillageInputs]) -> list[UUID]:
    return [one.village.id for one in inputs]


def _row(one: _Assessed, before: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    """The row to store; all after `assessed_at` is what lists, tables and the worker ask for, and nothing that is told."""
    village, in_force = one.inputs.village, one.inputs.in_force
    same = before is not None and verdict_in(before) == one.verdict and before["reasons"] == one.reasons
    version = 0 if before is None else before["version"]
    return {
        "village_id": village.id,
        "region_code": village.region_code,
        "active": village.status == villages.ACTIVE,
        "without_reports": not in_force.facts,
        **one.verdict._asdict(),
        "reasons": one.reasons,
        "version": version if same else version + 1,
        "assessed_at": before["assessed_at"] if before is not None and same else now,
        "distance": None if one.distance is None else Decimal(one.distance),
        "newest_periods": in_force.newest_period,
        "readiness": readiness_of(in_force.facts),
        "due_on": one.due_on,
    }


def _due_on(engine: Engine, known: Mapping[str, Any]) -> date | None:
    """The first day on which time alone may change what the facts give."""
    if not engine.looks_at_time:
        return None
    turn = next_turn(known, engine.windows, engine.limits)
    return None if turn is None else date.fromisoformat(turn)


async def bring_up_to_date(database: Database) -> int:
    """Assess every village that has no assessment under the present ruleset document, or one that time may have changed.

    Answers how many were stored.

    Nothing is concluded from facts that a rebuild has in doubt: it assesses every village itself when it has ended.
    """
    total, after, is_in_doubt = 0, UUID(int=0), pause_of(database)
    while not await is_in_doubt():
        async with database.transaction() as session:
            await projection_lock.take_shared(session)
            engine = await in_force(session)
            ids = await store.outdated(session, engine.digest, clock.today(), after, _CHUNK)
            await villages.lock(session, ids)
            total += (await assess(session, dict.fromkeys(ids, NEWEST_PERIOD))).written
        if len(ids) < _CHUNK:
            break
        after = ids[-1]
    return total


async def count_outdated(database: Database) -> int:
    """How many villages are left behind by another ruleset in force, or by time; the metric says so, too."""
    async with database.transaction() as session:
        outdated = await store.count_outdated(session, (await in_force(session)).digest, clock.today())
    OUTDATED.set(outdated)
    return outdated


async def keep_up_to_date(app: FastAPI) -> None:
    """Look now and then for villages that another ruleset in force, or the day that has begun, has left behind."""
    database: Database = app.state.database
    while True:
        try:
            if await count_outdated(database) and (assessed := await bring_up_to_date(database)):
                log.info("assessed %d villages under the ruleset in force", assessed)
                await count_outdated(database)
        except Exception as error:
            OUTDATED.set(UNKNOWN)
            if not is_database_away(error):
                raise
            log.warning("assessments not brought up to date, will be tried again: %s", type(error).__name__)
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
