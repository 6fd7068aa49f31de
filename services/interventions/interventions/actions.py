"""What can be done with interventions: record, correct, withdraw."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import (
    Event,
    InterventionActor,
    InterventionCorrected,
    InterventionRecorded,
    InterventionState,
    InterventionVillage,
    InterventionWithdrawn,
)
from kit import clock, problems
from kit.access import Caller, Role
from kit.etags import require_match
from kit.ids import uuid7
from kit.outbox import publish
from services.interventions.actors.reference import OTHER_ACTOR, actors_by_code
from services.interventions.catalogue.reference import OTHER_TARGET_GROUP
from services.interventions.interventions import rules, store
from services.interventions.interventions.schemas import (
    Change,
    InterventionChange,
    InterventionFields,
    InterventionIn,
    Withdrawal,
)
from services.interventions.interventions.store import Placed
from services.interventions.interventions.tables import Intervention, InterventionRevision
from services.interventions.villages import store as villages
from services.interventions.villages.tables import Village

SOURCE = "/services/interventions"
_EVENTS: dict[Change, type[Event]] = {
    Change.RECORDED: InterventionRecorded,
    Change.CORRECTED: InterventionCorrected,
    Change.WITHDRAWN: InterventionWithdrawn,
}
_FIELDS = set(InterventionFields.model_fields)


async def record_intervention(session: AsyncSession, caller: Caller, draft: InterventionIn) -> Placed:
    """Record what was done at a Kampung KB.

    Raises:
        Invalid: date, words or parties do not fit.
        VillageUnknown: no such village is known here or visible to the caller.
        RegionForbidden: the region code is outside the caller's region.
        Conflict: the village is no longer active.
    """
    _check_fields(draft)
    village = await villages.find(session, caller, draft.village, "#/village")
    if village.status != villages.ACTIVE:
        raise problems.Conflict(f"the Kampung KB {village.id} is {village.status}; nothing new is recorded there")
    now = clock.now()
    intervention = Intervention(
        id=uuid7(),
        village_id=village.id,
        version=1,
        **_values(draft),
        simulated=draft.simulated,
        source_system=draft.source_system,
        withdrawn_at=None,
        withdrawal_reason=None,
        recorded_by=caller.id,
        recorded_at=now,
        changed_at=now,
    )
    await _keep(session, caller, intervention, village, Change.RECORDED)
    return intervention, village


async def correct_intervention(
    session: AsyncSession, caller: Caller, intervention_id: UUID, if_match: str | None, change: InterventionChange
) -> Placed:
    """Correct an intervention; a correction that says nothing new makes no revision.

    Raises:
        NotFound: not there or not visible.
        Forbidden: a partner corrects only what it recorded itself.
        PreconditionRequired: no If-Match was sent.
        Stale: If-Match names an older version.
        Conflict: it was withdrawn.
        Invalid: date, words or parties do not fit after the correction.
    """
    intervention, village = await _find_to_change(session, caller, intervention_id, if_match)
    said = _said(intervention)
    fields = InterventionFields.model_validate(said | change.model_dump(exclude_unset=True))
    _check_fields(fields)
    values = _values(fields)
    if values == said:
        return intervention, village
    await _change(session, caller, intervention, village, Change.CORRECTED, values)
    return intervention, village


async def withdraw_intervention(
    session: AsyncSession, caller: Caller, intervention_id: UUID, if_match: str | None, withdrawal: Withdrawal
) -> Placed:
    """Withdraw an intervention: it stays readable and no longer counts.

    Raises:
        NotFound: not there or not visible.
        Forbidden: a partner withdraws only what it recorded itself.
        PreconditionRequired: no If-Match was sent.
        Stale: If-Match names an older version.
        Conflict: it was withdrawn before.
    """
    intervention, village = await _find_to_change(session, caller, intervention_id, if_match)
    values = {"withdrawn_at": clock.now(), "withdrawal_reason": withdrawal.reason}
    await _change(session, caller, intervention, village, Change.WITHDRAWN, values)
    return intervention, village


async def _find_to_change(session: AsyncSession, caller: Caller, intervention_id: UUID, if_match: str | None) -> Placed:
    intervention, village = await store.find(session, caller, intervention_id, lock=True)
    roles = caller.roles_at(village.region_code)
    if intervention.recorded_by != caller.id and not roles & {Role.OFFICER, Role.ADMINISTRATOR}:
        raise problems.Forbidden("a partner changes only what it recorded itself")
    require_match(if_match, intervention.version)
    if intervention.withdrawn_at is not None:
        raise problems.Conflict("this intervention was withdrawn; record it again if it took place")
    return intervention, village


async def _change(
    session: AsyncSession,
    caller: Caller,
    intervention: Intervention,
    village: Village,
    change: Change,
    values: dict[str, Any],
) -> None:
    for name, value in values.items():
        setattr(intervention, name, value)
    intervention.version += 1
    intervention.changed_at = clock.now()
    await _keep(session, caller, intervention, village, change)


async def _keep(
    session: AsyncSession, caller: Caller, intervention: Intervention, village: Village, change: Change
) -> None:
    """Store the new state, its revision and its event."""
    session.add(intervention)
    await session.flush()
    session.add(
        InterventionRevision(
            intervention_id=intervention.id,
            version=intervention.version,
            change=change,
            reason=intervention.withdrawal_reason,
            fields=InterventionFields.model_validate(_said(intervention)).model_dump(mode="json"),
            changed_by=caller.id,
            changed_at=intervention.changed_at,
        )
    )
    await session.flush()
    await publish(session, [event_of(intervention, village, change)])


def event_of(intervention: Intervention, village: Village, change: Change) -> Event:
    """The event that tells of an intervention's state after a change."""
    return _EVENTS[change].model_validate(
        {
            "id": uuid7(),
            "source": SOURCE,
            "subject": village.region_code,
            "time": intervention.changed_at,
            "data": _state(intervention, village),
        }
    )


