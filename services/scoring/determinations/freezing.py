"""A region's villages classed as of a period's end, from what is known of them now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.classes import VillageClass
from contracts.facts import ReportKind
from contracts.regions import level_of
from kit import problems
from services.scoring.assessments.actions import VillageInputs, inputs_of
from services.scoring.determinations import store
from services.scoring.determinations.rules import MOST_VILLAGES, Tally, tally, twice
from services.scoring.rulesets.engine import Engine
from services.scoring.villages.tables import Village

_NAMED = 3


@dataclass
class Frozen:
    """The villages of a region as they are classed as of a period's end, in the order of their codes."""

    engine: Engine
    entries: list[dict[str, Any]] = field(default_factory=list)
    missing_reports: list[list[ReportKind]] = field(default_factory=list)
    """For each entry the kinds of report that were never made."""
    inactive: int = 0

    @property
    def tally(self) -> Tally:
        """What the entries add up to."""
        return tally(self.entries, list(VillageClass))

    def region_name(self, region: str) -> str:
        """What the region is called, as its villages tell it."""
        return str(self.entries[0]["region_names"][level_of(region)])


async def freeze(session: AsyncSession, region: str, period: str, engine: Engine) -> Frozen:
    """Class the active villages of a region from what was reported and done up to a period's end; nothing is stored.

    Raises:
        Invalid: the region has no active Kampung KB, or more than a determination may hold.
        Conflict: a desa has two active Kampung KB just now, so the list would count it twice.
    """
    active, inactive = await store.count_villages(session, region)
    if not 0 < active <= MOST_VILLAGES:
        raise _wrong_number(region, active)
    frozen = Frozen(engine, inactive=inactive)
    async for villages in store.active_villages(session, region):
        inputs = await inputs_of(session, villages, until=period)
        await asyncio.to_thread(_class_them, frozen, villages, inputs)
    if doubled := twice(entry["region_code"] for entry in frozen.entries):
        raise problems.Conflict(
            f"Ada dua Kampung KB aktif di satu desa/kelurahan: {', '.join(doubled[:_NAMED])}. "
            "Nonaktifkan salah satunya, lalu ulangi."
        )
    return frozen


def _wrong_number(region: str, active: int) -> problems.Invalid:
    detail = f"Tidak ada Kampung KB aktif di wilayah {region}"
    if active:
        detail = (
            f"Ada {active} Kampung KB aktif di wilayah {region}; satu penetapan memuat paling banyak {MOST_VILLAGES}"
        )
    return problems.Invalid(detail, errors=[{"pointer": "#/region_code", "detail": detail}])


def _class_them(frozen: Frozen, villages: Sequence[Village], inputs: Sequence[VillageInputs]) -> None:
    evaluation = frozen.engine.evaluate([one.facts for one in inputs])
    for place, (village, one) in enumerate(zip(villages, inputs, strict=True)):
        village_class = evaluation.village_class(place)
        entry = {
            "number": len(frozen.entries) + 1,
            "village_id": str(village.id),
            "region_code": village.region_code,
            "region_names": {
                "province": village.province_name,
                "regency": village.regency_name,
                "district": village.district_name,
                "village": village.village_name,
            },
            "name": village.name,
            "class": None if village_class is None else village_class.value,
            "scores": evaluation.scores_of(place),
            "indexes": evaluation.indexes_of(place),
            "answered": int(evaluation.answered[place]),
            "without_reports": not one.in_force.facts,
            "simulated": one.simulated,
        }
        frozen.entries.append(entry)
        frozen.missing_reports.append([kind for kind in ReportKind if kind not in one.in_force.facts])
