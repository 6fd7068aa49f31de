"""What the interventions room takes and answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Container
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from contracts.events import RegionNames
from contracts.facts import Count, FundingSource
from contracts.regions import RegionCode
from contracts.text import Line, Prose, SourceSystem
from kit.paging import ListFilters
from services.interventions.actors.reference import ActorCode, Pentahelix, actors_by_code
from services.interventions.catalogue.reference import (
    Code,
    KegiatanCode,
    ProgrammeCode,
    family_functions_by_code,
    kegiatan_by_code,
    target_groups_by_code,
)
from services.interventions.interventions.tables import Intervention, InterventionRevision
from services.interventions.villages.tables import Village


def _listed(codes: Callable[[], Container[str]], where: str) -> AfterValidator:
    def check(code: str) -> str:
        if code not in codes():
            raise ValueError(f"no such code; see GET /api/v1/{where}")
        return code

    return AfterValidator(check)


Rupiah = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000_000_000)]
KnownActor = Annotated[ActorCode, _listed(actors_by_code, "actors")]
KnownKegiatan = Annotated[KegiatanCode, _listed(kegiatan_by_code, "inpres/programmes")]
KnownFunction = Annotated[Code, _listed(family_functions_by_code, "family-functions")]
KnownTargetGroup = Annotated[Code, _listed(target_groups_by_code, "target-groups")]
TargetGroups = Annotated[list[KnownTargetGroup], Field(min_length=1, max_length=9)]


class Participant(BaseModel):
    """A kind of institution that took part."""

    model_config = ConfigDict(extra="forbid")

    code: KnownActor = Field(description="Code of the actor list", examples=["dinas-kesehatan"])
    other: Line | None = Field(None, description="Who it was in words; with lainnya and only there")
    pentahelix: Pentahelix | None = Field(
        None, description="Where the kind leaves it open (a hospital is public or private); null = not reported"
    )


Participants = Annotated[list[Participant], Field(min_length=1, max_length=50)]


class InterventionFields(BaseModel):
    """What an intervention says of itself; null means not reported."""

    model_config = ConfigDict(extra="forbid")

    date: dt.date = Field(description="Day it was carried out; not in the future, not before 2016-01-01")
    place: Line
    title: Line
    description: Prose
    family_function: KnownFunction = Field(examples=["ekonomi"])
    kegiatan: KnownKegiatan | None = Field(None, description="Kegiatan of Inpres 3/2022 it belongs to")
    target_groups: TargetGroups = Field(examples=[["pus", "keluarga_balita"]])
    other_target_group: Line | None = Field(None, description="Who in words; with lainnya and only there")
    actors: Participants
    funding_source: FundingSource | None = None
    funding_amount: Rupiah | None = Field(None, description="Rupiah; 0 says that it cost nothing")
    participants: Count = Field(None, description="People who took part")


class InterventionIn(InterventionFields):
    """An intervention to record."""

    village: Annotated[str, StringConstraints(strip_whitespace=True, max_length=50)] = Field(
        description="Id of the Kampung KB, or the region code of its desa", examples=["33.26.01.2001"]
    )
    simulated: bool = Field(False, strict=True, description="Made-up data; shown wherever it is used")
    source_system: SourceSystem = "manual"


class InterventionChange(BaseModel):
    """A correction: fields left out stay as they are, null makes those not reported that may be.

    The village cannot be corrected: withdraw the intervention and record it where it belongs.
    """

    model_config = ConfigDict(extra="forbid")

    date: dt.date | SkipJsonSchema[None] = None
    place: Line | SkipJsonSchema[None] = None
    title: Line | SkipJsonSchema[None] = None
    description: Prose | SkipJsonSchema[None] = None
    family_function: KnownFunction | SkipJsonSchema[None] = None
    kegiatan: KnownKegiatan | None = None
    target_groups: TargetGroups | SkipJsonSchema[None] = None
    other_target_group: Line | None = None
    actors: Participants | SkipJsonSchema[None] = None
    funding_source: FundingSource | None = None
    funding_amount: Rupiah | None = None
    participants: Count = None

    @field_validator(
        "date", "place", "title", "description", "family_function", "target_groups", "actors", mode="before"
    )
    @classmethod
    def _stays_reported(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("an intervention always has this; leave it out to keep it as it is")
        return value


class Withdrawal(BaseModel):
    """Why an intervention is withdrawn."""

    model_config = ConfigDict(extra="forbid")

    reason: Line = Field(examples=["Tercatat dua kali"])


class ParticipantOut(BaseModel):
    """A kind of institution that took part."""

    code: str
    name: str
    pentahelix: Pentahelix | None = Field(description="Null where the kind leaves it open and nobody said")
    other: str | None
    programme_own: bool = Field(description="An agency of the programme itself, not another sector")

    @classmethod
    def of(cls, participant: dict[str, Any]) -> Self:
        """From a stored participant."""
        actor = actors_by_code()[participant["code"]]
        return cls(name=actor.name, programme_own=actor.programme_own, **participant)


class InterventionVillageOut(BaseModel):
    """The Kampung KB an intervention took place in."""

    id: UUID
    region_code: str = Field(examples=["33.26.01.2001"])
    region_names: RegionNames
    name: str | None

    @classmethod
    def of(cls, village: Village) -> Self:
        """From a row."""
        names = RegionNames(
            province=village.province, regency=village.regency, district=village.district, village=village.village
        )
        return cls(id=village.id, region_code=village.region_code, region_names=names, name=village.name)


class InterventionOut(BaseModel):
    """An intervention as it stands."""

    id: UUID
    village: InterventionVillageOut
    date: dt.date
    place: str
    title: str
    description: str
    family_function: str
    kegiatan: str | None
    target_groups: list[str]
    other_target_group: str | None
    actors: list[ParticipantOut]
    funding_source: FundingSource | None
    funding_amount: int | None = Field(description="Rupiah; null = not reported")
    participants: int | None = Field(description="People; null = not reported")
    simulated: bool
    source_system: str
    withdrawn: bool = Field(description="A withdrawn intervention no longer counts")
    withdrawn_at: dt.datetime | None
    withdrawal_reason: str | None
    version: int = Field(description="Also the ETag")
    recorded_at: dt.datetime
    changed_at: dt.datetime

    @classmethod
    def of(cls, intervention: Intervention, village: Village) -> Self:
        """From rows."""
        return cls(
            village=InterventionVillageOut.of(village),
            actors=[ParticipantOut.of(participant) for participant in intervention.actors],
            withdrawn=intervention.withdrawn_at is not None,
            **intervention.model_dump(exclude={"village_id", "actors", "recorded_by"}),
        )


class Change(StrEnum):
    """What a revision did."""

    RECORDED = "recorded"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"


class RevisionOut(BaseModel):
    """One revision of an intervention: what it said from then on, and which caller said it."""

    version: int
    change: Change
    reason: str | None
    fields: InterventionFields
    changed_by: str = Field(description="Id of the caller (key), never a person's name")
    changed_at: dt.datetime

    @classmethod
    def of(cls, revision: InterventionRevision) -> Self:
        """From a row."""
        return cls.model_validate(revision.model_dump(exclude={"intervention_id"}))


class InterventionFilters(ListFilters):
    """Filters of the list of interventions."""

    region: RegionCode | None = Field(None, description="Only inside this region")
    village: str | None = Field(None, max_length=50, description="Only at this Kampung KB (id or region code)")
    since: dt.date | None = Field(None, alias="from", description="Carried out on this day or later")
    until: dt.date | None = Field(None, alias="to", description="Carried out on this day or earlier")
    actor: KnownActor | None = Field(None, description="Only with this kind of institution, by its code")
    family_function: KnownFunction | None = Field(None, description="Only those that serve it")
    programme: ProgrammeCode | None = Field(None, description="Only of this programme of Inpres 3/2022")
    kegiatan: KnownKegiatan | None = Field(None, description="Only of this kegiatan, like 3-02")
    pentahelix: Pentahelix | None = Field(None, description="Only with a participant known to be of this party")
    withdrawn: bool = Field(False, description="The withdrawn ones instead of those that count")
    simulated: bool | None = Field(None, description="Only made-up ones, or only real ones")

    @field_validator("until")
    @classmethod
    def _not_before_since(cls, until: dt.date | None, info: ValidationInfo) -> dt.date | None:
        since = info.data.get("since")
        if since is not None and until is not None and until < since:
            raise ValueError("this day lies before `from`")
        return until
