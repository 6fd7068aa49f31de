"""The life of a ruleset: drafted, checked, published, put in force from a day on, retired."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kit import clock, problems
from kit.access import Caller
from kit.etags import require_match
from services.scoring.rulesets import store
from services.scoring.rulesets.boundaries import boundary_cases
from services.scoring.rulesets.checks import read_ruleset
from services.scoring.rulesets.document import CountActors, Ruleset, RulesetInvalid, Status, operands
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.rules import Problem
from services.scoring.rulesets.schemas import InForceIn, ValidationOut
from services.scoring.rulesets.tables import InForceEntry, StoredRuleset

MOST_BYTES = 512 * 1024
"""Largest document; the shipped ones have 25 kB."""
_RESERVED = frozenset({"in-force", "validation"})
"""Ids that would be addresses of something else."""
_MOST_PROBLEMS = 100


async def draft(session: AsyncSession, caller: Caller, raw: bytes) -> StoredRuleset:
    """Store a new draft; only its shape is checked, so that work can be kept before it is right.

    Raises:
        TooLarge, Invalid: the document has not the shape of one, or does not call itself a draft.
        Conflict: the id is taken.
    """
    ruleset = await _draft_of(raw)
    row = StoredRuleset(
        id=ruleset.id,
        status=Status.DRAFT,
        revision=1,
        document=ruleset.as_json(),
        created_at=clock.now(),
        created_by=caller.id,
    )
    session.add(row)
    try:
        await session.flush()
    except IntegrityError as error:
        raise problems.Conflict(f"there is a ruleset {ruleset.id} already", existing_id=ruleset.id) from error
    return row


async def replace(session: AsyncSession, number: str, if_match: str | None, raw: bytes) -> StoredRuleset:
    """Put another document in a draft's place.

    Raises:
        RulesetUnknown: there is no such ruleset.
        RulesetImmutable: it was published.
        PreconditionRequired, Stale: no If-Match, or the draft has changed since.
        TooLarge, Invalid: as of a new draft; the document has another id.
    """
    row = await _locked_draft(session, number, if_match)
    ruleset = await _draft_of(raw)
    if ruleset.id != number:
        raise _invalid([Problem("/id", f"Kode dokumen harus sama dengan yang diganti: {number}")])
    row.document = ruleset.as_json()
    row.revision += 1
    await session.flush()
    return row


async def delete(session: AsyncSession, number: str, if_match: str | None) -> None:
    """Throw a draft away.

    Raises:
        RulesetUnknown, RulesetImmutable, PreconditionRequired, Stale: as of replacing.
    """
    await session.delete(await _locked_draft(session, number, if_match))


async def validate(session: AsyncSession, number: str) -> ValidationOut:
    """What the checks say of a ruleset in whatever state; nothing is changed.

    Raises:
        RulesetUnknown: there is no such ruleset.
    """
    row = await store.find(session, number)
    return await asyncio.to_thread(_checked, orjson.dumps(row.document))


async def validate_document(raw: bytes) -> ValidationOut:
    """What the checks say of a document that is stored nowhere.

    Raises:
        TooLarge: the document is larger than one can be.
    """
    _require_size(raw)
    return await asyncio.to_thread(_checked, raw)


async def publish(session: AsyncSession, caller: Caller, number: str, if_match: str | None) -> StoredRuleset:
    """Publish a draft: from now on it never changes, and has a digest and its boundary cases.

    Raises:
        RulesetUnknown: there is no such ruleset.
        RulesetPublishedBefore: it is no draft any more.
        PreconditionRequired, Stale: no If-Match, or the draft has changed since.
        Invalid: it does not pass its checks; every place is named.
    """
    row = await store.find(session, number, lock=True)
    if row.status != Status.DRAFT:
        raise problems.RulesetPublishedBefore(f"{number} was published on {row.published_at:%Y-%m-%d}")
    require_match(if_match, row.revision)
    engine, cases = await asyncio.to_thread(_published, orjson.dumps(row.document))
    row.document, row.digest, row.boundary_cases = engine.ruleset.as_json(), engine.digest, cases
    row.status, row.published_at, row.published_by = Status.PUBLISHED, clock.now(), caller.id
    row.revision += 1
    await session.flush()
    return row


async def retire(session: AsyncSession, caller: Caller, number: str) -> StoredRuleset:
    """Retire a published ruleset: it can no longer be put in force; what was assessed under it can still name it.

    Raises:
        RulesetUnknown: there is no such ruleset.
        RulesetNotPublished: it is a draft, or was retired before.
        RulesetInForce: it is in force, or will be.
    """
    await store.lock_entries(session)
    row = await store.find(session, number, lock=True)
    _require_published(row)
    days = await store.days_in_force(session, number, clock.today())
    if days:
        raise problems.RulesetInForce(f"{number} is in force from {', '.join(map(str, days))}")
    row.status, row.retired_at, row.retired_by = Status.RETIRED, clock.now(), caller.id
    row.revision += 1
    await session.flush()
    return row


async def put_in_force(session: AsyncSession, caller: Caller, asked: InForceIn) -> InForceEntry:
    """Say which ruleset is in force from a day on; what was said before stays on record.

    Raises:
        RulesetUnknown: there is no such ruleset.
        Invalid: the day has passed, or the ruleset's own dates are against it.
        RulesetNotPublished: it is a draft, or retired.
        Conflict: it is so already.
    """
    await store.lock_entries(session)
    row = await store.find(session, asked.ruleset, lock=True)
    _require_published(row)
    _require_fitting_day(row, asked)
    latest = await store.entry_of(session, asked.from_date)
    if latest is not None and latest.ruleset_id == row.id:
        raise problems.Conflict(f"{row.id} is in force from {asked.from_date} already")
    entry = InForceEntry(from_date=asked.from_date, ruleset_id=row.id, set_at=clock.now(), set_by=caller.id)
    session.add(entry)
    await session.flush()
    return entry


def _require_size(raw: bytes) -> None:
    if len(raw) > MOST_BYTES:
        raise problems.TooLarge(f"a ruleset document has at most {MOST_BYTES} bytes")


def _require_published(row: StoredRuleset) -> None:
    if row.status != Status.PUBLISHED:
        raise problems.RulesetNotPublished(f"{row.id} is {row.status}", status_of_ruleset=row.status)


def _require_fitting_day(row: StoredRuleset, asked: InForceIn) -> None:
    ruleset, day, today = _parsed(orjson.dumps(row.document)), asked.from_date, clock.today()
    if day < today:
        detail = f"Tanggal ini sudah lewat; paling awal hari ini, {today}"
    elif ruleset.effective_from is not None and day < ruleset.effective_from:
        detail = f"Menurut dokumennya aturan ini baru berlaku mulai {ruleset.effective_from}"
    elif ruleset.effective_to is not None and day > ruleset.effective_to:
        detail = f"Menurut dokumennya aturan ini hanya berlaku sampai {ruleset.effective_to}"
    else:
        return
    raise _invalid([Problem("/from", detail)])


async def _locked_draft(session: AsyncSession, number: str, if_match: str | None) -> StoredRuleset:
    row = await store.find(session, number, lock=True)
    if row.status != Status.DRAFT:
        raise problems.RulesetImmutable(f"{number} was published on {row.published_at:%Y-%m-%d}")
    require_match(if_match, row.revision)
    return row


async def _draft_of(raw: bytes) -> Ruleset:
    _require_size(raw)
    ruleset = await asyncio.to_thread(_parsed, raw)
    if ruleset.status is not Status.DRAFT:
        raise _invalid([Problem("/status", "Rancangan harus berstatus draft; menerbitkannya langkah tersendiri")])
    if ruleset.id in _RESERVED:
        raise _invalid([Problem("/id", f"Kode {ruleset.id} tidak dapat dipakai")])
    return ruleset


def _parsed(raw: bytes) -> Ruleset:
    try:
        return Ruleset.parse(raw)
    except RulesetInvalid as error:
        raise _invalid(error.problems) from error


def _published(raw: bytes) -> tuple[Engine, list[dict[str, Any]]]:
    try:
        ruleset = read_ruleset(raw)
    except RulesetInvalid as error:
        raise _invalid(error.problems) from error
    engine = Engine(ruleset.model_copy(update={"status": Status.PUBLISHED}))
    return engine, boundary_cases(engine)


def _checked(raw: bytes) -> ValidationOut:
    try:
        ruleset = read_ruleset(raw)
    except RulesetInvalid as error:
        return ValidationOut(valid=False, problems=_fields(error.problems), when_in_force=None, boundary_cases=None)
    noticed = _fields(_when_in_force(ruleset))
    return ValidationOut(valid=True, problems=[], when_in_force=noticed, boundary_cases=boundary_cases(Engine(ruleset)))


def _when_in_force(ruleset: Ruleset) -> list[Problem]:
    """What followers notice where a ruleset is in force: it may give no class, or time alone changes its answers."""
    found = []
    for place, indicator in enumerate(ruleset.indicators):
        if indicator.when_missing == "not_assessable":
            detail = f"{indicator.labels.id}: tidak dinilai bila datanya tidak ada, sehingga kelasnya dapat tidak ada"
            found.append(Problem(f"/indicators/{place}/when_missing", detail))
        if any(isinstance(part, CountActors) and part.window_months for part in operands(indicator.formula)):
            detail = (
                f"{indicator.labels.id}: hanya menghitung beberapa bulan terakhir, sehingga hasilnya berubah oleh waktu"
            )
            found.append(Problem(f"/indicators/{place}/formula/window_months", detail))
    if ruleset.freshness:
        found.append(Problem("/freshness", "Laporan yang menua mengubah hasilnya"))
    return found


def _invalid(found: Sequence[Problem]) -> problems.Invalid:
    errors = _errors(found)
    return problems.Invalid("; ".join(f"{e['pointer']}: {e['detail']}" for e in errors[:3]), errors=errors)


def _errors(found: Iterable[Problem]) -> list[dict[str, str]]:
    return [{"pointer": f"#{one.pointer}", "detail": one.detail} for one in list(found)[:_MOST_PROBLEMS]]


def _fields(found: Iterable[Problem]) -> list[problems.FieldError]:
    return [problems.FieldError(**one) for one in _errors(found)]
