"""What the determinations room takes and answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.classes import VillageClass
from contracts.events import RegionNames
from contracts.facts import ReportKind
from contracts.regions import Period, RegionCode
from contracts.text import Line, Prose
from kit.paging import ListFilters
from services.scoring.assessments.schemas import Answer, Completeness, RulesetUsed, Texts

RulesetId = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class DecreeIn(BaseModel):
    """The decree that a determination is issued by."""

    model_config = ConfigDict(extra="forbid")

    number: Line = Field(examples=["400.13/123/2024"])
    date: date


class PreviewIn(BaseModel):
    """What would be determined."""

    model_config = ConfigDict(extra="forbid")

    region_code: RegionCode = Field(examples=["33.26"])
    period: Period
    ruleset: RulesetId = Field(description="Id of a published ruleset", examples=["web-2021"])


class DeterminationIn(PreviewIn):
    """What is to be determined, by which decree."""

    decree: DecreeIn
    replaces: UUID | None = Field(
        None, description="The determination of the same region and period that this one corrects"
    )
    note: Prose | None = Field(None, description="Why; must be said where another determination is replaced")


class DeterminationFilters(ListFilters):
    """Filters of the list of determinations."""

    region: RegionCode | None = Field(None, description="Only determinations of this region and of regions inside it")
    period: Period | None = Field(None, description="Month that was determined, YYYY-MM")
    ruleset: RulesetId | None = Field(None, description="Id of the ruleset it was determined under")
    replaced: bool | None = Field(None, description="false: only those that stand; true: only those that were replaced")


class DeterminedVillageFilters(ListFilters):
    """Filters of a determination's list of villages."""

    village_class: VillageClass | None = Field(None, alias="class", description="Class of the village")
    region: RegionCode | None = Field(None, description="Only inside this region")


class DecreeOut(Answer):
    """The decree that a determination was issued by."""

    number: str
    date: date


class NamedClass(Answer):
    """A class and what the ruleset calls it."""

    code: VillageClass
    labels: Texts
    local_labels: Texts | None = Field(description="What the determined region calls it, where that differs")


class NamedDimension(Answer):
    """A dimension and what the ruleset calls it."""

    code: str
    labels: Texts
    threshold: str = Field(description="Decimal string; met from it on")


class NamedIndicator(Answer):
    """An indicator and what the ruleset calls it."""

    code: str
    dimension: str
    labels: Texts


class DeterminedRules(Answer):
    """The ruleset of a determination, with everything that a reader of the list needs of it. Stored with it."""

    id: str
    version: int
    digest: str
    labels: Texts
    legal_basis: Texts
    certainty: str
    asked: int = Field(description="Inputs that the ruleset asks for")
    classes: list[NamedClass] = Field(description="Lowest first")
    dimensions: list[NamedDimension]
    indicators: list[NamedIndicator]


class DeterminedCounts(Answer):
    """What a determination's list adds up to; the classes and those not assessable add up to the villages."""

    villages: int
    classes: dict[VillageClass, int]
    not_assessable: int = Field(description="Listed, but the ruleset gives them no class")
    without_reports: int = Field(description="Of the villages, those of which no report up to the period is known")
    simulated: int = Field(description="Of the villages, those that rest on made-up data")
    inactive: int = Field(description="Kampung KB of the region that are not active, and so not in the list")


class DeterminationHeader(Answer):
    """A determination without its list."""

    format: int = Field(description="How the digest is made")
    id: UUID
    region_code: str = Field(examples=["33.26"])
    region_name: str = Field(examples=["Kabupaten Pekalongan"])
    period: str = Field(description="Calendar month; reports and interventions up to its end count")
    ruleset: DeterminedRules
    decree: DecreeOut
    counts: DeterminedCounts
    simulated: bool = Field(description="Whether anything of it rests on made-up data")
    replaces: UUID | None = Field(description="The determination that this one corrects")
    note: str | None
    issued_by: str = Field(description="Id of the caller who issued it")
    issued_at: datetime


class DeterminationOut(Answer):
    """A determination without its list. The header never changes; only whether it was replaced does."""

    header: DeterminationHeader
    digest: str = Field(
        description='SHA-256 of {"header": this header, "villages": the whole list} as canonical JSON: keys sorted, no '
        "blanks, UTF-8. GET /determinations/{id}/content answers exactly these bytes"
    )
    replaced_by: UUID | None = Field(description="The determination that corrects this one")


class DeterminedVillageOut(Answer):
    """One village of a determination's list."""

    number: int = Field(description="Place in the list, from 1")
    village_id: UUID
    region_code: str = Field(examples=["33.26.01.2001"])
    region_names: RegionNames
    name: str | None
    village_class: VillageClass | None = Field(alias="class", description="Null where the ruleset gives none")
    scores: dict[str, int | None] = Field(description="1-4 by indicator; null where not assessable")
    indexes: dict[str, str | None] = Field(description="Decimal strings by dimension; null where not assessable")
    answered: int = Field(description="Inputs that were reported, of those the ruleset asks for")
    without_reports: bool
    simulated: bool


class DeterminationContent(Answer):
    """A determination with its whole list, as its digest covers it."""

    header: DeterminationHeader
    villages: list[DeterminedVillageOut]


class IncompleteVillage(Answer):
    """A village of which something is missing."""

    village_id: UUID
    region_code: str
    region_names: RegionNames
    name: str | None
    village_class: VillageClass | None = Field(alias="class")
    missing_reports: list[ReportKind] = Field(description="Kinds of report that were never made up to the period")
    answered: int


class PreviewOut(Answer):
    """What a determination would be if it were issued now. Nothing is stored."""

    region_code: str
    region_name: str
    period: str
    period_over: bool = Field(description="Only a period that is over can be determined")
    ruleset: RulesetUsed
    counts: DeterminedCounts
    simulated: bool
    completeness: Completeness
    stands: UUID | None = Field(
        description="The determination that stands for this region and period; a new one would have to replace it"
    )
    incomplete: int = Field(description="Villages without class, or of which a kind of report was never made")
    incomplete_villages: list[IncompleteVillage] = Field(description="The first hundred of them, by code")
