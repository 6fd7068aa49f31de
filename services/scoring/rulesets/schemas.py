"""What the rulesets room takes and answers."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Self

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contracts.facts import Facts, FamilyPlanningFacts, PopulationFacts, ProfileFacts
from contracts.regions import Period
from kit.paging import ListFilters
from kit.problems import FieldError
from services.scoring.rulesets.document import ActorCode, ActorNumber, Labels, LegalBasis, Ruleset, Status
from services.scoring.rulesets.inputs import INTERVENTIONS, fact_inputs
from services.scoring.rulesets.tables import InForceEntry, StoredRuleset

MOST_VILLAGES = 5_000
"""Most villages evaluated in one call."""


def _calendar_day(text: str) -> str:
    dt.date.fromisoformat(text)
    return text


def _known_place(path: str) -> str:
    if path not in _DATED:
        raise ValueError("a month belongs to a kind of report or to one of its answers, such as population.pus")
    return path


_DATED = frozenset(".".join(path.split(".")[:n]) for path in fact_inputs() for n in (1, 2, 3)) - {INTERVENTIONS}
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-01-31"]), AfterValidator(_calendar_day)]
"""A calendar day, kept as text: the engine compares it as text, and thousands of villages are checked at once."""
DatedPlace = Annotated[str, AfterValidator(_known_place)]


class InterventionFacts(Facts):
    """What counts of an intervention: who took part and, for rulesets with a time window, when."""

    actors: list[ActorNumber | ActorCode] | None = None
    date: Day | None = None


class VillageFactsIn(Facts):
    """A village to evaluate. Null or left out means not reported, a whole report as well as a single answer."""

    profile: ProfileFacts | None = None
    population: PopulationFacts | None = None
    family_planning: FamilyPlanningFacts | None = None
    interventions: list[InterventionFacts] | None = None
    periods: dict[DatedPlace, Period] | None = Field(
        None,
        description="Month by kind of report and, where an answer is of another month, by its path. A ruleset that "
        "limits the age of reports does not assess what has no month",
        examples=[{"population": "2026-01", "population.pus": "2025-11"}],
    )
    as_of: Day | None = Field(
        None, description="Day for which the village is assessed, where the ruleset looks at time; today if left out"
    )


EvaluationOut = dict[str, int | str | None]
"""Score by indicator, index_<dimension> as decimal strings, class; null where not assessable."""


class RulesetFilters(ListFilters):
    """Filters of the list of rulesets."""

    status: Status | None = Field(None, description="Where in its life it is")


class RulesetOut(BaseModel):
    """A ruleset in brief."""

    id: str
    version: int
    status: Status = Field(description="Where it is in its life; the document of a retired one still says published")
    effective_from: dt.date | None = Field(description="Null where no legal act that says so was sighted")
    effective_to: dt.date | None
    labels: Labels
    legal_basis: LegalBasis
    digest: str | None = Field(
        description="SHA-256 of the document as canonical JSON (keys sorted, no blanks, UTF-8); null of a draft, which "
        "may still change"
    )
    in_force: bool = Field(description="Whether villages are assessed under it today")
    revision: int = Field(description="Grows with every change of the draft or of the status; also the ETag")
    created_at: dt.datetime
    created_by: str
    published_at: dt.datetime | None
    published_by: str | None
    retired_at: dt.datetime | None
    retired_by: str | None

    @classmethod
    def of(cls, stored: StoredRuleset, in_force: str) -> Self:
        """From a stored ruleset and the id of the one in force."""
        return cls.model_validate(_brief(stored, in_force))


class RulesetDetail(RulesetOut):
    """A ruleset with its whole document."""

    may_give_no_class: bool = Field(
        description="Whether a village may be not assessable under it; in force, classes are then told as version 2 of "
        "village-classified"
    )
    looks_at_time: bool = Field(description="Whether its answers may change though no fact does")
    document: Ruleset

    @classmethod
    def of(cls, stored: StoredRuleset, in_force: str) -> Self:
        """From a stored ruleset and the id of the one in force."""
        document = Ruleset.parse(orjson.dumps(stored.document))
        noticed = {"may_give_no_class": document.may_give_no_class, "looks_at_time": document.looks_at_time}
        return cls(**_brief(stored, in_force), **noticed, document=document)


_OF_THE_ROW = set(StoredRuleset.model_fields) - {"document", "boundary_cases"}


def _brief(stored: StoredRuleset, in_force: str) -> dict[str, Any]:
    said = {name: stored.document[name] for name in ("version", "effective_from", "effective_to")}
    return {
        **{name: getattr(stored, name) for name in RulesetOut.model_fields if name in _OF_THE_ROW},
        **said,
        "labels": Labels(**stored.document["labels"]),
        "legal_basis": LegalBasis.model_validate_json(orjson.dumps(stored.document["legal_basis"])),
        "in_force": stored.id == in_force,
    }


class ValidationOut(BaseModel):
    """What the checks say of a ruleset; nothing was changed."""

    valid: bool = Field(description="Whether it could be published")
    problems: list[FieldError] = Field(description="JSON pointers into the document, sentences in Indonesian")
    when_in_force: list[FieldError] | None = Field(
        description="What is noticed once it is in force: where it may leave villages without a class (told as version 2 of "
        "village-classified), and where time alone changes its answers; null where it is not valid"
    )
    boundary_cases: list[dict[str, Any]] | None = Field(description="Null where it is not valid")


class BoundaryCases(BaseModel):
    """Cases at every boundary of a published ruleset, generated and stored when it was published."""

    ruleset: str
    digest: str
    cases: list[dict[str, Any]]


class InForceIn(BaseModel):
    """Which ruleset is to be in force from when."""

    model_config = ConfigDict(extra="forbid")

    ruleset: str = Field(max_length=64, description="Id of a published ruleset", examples=["web-2021"])
    from_date: dt.date = Field(
        alias="from", description="Today or later, as the day is in Indonesia; of one day the last entry counts"
    )


class InForceOut(BaseModel):
    """From which day on a ruleset is in force, until an entry of a later day begins."""

    model_config = ConfigDict(populate_by_name=True)

    ruleset: str
    from_date: dt.date = Field(alias="from")
    now: bool = Field(description="Whether it is this entry that decides today")
    replaced: bool = Field(description="Another entry of the same day was made later, and counts instead")
    set_at: dt.datetime
    set_by: str

    @classmethod
    def of(cls, entry: InForceEntry, *, now: bool, replaced: bool) -> Self:
        """From an entry and what the others make of it."""
        return cls(
            ruleset=entry.ruleset_id,
            from_date=entry.from_date,
            now=now,
            replaced=replaced,
            set_at=entry.set_at,
            set_by=entry.set_by,
        )