def _said(intervention: Intervention) -> dict[str, Any]:
    return intervention.model_dump(include=_FIELDS)


def _values(fields: InterventionFields) -> dict[str, Any]:
    """What the row stores: the fields, each participant with its pentahelix party as far as it is known."""
    values = fields.model_dump(include=_FIELDS)
    values["actors"] = [
        {
            "code": actor.code,
            "pentahelix": rules.party_of(actors_by_code()[actor.code].pentahelix, actor.pentahelix),
            "other": actor.other,
        }
        for actor in fields.actors
    ]
    return values


def _state(intervention: Intervention, village: Village) -> InterventionState:
    numbers = {code: actor.web_kkb_number for code, actor in actors_by_code().items()}
    said = _said(intervention)
    return InterventionState.model_validate(
        said
        | {
            "intervention_id": intervention.id,
            "version": intervention.version,
            "village": InterventionVillage(id=village.id, region_code=village.region_code),
            "actors": [InterventionActor(web_kkb_number=numbers[a["code"]], **a) for a in intervention.actors],
            "simulated": intervention.simulated,
            "source_system": intervention.source_system,
            "withdrawn": intervention.withdrawn_at is not None,
        }
    )


def _check_fields(fields: InterventionFields) -> None:
    words = rules.words_problem(is_other=OTHER_TARGET_GROUP in fields.target_groups, words=fields.other_target_group)
    found = [("#/date", rules.date_problem(fields.date, clock.today())), ("#/other_target_group", words)]
    for position, actor in enumerate(fields.actors):
        possible = actors_by_code()[actor.code].pentahelix
        is_other = actor.code == OTHER_ACTOR
        found += [
            (f"#/actors/{position}/other", rules.words_problem(is_other=is_other, words=actor.other)),
            (f"#/actors/{position}/pentahelix", rules.party_problem(possible, actor.pentahelix)),
        ]
    twice = "this is named twice"
    found += [(f"#/actors/{at}", twice) for at in rules.repeated_at((a.code, a.other) for a in fields.actors)]
    found += [
        (f"#/target_groups/{at}", twice) for at in rules.repeated_at((code, None) for code in fields.target_groups)
    ]
    errors = [{"pointer": pointer, "detail": detail} for pointer, detail in found if detail]
    if errors:
        raise problems.Invalid("; ".join(f"{e['pointer']}: {e['detail']}" for e in errors[:3]), errors=errors)
