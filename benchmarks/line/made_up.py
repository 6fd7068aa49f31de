"""Made-up villages and their reports, as the registry tells of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from benchmarks.evaluation import village as made_up_facts
from contracts.events import (
    Event,
    FamilyPlanningReported,
    PopulationReported,
    ProfileReported,
    RegionNames,
    VillageKey,
    VillageRegistered,
    VillageState,
)
from contracts.facts import FACTS_OF, AnyFacts, ReportKind
from kit.ids import uuid7

EVENT_OF: dict[ReportKind, type[Event]] = {
    ReportKind.PROFILE: ProfileReported,
    ReportKind.POPULATION: PopulationReported,
    ReportKind.FAMILY_PLANNING: FamilyPlanningReported,
}
MONTHS = [f"2025-{month:02d}" for month in range(1, 10)]
REPORTS_A_VILLAGE = len(EVENT_OF) * len(MONTHS)
_SOURCE = "/services/registry"
_NAMES = RegionNames(province="Jawa Tengah", regency="Kabupaten Pekalongan", district="Contoh", village="Contoh")


class Village(NamedTuple):
    """A village that exists nowhere."""

    id: UUID
    code: str


def villages(number: int) -> list[Village]:
    """So many villages, each with a region code of its own."""
    return [Village(uuid7(), f"33.26.{place // 1000 + 1:02d}.{2001 + place % 1000:04d}") for place in range(number)]


def facts(number: int = 200) -> dict[ReportKind, list[AnyFacts]]:
    """Different facts of each kind, to be used in turn."""
    dice = random.Random(2021)
    drawn = [made_up_facts(dice) for _ in range(number)]
    return {kind: [model.model_validate(one[kind.value]) for one in drawn] for kind, model in FACTS_OF.items()}


def registered(village: Village) -> Event:
    """The event that tells of the village itself."""
    state = VillageState(
        village=VillageKey(id=village.id, region_code=village.code, version=1),
        region_names=_NAMES,
        name=None,
        status="active",
        launch_date=None,
        launch_year=2017,
        simulated=True,
        source_system="benchmark",
    )
    return VillageRegistered(id=uuid7(), source=_SOURCE, subject=village.code, time=datetime.now(UTC), data=state)


def reports(told_of: list[Village]) -> Iterator[Event]:
    """Every kind of report of every village for nine months: month by month, kind by kind."""
    drawn = facts()
    version = 1
    for month in MONTHS:
        for kind, event in EVENT_OF.items():
            version += 1
            for place, village in enumerate(told_of):
                chosen = drawn[kind][(place + version) % len(drawn[kind])]
                yield _report(event, village, version, month, chosen)


def _report(event: type[Event], village: Village, version: int, month: str, chosen: AnyFacts) -> Event:
    now = datetime.now(UTC)
    data: dict[str, Any] = {
        "village": VillageKey(id=village.id, region_code=village.code, version=version),
        "report_id": uuid7(),
        "period": month,
        "revision": 1,
        "source_system": "benchmark",
        "simulated": True,
        "reported_at": now,
        "facts": chosen,
    }
    return event.model_validate({"id": uuid7(), "source": _SOURCE, "subject": village.code, "time": now, "data": data})
