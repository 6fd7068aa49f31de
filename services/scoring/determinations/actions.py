"""Issuing determinations: checked, frozen, stored with their digest and told, in one transaction."""

from __future__ import annotations

import asyncio
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import DeterminationIssued, DeterminedCounts, IssuedDetermination
from kit import clock, problems
from kit.access import Caller
from kit.ids import uuid7
from kit.outbox import publish
from services.scoring.assessments.actions import SOURCE
from services.scoring.determinations import presenting, store
from services.scoring.determinations.freezing import Frozen, freeze
from services.scoring.determinations.rules import FORMAT, digest_of, is_over, last_day
from services.scoring.determinations.schemas import DeterminationIn, PreviewIn
from services.scoring.determinations.tables import Determination
from services.scoring.rulesets import store as rulesets
from services.scoring.rulesets.document import Status
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import published


async def preview(session: AsyncSession, caller: Caller, asked: PreviewIn) -> tuple[Frozen, UUID | None]:
    """What would be determined now, and which determination stands for the region and period; nothing is stored.

    Raises:
        RegionForbidden: the region is outside the caller's.
        RulesetUnknown: there is no such ruleset, or it is a draft.
        RulesetNotUsable: it is retired, or does not apply to the period.
        Invalid, Conflict: see `freeze`.
    """
    caller.narrow(asked.region_code)
    engine = await published(session, asked.ruleset)
    stands = await store.standing(session, asked.region_code, asked.period)
    before = None if stands is None else (await store.find(session, caller, stands))[0]
    await _check_usable(session, engine, asked.period, before)
    return await freeze(session, asked.region_code, asked.period, engine), stands


async def issue(session: AsyncSession, caller: Caller, draft: DeterminationIn) -> Determination:
    """Determine a region's classes for a period that is over. The caller has made sure that nobody else does it now.

    Raises:
        RegionForbidden: the region is outside the caller's.
        RulesetUnknown: there is no such ruleset, or it is a draft.
        RulesetNotUsable: it is retired, or does not apply to the period.
        PeriodOpen: the period is not over everywhere in Indonesia.
        Invalid: a date that cannot be, a correction without a note or of another region or period; see also `freeze`.
        DeterminationUnknown: there is no determination to replace.
        AlreadyDetermined: another determination stands and is not named.
        AlreadyReplaced: the one to replace was replaced before.
        Conflict: see `freeze`.
    """
    caller.narrow(draft.region_code)
    _check_dates(draft)
    engine = await published(session, draft.ruleset)
    replaced = await _replaced(session, caller, draft)
    await _check_usable(session, engine, draft.period, replaced)
    frozen = await freeze(session, draft.region_code, draft.period, engine)
    determination = _determination(caller, draft, frozen)
    header = presenting.header_json(determination)
    determination.digest = await asyncio.to_thread(digest_of, header, frozen.entries)
    await store.add(session, determination, frozen.entries)
    await publish(session, [_event(determination)])
    return determination


async def _replaced(session: AsyncSession, caller: Caller, draft: DeterminationIn) -> Determination | None:
    stands = await store.standing(session, draft.region_code, draft.period)
    if draft.replaces is None:
        if stands is None:
            return None
        detail = f"Penetapan {stands} berlaku untuk {draft.region_code} periode {draft.period}; sebutkan sebagai yang diganti"
        raise problems.AlreadyDetermined(detail, existing_id=str(stands))
    if draft.note is None:
        raise _invalid("#/note", "Sebutkan mengapa penetapan yang lama diganti")
    replaced, successor = await store.find(session, caller, draft.replaces)
    if (replaced.region_code, replaced.period) != (draft.region_code, draft.period):
        raise _invalid("#/replaces", f"Penetapan itu untuk {replaced.region_code} periode {replaced.period}")
    if successor is not None:
        detail = f"Penetapan {replaced.id} sudah diganti; yang berlaku sekarang {stands}"
        raise problems.AlreadyReplaced(detail, existing_id=str(stands))
    return replaced


def _check_dates(draft: DeterminationIn) -> None:
    if not is_over(draft.period, clock.today_where_it_ends_last()):
        detail = f"Periode {draft.period} belum berakhir; penetapan baru dapat dibuat setelah {last_day(draft.period)}"
        raise problems.PeriodOpen(detail, errors=[{"pointer": "#/period", "detail": detail}])
    if draft.decree.date > clock.today():
        raise _invalid("#/decree/date", "Tanggal keputusan belum tiba")
    if draft.decree.date < date.fromisoformat(f"{draft.period}-01"):
        raise _invalid("#/decree/date", "Tanggal keputusan lebih awal daripada periode yang ditetapkan")


async def _check_usable(session: AsyncSession, engine: Engine, period: str, before: Determination | None) -> None:
    """A retired ruleset may only correct what was determined under that very ruleset."""
    ruleset, day = engine.ruleset, last_day(period)
    corrects_its_own = before is not None and before.rules["digest"] == engine.digest
    if ruleset.effective_from is not None and day < ruleset.effective_from:
        detail = f"Aturan {ruleset.id} baru berlaku mulai {ruleset.effective_from}"
    elif ruleset.effective_to is not None and day > ruleset.effective_to:
        detail = f"Aturan {ruleset.id} hanya berlaku sampai {ruleset.effective_to}"
    elif not corrects_its_own and (await rulesets.find(session, ruleset.id)).status == Status.RETIRED:
        detail = f"Aturan {ruleset.id} sudah tidak dipakai lagi"
    else:
        return
    raise problems.RulesetNotUsable(detail, errors=[{"pointer": "#/ruleset", "detail": detail}])


def _determination(caller: Caller, draft: DeterminationIn, frozen: Frozen) -> Determination:
    found = frozen.tally
    return Determination(
        id=uuid7(),
        format=FORMAT,
        region_code=draft.region_code,
        region_name=frozen.region_name(draft.region_code),
        period=draft.period,
        ruleset=draft.ruleset,
        rules=presenting.rules_json(frozen.engine, draft.region_code),
        decree_number=draft.decree.number,
        decree_date=draft.decree.date,
        note=draft.note,
        replaces=draft.replaces,
        **found.classes,
        villages=found.villages,
        not_assessable=found.not_assessable,
        without_reports=found.without_reports,
        simulated=found.simulated,
        inactive=frozen.inactive,
        digest="",
        issued_by=caller.id,
        issued_at=clock.now(),
    )


def _event(one: Determination) -> DeterminationIssued:
    counts = DeterminedCounts.model_validate(one.model_dump(include=set(DeterminedCounts.model_fields)))
    own = one.model_dump(include=set(IssuedDetermination.model_fields) - {"simulated"})
    data = IssuedDetermination.model_validate(
        {
            **own,
            "determination_id": one.id,
            "ruleset_digest": one.rules["digest"],
            "counts": counts,
            "simulated": one.simulated > 0,
        }
    )
    return DeterminationIssued(id=uuid7(), source=SOURCE, subject=one.region_code, time=one.issued_at, data=data)


def _invalid(pointer: str, detail: str) -> problems.Invalid:
    return problems.Invalid(detail, errors=[{"pointer": pointer, "detail": detail}])
