"""Endpoints of the histories room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from kit import clock
from kit.access import Caller, Scope, requires
from kit.database import Session, read_one_moment
from kit.paging import ListFilters, decode_cursor, page_of
from kit.problems import Invalid, RegionForbidden, VillageUnknown, problems
from services.scoring.assessments import store as assessments
from services.scoring.assessments.presenting import village_of
from services.scoring.assessments.routes import VillageRef
from services.scoring.histories import presenting, store
from services.scoring.histories.rules import months_between
from services.scoring.histories.schemas import MOST_MONTHS, History, Trend, TrendFilters

router = APIRouter(tags=["assessments"])

HistoryReader = Annotated[Caller, requires(Scope.ASSESSMENTS_READ)]


@router.get("/assessments/{village}/history", responses=problems(VillageUnknown))
async def get_history(
    village: VillageRef, reader: HistoryReader, session: Session, filters: Annotated[ListFilters, Query()]
) -> History:
    """What one village was classed as month by month, and what was said of each month before late data came."""
    await read_one_moment(session)
    assessed = await assessments.find(session, reader, village)
    after = decode_cursor(filters.cursor, str)
    number = assessed.village.id
    months = await store.months_of(session, number, None if after is None else after[0], filters.limit + 1)
    superseded = await store.superseded(session, number, [one.period for one in months])
    out = [presenting.month(one, superseded.get(one.period, ())) for one in months]
    items, cursor = page_of(out, filters.limit, lambda one: one.period)
    return History(village=village_of(assessed.village), items=items, next_cursor=cursor)


@router.get("/class-trends", responses=problems(RegionForbidden))
async def get_class_trend(reader: HistoryReader, session: Session, filters: Annotated[TrendFilters, Query()]) -> Trend:
    """How many active Kampung KB of a region were in each class at the end of each month."""
    region = reader.narrow(filters.region)
    months = _months(filters)
    await read_one_moment(session)
    changes = await store.changes(session, region, months[-1])
    return presenting.trend(region, await store.active_villages(session, region), changes, months)


def _months(filters: TrendFilters) -> list[str]:
    last = filters.last or f"{clock.today():%Y-%m}"
    first = filters.first or f"{int(last[:4]) - 1}{last[4:]}"
    months = months_between(first, last)
    if not 1 <= len(months) <= MOST_MONTHS:
        detail = f"from {first} to {last} are no months; ask for 1 to {MOST_MONTHS}"
        raise Invalid(detail, errors=[{"pointer": "query:from", "detail": detail}])
    return months
