"""Events that the registry and the interventions service would publish, and how they reach the scoring service."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from contracts.events import (
    Event,
    FamilyPlanningReported,
    InterventionActor,
    InterventionCorrected,
    InterventionRecorded,
    InterventionState,
    InterventionVillage,
    InterventionWithdrawn,
    PopulationReported,
    ProfileReported,
    RegionNames,
    VillageChanged,
    VillageKey,
    VillageRegistered,
    VillageState,
)
from contracts.facts import ReportKind
from kit.ids import uuid7
from services.scoring.facts.actions import take_registry_events
from services.scoring.interventions.actions import take_intervention_events
from tests.conftest import app_of
from tests.scoring.rulesets.made_villages import village as made_facts

_free = itertools.count(2001)
NOON = datetime(2025, 9, 30, 12, tzinfo=UTC)
REPORTED = {
    ReportKind.PROFILE: ProfileReported,
    ReportKind.POPULATION: PopulationReported,
    ReportKind.FAMILY_PLANNING: FamilyPlanningReported,
}


def free_code(district: str = "98.01.01") -> str:
    """A desa that no other test uses; no official code begins with 98."""
    return f"{district}.{next(_free)}"


def village_event(code: str, number: UUID, version: int = 1, **fields: Any) -> Event:
    """The registry tells of a village's own state."""
    state = {
        "region_names": RegionNames(
            province="Provinsi Uji", regency=f"Kabupaten {code[:5]}", district=f"Kecamatan {code[:8]}", village=code
        ),
        "name": None,
        "status": "active",
        "launch_date": None,
        "launch_year": None,
        "simulated": False,
        "source_system": "manual",
    }
    data = VillageState(village=VillageKey(id=number, region_code=code, version=version), **(state | fields))
    kind = VillageRegistered if version == 1 else VillageChanged
    return kind(id=uuid7(), source="/services/registry", subject=code, time=NOON, data=data)


def report_event(
    code: str,
    number: UUID,
    kind: ReportKind,
    facts: dict[str, Any],
    *,
    period: str = "2025-09",
    revision: int = 1,
    source_system: str = "manual",
    simulated: bool = False,
    reported_at: datetime = NOON,
) -> Event:
    """The registry tells of a report."""
    data = {
        "village": VillageKey(id=number, region_code=code, version=revision + 1),
        "report_id": uuid7(),
        "period": period,
        "revision": revision,
        "source_system": source_system,
        "simulated": simulated,
        "reported_at": reported_at,
        "facts": facts,
    }
    envelope = {"id": uuid7(), "source": "/services/registry", "subject": code, "time": NOON}
    return REPORTED[kind].model_validate({**envelope, "data": data})


def intervention_event(
    code: str,
    number: UUID,
    actors: Sequence[int | str],
    *,
    intervention: UUID | None = None,
    version: int = 1,
    withdrawn: bool = False,
    simulated: bool = False,
) -> Event:
    """The interventions service tells of an intervention."""
    kind = InterventionWithdrawn if withdrawn else InterventionRecorded if version == 1 else InterventionCorrected
    data = InterventionState(
        intervention_id=intervention or uuid7(),
        version=version,
        village=InterventionVillage(id=number, region_code=code),
        date=date(2025, 3, 1) + timedelta(days=version),
        title="Kegiatan",
        family_function="ekonomi",
        kegiatan=None,
        target_groups=[],
        actors=[_actor(actor) for actor in actors],
        funding_source=None,
        funding_amount=None,
        participants=None,
        simulated=simulated,
        source_system="manual",
        withdrawn=withdrawn,
    )
    return kind(id=uuid7(), source="/services/interventions", subject=code, time=NOON, data=data)


def _actor(actor: int | str) -> InterventionActor:
    if isinstance(actor, int):
        return InterventionActor(code=f"actor-{actor}", pentahelix="pemerintah", web_kkb_number=actor, other=None)
    return InterventionActor(code=actor, pentahelix="media", web_kkb_number=None, other=None)


async def take(scoring: httpx.AsyncClient, *events: Event) -> None:
    """Let the service take events as one batch of each stream, in this order."""
    database = app_of(scoring).state.database
    for stream, handle in (("KKB_REGISTRY", take_registry_events), ("KKB_INTERVENTIONS", take_intervention_events)):
        batch = [event for event in events if event.stream == stream]
        if batch:
            async with database.transaction() as session:
                await handle(session, batch)


def whole_village(
    code: str, number: UUID, facts: dict[str, Any] | None = None, *, simulated: bool = False, **own: Any
) -> list[Event]:
    """A village with everything reported (case A of the worked cases unless told otherwise)."""
    made = made_facts() if facts is None else facts
    events = [village_event(code, number, simulated=simulated, **own)]
    reported = [kind for kind in ReportKind if made.get(kind.value) is not None]
    events += [report_event(code, number, kind, made[kind.value], simulated=simulated) for kind in reported]
    done = made.get("interventions") or []
    return events + [intervention_event(code, number, one["actors"], simulated=simulated) for one in done]


async def known_village(
    scoring: httpx.AsyncClient, facts: dict[str, Any] | None = None, district: str = "98.01.01", **own: Any
) -> tuple[str, UUID]:
    """Code and id of a village that the service has assessed."""
    code, number = free_code(district), uuid7()
    await take(scoring, *whole_village(code, number, facts, **own))
    return code, number
