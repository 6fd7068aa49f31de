"""Endpoints of the comparisons room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from contracts.regions import LEVELS, RegionLevel, level_of
from kit.access import Caller, Scope, requires
from kit.database import Database
from kit.openapi import HEAVY
from kit.problems import Invalid, RegionForbidden, RulesetUnknown, problems
from kit.spreadsheets import CsvTable, spooled
from kit.turns import Turns
from services.scoring.class_counts import store as class_counts
from services.scoring.class_counts.rules import parts_level
from services.scoring.comparisons import actions, presenting
from services.scoring.comparisons.comparing import Pair
from services.scoring.comparisons.schemas import ComparisonFilters, ComparisonOut, VillageFilters
from services.scoring.rulesets.library import published

router = APIRouter(prefix="/rulesets", tags=["rulesets"])

Comparer = Annotated[Caller, requires(Scope.ASSESSMENTS_READ)]
RulesetA = Annotated[str, Path(description="Id of a published or retired ruleset: from it", examples=["web-2021"])]
RulesetB = Annotated[str, Path(description="Id of another one: to it", examples=["web-2021-intended"])]

_AT_ONCE = 2
"""A comparison of the whole country keeps a processor busy for seconds; others wait a little and are then sent away."""
_TURNS = Turns(_AT_ONCE, "comparisons")


@router.get("/{a}/comparison/{b}", responses=problems(RulesetUnknown, RegionForbidden), openapi_extra=HEAVY)
async def compare_rulesets(
    a: RulesetA, b: RulesetB, request: Request, reader: Comparer, filters: Annotated[ComparisonFilters, Query()]
) -> ComparisonOut:
    """How many active Kampung KB of a region change from which class to which, part by part, and what does it.

    Both rulesets are applied to the facts in force now; nothing is stored. An indicator decides alone where a, with
    only this score taken from b, gives the class that b gives.
    """
    region = reader.narrow(filters.region)
    by = _level(region, filters.by)
    database: Database = request.app.state.database
    async with _TURNS.turn():
        pair = await _pair(database, a, b)
        summary = await actions.summarize(database, pair, region, by)
    codes = {part for part, _, _ in summary.villages}
    async with database.for_request() as session:
        names = await class_counts.names(session, sorted(codes if region is None else codes | {region}))
    return presenting.comparison(summary, region, by, names)


@router.get(
    "/{a}/comparison/{b}/villages.csv",
    responses=problems(RulesetUnknown, RegionForbidden)
    | {200: {"description": "The table", "content": {"text/csv": {"schema": {"type": "string"}}}}},
    response_class=Response,
    openapi_extra=HEAVY,
)
async def download_compared_villages(
    a: RulesetA, b: RulesetB, request: Request, reader: Comparer, filters: Annotated[VillageFilters, Query()]
) -> Response:
    """Every active Kampung KB of a region with its class under both rulesets and the indicators whose scores differ.

    CSV as spreadsheets with Indonesian settings open it: UTF-8 with BOM, semicolons; headings in Indonesian.
    """
    region = reader.narrow(filters.region)
    database: Database = request.app.state.database
    async with _TURNS.turn():
        pair = await _pair(database, a, b)
        spool = await spooled(actions.village_lines(database, pair, region, changed_only=filters.changed_only))
    return CsvTable(presenting.sheet(pair.a, pair.b, region), spool)


async def _pair(database: Database, a: str, b: str) -> Pair:
    async with database.for_request() as session:
        return Pair(await published(session, a), await published(session, b))


def _level(region: str | None, asked: RegionLevel | None) -> RegionLevel:
    try:
        return RegionLevel(parts_level(LEVELS, None if region is None else level_of(region), asked))
    except ValueError as error:
        raise Invalid(str(error), errors=[{"pointer": "query:by", "detail": str(error)}]) from error
