"""Turns histories into what the API answers."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.classes import VillageClass
from services.scoring.assessments.presenting import completeness
from services.scoring.histories.rules import NONE, Change, moved, standing
from services.scoring.histories.schemas import MonthOut, SupersededOut, Trend, TrendMonth
from services.scoring.histories.tables import PeriodAssessment, SupersededAssessment

_CLASSES = [kind.value for kind in VillageClass]


def month(one: PeriodAssessment, superseded: Sequence[SupersededAssessment]) -> MonthOut:
    """A month with its earlier revisions."""
    return MonthOut.model_validate(
        {
            **one.model_dump(exclude={"village_id", "answered", "asked"}),
            "previous_class": None if one.previous_class == NONE else one.previous_class,
            "completeness": completeness(one.answered, one.asked),
            "superseded": [_superseded(before) for before in superseded],
        }
    )


def _superseded(one: SupersededAssessment) -> SupersededOut:
    fields = one.model_dump(exclude={"village_id", "period", "answered", "asked"})
    return SupersededOut.model_validate({**fields, "completeness": completeness(one.answered, one.asked)})


def trend(region: str | None, total: int, changes: Sequence[Change], months: Sequence[str]) -> Trend:
    """A region's months from the changes of its villages."""
    counts = standing(changes, months, [*_CLASSES, NONE])
    return Trend(
        region_code=region,
        total=total,
        items=[
            TrendMonth(
                period=period,
                classes={kind: own[kind.value] for kind in VillageClass},
                not_assessable=own[NONE],
                not_yet_told=total - sum(own.values()),
                risen=moved(changes, period, _CLASSES, up=True),
                fallen=moved(changes, period, _CLASSES, up=False),
            )
            for period, own in zip(months, counts, strict=True)
        ],
    )
