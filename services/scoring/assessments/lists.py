"""Lists of assessments: which ones are meant, in which order, and where a page begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.facts import ReportKind
from kit.access import Caller
from kit.database import PLANNED_FOR_ITS_VALUES
from kit.paging import decode_cursor, encode_cursor
from kit.problems import Invalid
from kit.scoping import subtree
from services.scoring.assessments.rules import months_before
from services.scoring.assessments.schemas import NO_CLASS, AssessmentFilters, AssessmentListFilters
from services.scoring.assessments.store import IN_BAND, Assessed
from services.scoring.assessments.tables import SORT_VALUES, Assessment, index_value
from services.scoring.rulesets.engine import Engine
from services.scoring.villages.tables import Village

REGION_CODE = "region_code"
DISTANCE = "distance"


@dataclass(frozen=True)
class Order:
    """What a list is sorted by: the region code, or a value and then the village's id; ascending or descending."""

    asked: str
    descending: bool
    value: ColumnElement[Any] | None

    @property
    def keys(self) -> list[Any]:
        """The columns that together tell any two villages apart."""
        number = col(Assessment.village_id)
        return [col(Assessment.region_code), number] if self.value is None else [self.value, number]

    def directed(self) -> list[Any]:
        """The keys as they follow ORDER BY."""
        return [key.desc() if self.descending else key.asc() for key in self.keys]

    def after(self, cursor: str) -> ColumnElement[bool]:
        """Condition that a village stands after the one that the cursor was made of.

        Raises:
            Invalid: the cursor is not one of this list in this order.
        """
        kind = str if self.value is None else Decimal
        asked, value, number = decode_cursor(cursor, str, kind, UUID) or ()
        if asked != self.asked:
            raise Invalid(errors=[{"pointer": "query:cursor", "detail": "a cursor of this list in another order"}])
        here = sa.tuple_(*self.keys)
        there = sa.tuple_(*(sa.literal(part, key.type) for part, key in zip((value, number), self.keys, strict=True)))
        return here < there if self.descending else here > there


def order_of(asked: str, engine: Engine) -> Order:
    """The order of a name: `region_code`, a dimension's code or `distance`, with - in front for descending.

    Raises:
        Invalid: there is no such order under the ruleset in force.
    """
    name = asked.removeprefix("-")
    dimensions = [dimension.code for dimension in engine.dimensions]
    if name == REGION_CODE:
        return Order(asked, asked != name, None)
    if name not in {*dimensions, DISTANCE}:
        names = ", ".join((REGION_CODE, *dimensions, DISTANCE))
        raise _invalid("sort", f"lists are sorted by {names}, each also with - in front")
    value: ColumnElement[Any] = sa.literal_column(SORT_VALUES.get(name) or index_value(name), sa.Numeric)
    return Order(asked, asked != name, value)


def meant(filters: AssessmentFilters, region: str | None, engine: Engine, today: date) -> list[Any]:
    """Conditions that an assessment is an active village's, in the region, and as the filters say.

    Raises:
        Invalid: a filter names an indicator that the ruleset in force does not have, or a kind without an age.
    """
    return [
        col(Assessment.active),  # as it stands in the indexes, or they are of no use
        subtree(col(Assessment.region_code), region),
        *_of_the_answer(filters),
        *_of_scores(filters.score, engine),
        *_of_reports(filters, today),
    ]


def _of_the_answer(filters: AssessmentFilters) -> Iterator[ColumnElement[bool]]:
    answered, asked = col(Assessment.answered), col(Assessment.asked)
    if filters.village_class is not None:
        given, none = col(Assessment.village_class), filters.village_class == NO_CLASS
        yield given.is_(None) if none else given == filters.village_class
    if filters.simulated is not None:
        yield col(Assessment.simulated).is_(filters.simulated)
    if filters.without_reports is not None:
        yield col(Assessment.without_reports).is_(filters.without_reports)
    if filters.completeness is not None:
        yield IN_BAND[filters.completeness]
    if filters.completeness_from is not None:
        yield 100 * answered >= filters.completeness_from * asked
    if filters.completeness_below is not None:
        yield 100 * answered < filters.completeness_below * asked


def _of_scores(wanted: Sequence[str], engine: Engine) -> Iterator[ColumnElement[bool]]:
    """Scores of one indicator are alternatives; all indicators named must fit."""
    scores: dict[str, list[str]] = {}
    for one in wanted:
        code, _, score = one.partition(":")
        scores.setdefault(code, []).append(score)
    if unknown := sorted(set(scores) - set(engine.codes)):
        raise _invalid("score", f"the ruleset {engine.ruleset.id} has no indicator {', '.join(unknown)}")
    for code, alternatives in scores.items():
        yield sa.func.coalesce(_text(Assessment.scores, code), sa.literal("none")).in_(alternatives)


def _of_reports(filters: AssessmentFilters, today: date) -> Iterator[ColumnElement[bool]]:
    newest = Assessment.newest_periods
    for kind in filters.missing:
        yield col(newest).is_not(None) & _text(newest, kind.value).is_(None)
    if filters.older_than_months is None:
        if filters.older_kind:
            raise _invalid("older_kind", "this says which reports are older than older_than_months, which is not there")
        return
    oldest = months_before(today, filters.older_than_months)
    for kind in filters.older_kind:
        yield sa.collate(_text(newest, kind.value), "C") < oldest
    if not filters.older_kind:
        every = (sa.collate(_text(newest, kind.value), "C") < oldest for kind in ReportKind)
        yield sa.or_(*every)


def _text(column: Any, key: str) -> ColumnElement[str]:
    """What a JSON object says under a key, NULL where it says nothing."""
    text: ColumnElement[str] = column[key].astext
    return text


def _invalid(parameter: str, detail: str) -> Invalid:
    return Invalid(detail, errors=[{"pointer": f"query:{parameter}", "detail": detail}])


async def page(
    session: AsyncSession, caller: Caller, filters: AssessmentListFilters, engine: Engine, today: date
) -> tuple[list[Assessed], str | None]:
    """A page of active villages' assessments with their villages, and the next page's cursor."""
    order = order_of(filters.sort, engine)
    query = select(Assessment, Village).join(Village, col(Village.id) == col(Assessment.village_id))
    query = query.where(*meant(filters, caller.narrow(filters.region), engine, today))
    if filters.cursor is not None:
        query = query.where(order.after(filters.cursor))
    query = query.add_columns(order.keys[0].label("sorted_by")).order_by(*order.directed()).limit(filters.limit + 1)
    await session.execute(PLANNED_FOR_ITS_VALUES)
    rows: Any = (await session.execute(query)).all()
    found = [Assessed(assessment, village) for assessment, village, _ in rows[: filters.limit]]
    if len(rows) <= filters.limit:
        return found, None
    last = rows[filters.limit - 1]
    return found, encode_cursor(order.asked, last[2], found[-1].village.id)
