"""The SIGA tables the platform knows, as data: how each is recognised and what its columns say.

A table is recognised by its columns, never by its file name. Column names are SIGA's own, upper case. What SIGA does
not say (pokja, funding, mechanisms, data use, the split of non-users, an exact launch date) has no column here and so
stays "not reported".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.facts import ReportKind

PLACE_COLUMNS: Final = ("PROVINSI", "KABUPATEN", "KECAMATAN", "KELURAHAN")
KODE_COLUMN: Final = "KODE"
MONTH_COLUMN: Final = "BULAN"
YEAR_COLUMN: Final = "TAHUN"
PERIOD_COLUMN: Final = "PERIODE"

MONTHS: Final[dict[str, int]] = {
    "JANUARI": 1, "FEBRUARI": 2, "PEBRUARI": 2, "MARET": 3, "APRIL": 4, "MEI": 5, "JUNI": 6, "JULI": 7,
    "AGUSTUS": 8, "SEPTEMBER": 9, "OKTOBER": 10, "NOVEMBER": 11, "NOPEMBER": 11, "DESEMBER": 12,
}  # fmt: skip
"""Indonesian month names, upper case, with the two spellings offices also use."""


class Rhythm(StrEnum):
    """How often a table speaks about a village."""

    MONTHLY = "monthly"
    YEARLY = "yearly"
    PERIODIC = "periodic"


class Meaning(StrEnum):
    """What a count in a cell says."""

    COUNT = "count"
    EXISTS = "exists"
    ANNOUNCED = "announced"


@dataclass(frozen=True, slots=True)
class Column:
    """One column that is used: where its value goes in the facts, and how.

    `path` is the place in the report's facts, e.g. ("methods", "mop"). ANNOUNCED columns go to no report: they say how
    many Kampung KB the village has and when they were launched.
    """

    name: str
    report: ReportKind | None
    path: tuple[str, ...]
    meaning: Meaning = Meaning.COUNT
    needed: bool = True


@dataclass(frozen=True, slots=True)
class TableKind:
    """A kind of SIGA table. `marks` are columns that only tell it from its sisters; their content is not used."""

    name: str
    title: str
    rhythm: Rhythm
    columns: tuple[Column, ...]
    marks: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[str, ...]:
        """Every column without which the table is not of this kind, in the order they are named to a person."""
        own = tuple(column.name for column in self.columns if column.needed)
        return PLACE_COLUMNS + self.period_columns + own + self.marks

    @property
    def period_columns(self) -> tuple[str, ...]:
        """The column that says which time a row is about, if the kind has one."""
        by_rhythm = {Rhythm.MONTHLY: (MONTH_COLUMN,), Rhythm.PERIODIC: (PERIOD_COLUMN,), Rhythm.YEARLY: ()}
        return by_rhythm[self.rhythm]


def _poktan(field: str, title: str, mark: str) -> TableKind:
    """A register of groups: YANG ADA counts the groups that exist, so more than none means the village has them."""
    column = Column("YANG ADA", ReportKind.PROFILE, ("poktan", field), Meaning.EXISTS)
    return TableKind(f"data_{field.replace('_', '')}", title, Rhythm.MONTHLY, (column,), (mark,))


def _counts(report: ReportKind, group: str | None, fields: dict[str, str]) -> tuple[Column, ...]:
    above = (group,) if group else ()
    return tuple(Column(name, report, (*above, field)) for name, field in fields.items())


FIRST_LAUNCH_YEARS: Final = {"2016": 2016, "2017": 2017, "2018": 2018, "2019": 2019}
AFTER_2019: Final = "> 2019"
AFTER_2019_YEAR: Final = 2019
ANNOUNCED: Final = "JUMLAH KAMPUNG KB"

_KKB = TableKind(
    "data_kkb",
    "Kampung KB per desa/kelurahan",
    Rhythm.YEARLY,
    tuple(Column(name, None, (name,), Meaning.ANNOUNCED) for name in (ANNOUNCED, *FIRST_LAUNCH_YEARS, AFTER_2019)),
)
_RDK = TableKind(
    "data_rdk",
    "Rumah DataKu per desa/kelurahan",
    Rhythm.YEARLY,
    (Column("JUMLAH RUMAH DATAKU", ReportKind.PROFILE, ("rumah_dataku",), Meaning.EXISTS),),
)
_MIX = TableKind(
    "data_mix_kontra",
    "Peserta KB aktif menurut metode",
    Rhythm.MONTHLY,
    (
        Column("PA", ReportKind.FAMILY_PLANNING, ("users_total",)),
        *_counts(
            ReportKind.FAMILY_PLANNING,
            "methods",
            {
                "SUNTIK": "injection",
                "PIL": "pill",
                "KONDOM": "condom",
                "IMPLAN": "implant",
                "IUD": "iud",
                "VASEKTOMI": "mop",
                "TUBEKTOMI": "mow",
            },
        ),
        Column("MAL", ReportKind.FAMILY_PLANNING, ("users_lam",)),
        Column("KB TRADISIONAL", ReportKind.FAMILY_PLANNING, ("users_traditional",)),
    ),
)
_PUS = TableKind(
    "data_pus",
    "Pasangan usia subur dan unmet need",
    Rhythm.MONTHLY,
    (
        Column("PUS", ReportKind.POPULATION, ("pus",)),
        Column("UNMET NEED", ReportKind.FAMILY_PLANNING, ("unmet_need",)),
    ),
)
_TARGETS = TableKind(
    "sasaran_poktan_gabung",
    "Sasaran dan kesertaan BKB, BKR, BKL",
    Rhythm.MONTHLY,
    (
        *_counts(
            ReportKind.POPULATION,
            None,
            {
                "SASARAN BKB": "families_with_under_fives",
                "SASARAN BKR": "families_with_adolescents",
                "SASARAN BKL": "families_with_elderly",
            },
        ),
        *_counts(
            ReportKind.FAMILY_PLANNING,
            "poktan_participants",
            {"KESERTAAN BKB": "bkb", "KESERTAAN BKR": "bkr", "KESERTAAN BKL": "bkl"},
        ),
    ),
)
_KRS = TableKind(
    "data_verval_krs",
    "Verifikasi keluarga berisiko stunting",
    Rhythm.PERIODIC,
    (),
    ("JUMLAH KELUARGA SASARAN", "JUMLAH KRS"),
)

KINDS: Final[tuple[TableKind, ...]] = (
    _KKB,
    _poktan("bkb", "Kelompok Bina Keluarga Balita", "MATERI 1000 HPK"),
    _poktan("bkr", "Kelompok Bina Keluarga Remaja", "JUMLAH KELUARGA ANGGOTA BKR"),
    _poktan("bkl", "Kelompok Bina Keluarga Lansia", "JUMLAH ANGGOTA BKL"),
    _poktan("uppka", "Kelompok UPPKA", "MATERI USAHA EKONOMI KELUARGA"),
    _poktan("pik_r", "Pusat Informasi dan Konseling Remaja", "JUMLAH REMAJA HADIR DALAM PERTEMUAN"),
    _RDK,
    _MIX,
    _PUS,
    _TARGETS,
    _KRS,
)
KIND_BY_NAME: Final = {kind.name: kind for kind in KINDS}
ALL_COLUMNS: Final = frozenset(name for kind in KINDS for name in kind.needed) | {KODE_COLUMN, YEAR_COLUMN}
