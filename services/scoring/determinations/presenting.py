"""Turns determinations into what the API answers, and into what their digest covers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from contracts.classes import VillageClass
from kit import clock
from services.scoring.assessments.presenting import completeness, ruleset_used
from services.scoring.assessments.schemas import texts
from services.scoring.determinations.freezing import Frozen
from services.scoring.determinations.rules import is_over
from services.scoring.determinations.schemas import (
    DecreeOut,
    DeterminationHeader,
    DeterminationOut,
    DeterminedCounts,
    DeterminedRules,
    IncompleteVillage,
    NamedClass,
    NamedDimension,
    NamedIndicator,
    PreviewIn,
    PreviewOut,
)
from services.scoring.determinations.tables import Determination
from services.scoring.rulesets.document import ClassLabel
from services.scoring.rulesets.engine import Engine

_MOST_INCOMPLETE = 100


def rules_json(engine: Engine, region: str) -> dict[str, Any]:
    """What a determination of a region keeps of its ruleset."""
    ruleset = engine.ruleset
    rules = DeterminedRules(
        **dict(ruleset_used(engine)),
        asked=len(engine.asked),
        classes=[_named(label, region) for label in ruleset.classes],
        dimensions=[
            NamedDimension(code=one.code, labels=texts(one.labels), threshold=str(one.threshold))
            for one in ruleset.dimensions
        ],
        indicators=[
            NamedIndicator(code=one.code, dimension=one.dimension, labels=texts(one.labels))
            for one in ruleset.indicators
        ],
    )
    return rules.model_dump(mode="json")


def _named(label: ClassLabel, region: str) -> NamedClass:
    local = label.local(region)
    own = None if local is None else texts(local)
    return NamedClass(code=label.code, labels=texts(label.labels), local_labels=own)


def header(one: Determination) -> DeterminationHeader:
    """The header of a determination."""
    return DeterminationHeader(
        format=one.format,
        id=one.id,
        region_code=one.region_code,
        region_name=one.region_name,
        period=one.period,
        ruleset=DeterminedRules.model_validate(one.rules),
        decree=DecreeOut(number=one.decree_number, date=one.decree_date),
        counts=DeterminedCounts(
            villages=one.villages,
            classes={kind: getattr(one, kind) for kind in VillageClass},
            not_assessable=one.not_assessable,
            without_reports=one.without_reports,
            simulated=one.simulated,
            inactive=one.inactive,
        ),
        simulated=one.simulated > 0,
        replaces=one.replaces,
        note=one.note,
        issued_by=one.issued_by,
        issued_at=one.issued_at,
    )


def header_json(one: Determination) -> dict[str, Any]:
    """The header as it is sent and as the digest covers it."""
    return header(one).model_dump(mode="json", by_alias=True)


def determination(one: Determination, replaced_by: UUID | None) -> DeterminationOut:
    """A determination without its list."""
    return DeterminationOut(header=header(one), digest=one.digest, replaced_by=replaced_by)


def preview(asked: PreviewIn, frozen: Frozen, stands: UUID | None) -> PreviewOut:
    """What would be determined."""
    found = frozen.tally
    answered = sum(entry["answered"] for entry in frozen.entries)
    incomplete = _incomplete(frozen)
    return PreviewOut(
        region_code=asked.region_code,
        region_name=frozen.region_name(asked.region_code),
        period=asked.period,
        period_over=is_over(asked.period, clock.today_where_it_ends_last()),
        ruleset=ruleset_used(frozen.engine),
        counts=DeterminedCounts(
            villages=found.villages,
            classes={kind: found.classes[kind] for kind in VillageClass},
            not_assessable=found.not_assessable,
            without_reports=found.without_reports,
            simulated=found.simulated,
            inactive=frozen.inactive,
        ),
        simulated=found.simulated > 0,
        completeness=completeness(answered, len(frozen.engine.asked) * found.villages),
        stands=stands,
        incomplete=len(incomplete),
        incomplete_villages=incomplete[:_MOST_INCOMPLETE],
    )


def _incomplete(frozen: Frozen) -> list[IncompleteVillage]:
    pairs = zip(frozen.entries, frozen.missing_reports, strict=True)
    return [
        IncompleteVillage.model_validate({**entry, "missing_reports": missing})
        for entry, missing in pairs
        if missing or entry["class"] is None
    ]
