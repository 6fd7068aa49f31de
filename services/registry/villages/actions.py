"""What can be done to a Kampung KB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import RegionNames, VillageChanged, VillageKey, VillageRegistered, VillageState
from contracts.regions import RegionLevel, level_of
from kit import clock, problems
from kit.access import Caller
from kit.database import insert_missing
from kit.etags import require_match
from kit.ids import uuid7
from kit.outbox import publish
from services.registry.regions import store as regions
from services.registry.villages import rules, store
from services.registry.villages.schemas import VillageChange, VillageFields, VillageIn, VillageStatus
from services.registry.villages.tables import Village

SOURCE = "/services/registry"
_CHUNK = 1_000


@dataclass(frozen=True)
class Registered:
    """A village that was registered, with the names of its region."""

    village: Village
    names: RegionNames


async def register_village(session: AsyncSession, caller: Caller, draft: VillageIn) -> Registered:
    """Register a Kampung KB.

    Raises:
        RegionForbidden: the desa is outside the caller's region.
        RegionUnknown: the code list has no such desa.
        Invalid: the code is no desa, or launch or coordinates do not fit.
        Conflict: the desa already has an active Kampung KB; its id is in the problem.
    """
    _check_place(caller, draft.region_code)
    _check_fields(draft)
    await regions.get_path(session, draft.region_code)
    while not (registered := await register_missing(session, caller, [draft])):
        existing = (await store.lock_active(session, [draft.region_code])).get(draft.region_code)
        if existing is not None:
            raise problems.Conflict(
                f"{draft.region_code} already has an active Kampung KB; there is one per desa or kelurahan",
                existing_id=str(existing.id),
            )
        # the one that was in the way has become inactive meanwhile: the desa is free again
    return registered[0]


async def register_missing(session: AsyncSession, caller: Caller, drafts: Sequence[VillageIn]) -> list[Registered]:
    """Register those villages whose desa has no active Kampung KB yet; the caller has checked the drafts."""
    registered = []
    for start in range(0, len(drafts), _CHUNK):
        registered += await _register_chunk(session, caller, drafts[start : start + _CHUNK])
    return registered


async def _register_chunk(session: AsyncSession, caller: Caller, drafts: Sequence[VillageIn]) -> list[Registered]:
    names = await regions.names_of(session, (draft.region_code for draft in drafts))
    rows = [_new_row(caller, draft) for draft in drafts]
    inserted = await insert_missing(session, "villages", rows)
    registered = [Registered(Village(**row), names[row["region_code"]]) for row in rows if row["id"] in inserted]
    await publish(session, [VillageRegistered(**_envelope(r.village), data=state_of(r)) for r in registered])
    return registered


async def change_village(
    session: AsyncSession, caller: Caller, reference: str, if_match: str | None, change: VillageChange
) -> Registered:
    """Change what a Kampung KB says of itself, or its status.

    Raises:
        VillageUnknown: not there or not visible.
        PreconditionRequired: no If-Match was sent.
        Stale: If-Match names an older version.
        Invalid: launch or coordinates do not fit.
        Conflict: it cannot become active because its desa has another active one.
    """
    village = await store.find(session, caller, reference, lock=True)
    require_match(if_match, village.version)
    for field in change.model_fields_set - ({"status"} if change.status is None else set()):
        setattr(village, field, getattr(change, field))
    _check_fields(village)
    village.version += 1
    village.changed_at = clock.now()
    session.add(village)
    try:
        await session.flush()
    except IntegrityError as error:
        raise problems.Conflict("the desa already has another active Kampung KB") from error
    changed = Registered(village, (await regions.names_of(session, [village.region_code]))[village.region_code])
    await publish(session, [VillageChanged(**_envelope(village), data=state_of(changed))])
    return changed


def _check_place(caller: Caller, code: str) -> None:
    if level_of(code) is not RegionLevel.VILLAGE:
        detail = "a Kampung KB belongs to a desa or kelurahan: give a code of four parts"
        raise problems.Invalid(errors=[{"pointer": "#/region_code", "detail": detail}])
    caller.narrow(code)


def _check_fields(fields: VillageFields | Village) -> None:
    today = clock.today()
    found = {
        "#/launch_date": rules.launch_problem(fields.launch_date, fields.launch_year, today),
        "#/latitude": rules.coordinates_problem(fields.latitude, fields.longitude),
    }
    errors = [{"pointer": pointer, "detail": detail} for pointer, detail in found.items() if detail]
    if errors:
        raise problems.Invalid("; ".join(error["detail"] for error in errors), errors=errors)


def _new_row(caller: Caller, draft: VillageIn) -> dict[str, Any]:
    now = clock.now()
    return {
        **draft.model_dump(),
        "id": uuid7(),
        "status": VillageStatus.ACTIVE.value,
        "version": 1,
        "registered_by": caller.id,
        "registered_at": now,
        "changed_at": now,
    }


def key_of(village: Village) -> VillageKey:
    """How events name the village."""
    return VillageKey(id=village.id, region_code=village.region_code, version=village.version)


def _envelope(village: Village) -> dict[str, Any]:
    return {"id": uuid7(), "source": SOURCE, "subject": village.region_code, "time": clock.now()}


def state_of(registered: Registered) -> VillageState:
    """The village as its events carry it."""
    village = registered.village
    return VillageState(
        village=key_of(village),
        region_names=registered.names,
        name=village.name,
        status=village.status,
        launch_date=village.launch_date,
        launch_year=village.launch_year,
        simulated=village.simulated,
        source_system=village.source_system,
    )
