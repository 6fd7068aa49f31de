"""The three dated reports of a village: what it is and has, who lives there, family planning.

Shapes shared by the registry's API, its events and the scoring service. Every answer is three-valued:
a missing or null field means "not reported" and is never read as "no" or as zero.
Source of the fields: forms of Web Kampung KB (profil kepemilikan, kependudukan, perkembangan program Bangga Kencana)
and SIGA's monthly tables.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_COUNT = 2_147_483_647
"""Largest count that can be stored (32 bit). Implausible sizes below it are stored and become findings."""

Answer = Annotated[bool, Field(strict=True)] | None
"""Yes, no, or not reported (null)."""

Count = Annotated[int, Field(strict=True, ge=0, le=MAX_COUNT)] | None
"""A whole number of people, couples, families or things; null means not reported."""


T = TypeVar("T")


def _each_once(chosen: list[T] | None) -> list[T] | None:
    if chosen is not None and len(chosen) != len(set(chosen)):
        raise ValueError("each may be named once only")
    return chosen


Chosen = Annotated[list[T] | None, AfterValidator(_each_once)]
"""What was chosen of a list: [] = none, null = not reported."""


class Facts(BaseModel):
    """Base of all facts: immutable, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ReportKind(StrEnum):
    """The three dated reports."""

    PROFILE = "profile"
    POPULATION = "population"
    FAMILY_PLANNING = "family_planning"


class FundingSource(StrEnum):
    """Sumber dana of a Kampung KB."""

    APBN = "apbn"
    APBD = "apbd"
    DANA_DESA = "dana_desa"
    DONATION = "donation"
    CSR = "csr"
    SELF_HELP = "self_help"


class DataUse(StrEnum):
    """Penggunaan data: which data the pokja plans with."""

    FAMILY_DATA = "family_data"
    BKKBN_ROUTINE = "bkkbn_routine"
    VILLAGE_POTENTIAL = "village_potential"
    SECTORAL = "sectoral"
    OTHER = "other"


class Regulation(StrEnum):
    """Regulasi: who issued a decree, instruction or circular on the Kampung KB."""

    GOVERNOR = "governor"
    REGENT = "regent"
    DISTRICT = "district"
    VILLAGE_HEAD = "village_head"


class Poktan(Facts):
    """Which kelompok kegiatan exist."""

    bkb: Answer = None
    bkr: Answer = None
    bkl: Answer = None
    uppka: Answer = None
    pik_r: Answer = None


class Mechanisms(Facts):
    """Mekanisme operasional: which of the five are carried out."""

    planning_meeting: Answer = None
    coordination_meeting: Answer = None
    outreach: Answer = None
    monitoring_evaluation: Answer = None
    reporting: Answer = None


class ProfileFacts(Facts):
    """Profil kepemilikan: what the Kampung KB is and has."""

    pokja: Answer = Field(None, description="A kelompok kerja (pokja) is established")
    pokja_decree: Answer = Field(None, description="The pokja has a decree (SK)")
    pokja_members: Count = Field(None, description="Members of the pokja")
    pokja_trained: Answer = Field(None, description="The pokja was trained")
    pokja_trained_members: Count = Field(None, description="Members who were trained")
    plkb_companion: Answer = Field(None, description="A PKB/PLKB accompanies the village")
    local_regulation: Answer = Field(None, description="There is a local regulation (regulasi)")
    regulations: Chosen[Regulation] = Field(None, description="Who issued regulations; null = not reported")
    work_plan: Answer = Field(None, description="There is a Rencana Kerja Masyarakat (RKM)")
    funding_sources: Chosen[FundingSource] = Field(None, description="Sumber dana; [] = none, null = not reported")
    poktan: Poktan = Field(default_factory=Poktan)
    secretariat: Answer = Field(None, description="There is a sekretariat")
    rumah_dataku: Answer = Field(None, description="There is a Rumah DataKu")
    data_use: Chosen[DataUse] = Field(None, description="Penggunaan data; [] = none, null = not reported")
    mechanisms: Mechanisms = Field(default_factory=Mechanisms)


Band = Literal[
    "0-4", "5-9", "10-14", "15-19", "20-24", "25-29", "30-34", "35-39",
    "40-44", "45-49", "50-54", "55-59", "60-64", "65-69", "70-74", "75+",
]  # fmt: skip
AGE_BANDS: tuple[str, ...] = get_args(Band)
"""The 16 five-year age bands of the population report."""


class AgeBand(Facts):
    """People of one five-year age band."""

    band: Band
    male: Count = None
    female: Count = None


def _each_band_once(bands: list[AgeBand] | None) -> list[AgeBand] | None:
    _each_once([band.band for band in bands] if bands is not None else None)
    return bands


class PopulationFacts(Facts):
    """Kependudukan: the family counters and, where known, people by age and sex."""

    families: Count = Field(None, description="Jumlah keluarga")
    pus: Count = Field(None, description="Pasangan usia subur: couples of reproductive age")
    adolescents: Count = Field(None, description="Jumlah remaja")
    families_with_under_fives: Count = Field(None, description="Keluarga yang memiliki balita")
    families_with_adolescents: Count = Field(None, description="Keluarga yang memiliki remaja")
    families_with_elderly: Count = Field(None, description="Keluarga yang memiliki lansia")
    age_bands: Annotated[list[AgeBand] | None, AfterValidator(_each_band_once)] = Field(
        None, max_length=16, description="Null = not reported"
    )


class PoktanParticipants(Facts):
    """Participating families (BKB, BKR, BKL, UPPKA) and adolescents (PIK-R)."""

    bkb: Count = None
    bkr: Count = None
    bkl: Count = None
    uppka: Count = None
    pik_r: Count = None


class Methods(Facts):
    """Couples by contraceptive method; long-acting (MKJP) are iud, mow, mop and implant."""

    iud: Count = None
    mow: Count = None
    mop: Count = None
    implant: Count = None
    condom: Count = None
    injection: Count = None
    pill: Count = None


class NonUsers(Facts):
    """Couples who use no method, by reason; unmet need = wants_child_later (IAT) + wants_no_more (TIAL)."""

    pregnant: Count = None
    wants_child_soon: Count = None
    wants_child_later: Count = None
    wants_no_more: Count = None


class FamilyPlanningFacts(Facts):
    """Perkembangan program Bangga Kencana: participation, users, non-users."""

    poktan_participants: PoktanParticipants = Field(default_factory=PoktanParticipants)
    methods: Methods = Field(default_factory=Methods)
    users_total: Count = Field(None, description="Peserta KB aktif (PA) of all methods as stated by the source")
    users_lam: Count = Field(None, description="Metode amenorea laktasi (MAL); not one of the seven methods")
    users_traditional: Count = Field(None, description="Users of traditional methods")
    non_users: NonUsers = Field(default_factory=NonUsers)
    unmet_need: Count = Field(
        None, description="Unmet need as a total, where a source does not split it into IAT and TIAL"
    )
    bpjs_users: Count = Field(None, description="Pengguna BPJS")


AnyFacts = ProfileFacts | PopulationFacts | FamilyPlanningFacts
FACTS_OF: dict[ReportKind, type[ProfileFacts | PopulationFacts | FamilyPlanningFacts]] = {
    ReportKind.PROFILE: ProfileFacts,
    ReportKind.POPULATION: PopulationFacts,
    ReportKind.FAMILY_PLANNING: FamilyPlanningFacts,
}
KIND_OF: dict[type, ReportKind] = {facts: kind for kind, facts in FACTS_OF.items()}
