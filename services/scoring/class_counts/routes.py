"""Endpoints of the class counts room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from contracts.classes import VillageClass
from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.problems import RegionForbidden, problems
from services.scoring.assessments.rules import CompletenessBand, percent
from services.scoring.class_counts import store
from services.scoring.class_counts.levels import level_asked
from services.scoring.class_counts.schemas import ClassCountFilters, ClassCounts, ClassShare, RegionClassCounts, Share
from services.scoring.class_counts.store import Counted
from services.scoring.rulesets.library import in_force

router = APIRouter(prefix="/class-counts", tags=["assessments"])

CountReader = Annotated[Caller, requires(Scope.ASSESSMENTS_READ)]


@router.get("", responses=problems(RegionForbidden))
async def get_class_counts(
    reader: CountReader, session: Session, filters: Annotated[ClassCountFilters, Query()]
) -> ClassCounts:
    """How many active Kampung KB of a region are in each class, in all and part by part."""
    region = reader.narrow(filters.region)
    by = level_asked(region, filters.by)
    counted = await store.counts(session, region, by, filters.period)
    codes = list(dict.fromkeys(one.code for one in counted))
    names = await store.names(session, codes if region is None else [*codes, region])
    parts: dict[str, list[Counted]] = {code: [] for code in codes}
    for one in counted:
        parts[one.code].append(one)
    return ClassCounts(
        ruleset=(await in_force(session)).ruleset.id if filters.period is None else None,
        period=filters.period,
        by=by,
        total=_summed(region, names, counted, filters.period),
        items=[_summed(code, names, part, filters.period) for code, part in parts.items()],
    )


def _summed(code: str | None, names: dict[str, str], found: Sequence[Counted], period: str | None) -> RegionClassCounts:
    counted = [one for one in found if one.told]
    total = sum(one.villages for one in counted)
    by_band = {band: sum(one.completeness[band] for one in counted) for band in CompletenessBand}
    return RegionClassCounts(
        region_code=code,
        region_name=None if code is None else names.get(code),
        total=total,
        classes={kind: _share(counted, kind, total) for kind in VillageClass},
        not_assessable=_share(counted, None, total),
        completeness={band: Share(count=count, percent=percent(count, total)) for band, count in by_band.items()},
        simulated=sum(one.simulated for one in counted),
        without_reports=None if period else sum(one.without_reports or 0 for one in counted),
        not_yet_told=sum(one.villages for one in found) - total,
    )


def _share(counted: Sequence[Counted], kind: VillageClass | None, total: int) -> ClassShare:
    own = [one for one in counted if one.village_class == kind]
    count = sum(one.villages for one in own)
    by_band = {band: sum(one.completeness[band] for one in own) for band in CompletenessBand}
    return ClassShare(count=count, percent=percent(count, total), completeness=by_band)
