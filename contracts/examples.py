"""One example of every event, the golden files of contracts/examples/events. Made up, and marked as simulated."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from contracts.classes import VillageClass
from contracts.events import (
    EVENTS,
    Classification,
    ClassificationV2,
    DeterminedCounts,
    Event,
    InterventionActor,
    InterventionState,
    InterventionVillage,
    IssuedDetermination,
    RegionNames,
    ReportState,
    VillageKey,
    VillageState,
)
from contracts.facts import (
    DataUse,
    FamilyPlanningFacts,
    FundingSource,
    Methods,
    PoktanParticipants,
    PopulationFacts,
    ProfileFacts,
)
from contracts.reasons import ReasonCode

_CODE = "33.26.01.2001"
_VILLAGE = UUID("01980000-0000-7000-8000-000000000001")
_WHEN = datetime(2025, 9, 30, 3, 0, tzinfo=UTC)


def _id(last: int) -> UUID:
    return UUID(int=_VILLAGE.int + last)


def _key(version: int) -> VillageKey:
    return VillageKey(id=_VILLAGE, region_code=_CODE, version=version)


def _village(version: int, name: str) -> VillageState:
    names = RegionNames(
        province="Jawa Tengah", regency="Kabupaten Pekalongan", district="Kandangserang", village="Bojongkoneng"
    )
    return VillageState(
        village=_key(version),
        region_names=names,
        name=name,
        status="active",
        launch_date=None,
        launch_year=2017,
        simulated=True,
        source_system="demo",
    )


def _report(version: int, facts: Any) -> dict[str, Any]:
    return {
        "village": _key(version),
        "report_id": _id(100 + version),
        "period": "2025-09",
        "revision": 1,
        "source_system": "demo",
        "simulated": True,
        "reported_at": _WHEN,
        "facts": facts,
    }


def _intervention(version: int, *, withdrawn: bool) -> InterventionState:
    actor = InterventionActor(code="dinas-kesehatan", pentahelix="pemerintah", web_kkb_number=19, other=None)
    return InterventionState(
        intervention_id=_id(200),
        version=version,
        village=InterventionVillage(id=_VILLAGE, region_code=_CODE),
        date=date(2025, 9, 12),
        title="Penyuluhan gizi balita",
        family_function="reproduksi",
        kegiatan=None,
        target_groups=["keluarga-balita"],
        actors=[actor],
        funding_source=FundingSource.DANA_DESA,
        funding_amount=1_500_000,
        participants=None,
        simulated=True,
        source_system="demo",
        withdrawn=withdrawn,
    )


_PROFILE = ProfileFacts(pokja=True, pokja_members=20, pokja_trained=None, data_use=[DataUse.FAMILY_DATA])
_POPULATION = PopulationFacts(pus=507, families_with_under_fives=112)
_PLANNING = FamilyPlanningFacts(
    poktan_participants=PoktanParticipants(bkb=58),
    methods=Methods(iud=9, mow=12, mop=0, implant=113, condom=7, injection=81, pill=50),
    unmet_need=59,
)
_CLASSIFIED = Classification(
    village=_key(1),
    ruleset="web-2021",
    ruleset_digest="0" * 64,
    village_class=VillageClass.BERKEMBANG,
    previous_class=VillageClass.DASAR,
    scores={"input_pokja": 4, "output_cpr": 4},
    indexes={"input": "3.20", "proses": "3.00", "output": "2.75"},
    answered=30,
    asked=45,
    simulated=True,
    assessed_at=_WHEN,
)
_NOT_CLASSIFIED = ClassificationV2(
    village=_key(2),
    ruleset="kkb-2026",
    ruleset_digest="2" * 64,
    village_class=None,
    previous_class=VillageClass.BERKEMBANG,
    scores={"input_pokja": 4, "output_cpr": None},
    indexes={"input": "3.20", "proses": "3.00", "output": None},
    reasons={"output_cpr": [ReasonCode.ANSWER_MISSING, ReasonCode.REPORT_TOO_OLD]},
    answered=30,
    asked=45,
    simulated=True,
    assessed_at=_WHEN,
)
_DETERMINED = IssuedDetermination(
    determination_id=_id(300),
    region_code="33.26",
    region_name="Kabupaten Pekalongan",
    period="2025-09",
    ruleset="web-2021",
    ruleset_digest="0" * 64,
    decree_number="400.13/SIMULASI/2025",
    decree_date=date(2025, 10, 15),
    counts=DeterminedCounts(
        villages=285,
        dasar=244,
        berkembang=22,
        mandiri=7,
        berkelanjutan=12,
        not_assessable=0,
        without_reports=42,
        simulated=285,
    ),
    simulated=True,
    replaces=_id(299),
    note="Laporan yang terlambat ikut dihitung",
    digest="1" * 64,
    issued_by="01980000-0000-7000-8000-0000000001f4",
    issued_at=_WHEN,
)
_DATA: dict[str, Any] = {
    "VillageRegistered": _village(1, "Kampung KB Contoh"),
    "VillageChanged": _village(2, "Kampung KB Contoh Baru"),
    "ProfileReported": ReportState[ProfileFacts](**_report(3, _PROFILE)),
    "PopulationReported": ReportState[PopulationFacts](**_report(4, _POPULATION)),
    "FamilyPlanningReported": ReportState[FamilyPlanningFacts](**_report(5, _PLANNING)),
    "InterventionRecorded": _intervention(1, withdrawn=False),
    "InterventionCorrected": _intervention(2, withdrawn=False),
    "InterventionWithdrawn": _intervention(3, withdrawn=True),
    "VillageClassified": _CLASSIFIED,
    "DeterminationIssued": _DETERMINED,
    "VillageClassifiedV2": _NOT_CLASSIFIED,
}


def example(event: type[Event]) -> Event:
    """The example of an event."""
    number = EVENTS.index(event) + 1
    kind = str(event.model_fields["type"].default)
    service = kind.split(".")[2]
    return event.model_validate(
        {
            "id": _id(number),
            "source": f"/services/{service}",
            "subject": getattr(_DATA[event.__name__], "region_code", _CODE),
            "time": _WHEN,
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "data": _DATA[event.__name__],
        }
    )
