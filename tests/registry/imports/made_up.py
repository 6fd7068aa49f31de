"""A made-up province and made-up SIGA tables, small enough to read in a test."""

from collections.abc import Collection, Mapping

from services.registry.aliases.rules import Gazetteer, KnownAlias
from services.registry.imports.reasons import Refusal
from services.registry.imports.siga.assembling import Assembly, assemble
from services.registry.imports.siga.rows import ReadTable, Row, read_table

REGIONS = (
    ("98", "Contoh Barat"),
    ("98.01", "Kabupaten Uji"),
    ("98.01.01", "Kepulauan Tiga"),
    ("98.01.01.2001", "Sukamaju"),
    ("98.01.01.2002", "Tanjung Rata"),
    ("98.01.02", "Hulu"),
    ("98.01.02.1001", "Kembar"),
    ("98.01.02.2001", "Kembar"),
    ("98.01.02.2002", "Rambu-Rambu"),
    ("98.01.02.2003", "Batangsari"),
    ("98.01.02.2004", "Batu Merah"),
    ("98.01.02.2005", "Bukit Merah"),
    ("98.02", "Kabupaten Lain"),
    ("98.02.01", "Hilir"),
    ("98.02.01.2001", "Sukamaju"),
    ("98.71", "Kota Uji"),
    ("98.71.01", "Kota Tengah"),
    ("98.71.01.1001", "Pasar"),
)

SUKAMAJU = "98.01.01.2001"
RATA = "98.01.01.2002"
PLACE = "CONTOH BARAT,UJI,KEPULAUAN TIGA"
PUS_HEAD = "NO,PROVINSI,KABUPATEN,KECAMATAN,KELURAHAN,PUS,UNMET NEED,BULAN"
KKB_HEAD = (
    "PROVINSI,KABUPATEN,KECAMATAN,KODE,KELURAHAN,JUMLAH KELURAHAN/DESA,JUMLAH KAMPUNG KB,"
    "2016,2017,2018,2019,> 2019,KAMPUNG KB MANDIRI,KAMPUNG KB PERCONTOHAN"
)
BKB_HEAD = "PROVINSI,KABUPATEN,KECAMATAN,KODE,KELURAHAN,YANG ADA,YANG LAPOR,MATERI 1000 HPK,BULAN"
RDK_HEAD = "PROVINSI,KABUPATEN,KECAMATAN,KODE,KELURAHAN,JUMLAH RUMAH DATAKU,SK ADA"
MIX_HEAD = (
    "NO,PROVINSI,KABUPATEN,KECAMATAN,KELURAHAN,PA,SUNTIK,PIL,KONDOM,IMPLAN,IUD,"
    "VASEKTOMI,TUBEKTOMI,MAL,KB MODERN,KB TRADISIONAL,BULAN"
)
TARGET_HEAD = (
    "PROVINSI,KABUPATEN,KECAMATAN,KELURAHAN,SASARAN BKB,KESERTAAN BKB,"
    "SASARAN BKR,KESERTAAN BKR,SASARAN BKL,KESERTAAN BKL,BULAN"
)
KRS_HEAD = ",PROVINSI,KABUPATEN,KECAMATAN,KODE,KELURAHAN,JUMLAH KELUARGA SASARAN,JUMLAH KRS,PUS,PERIODE"


def csv_of(head: str, *lines: str) -> bytes:
    """A table of a header and lines, as a file holds it."""
    return ("\n".join((head, *lines)) + "\n").encode()


def pus(*lines: str) -> bytes:
    """A table of couples (data_pus)."""
    return csv_of(PUS_HEAD, *lines)


def kkb(*lines: str) -> bytes:
    """A table of Kampung KB (data_kkb)."""
    return csv_of(KKB_HEAD, *lines)


SUKAMAJU_HAS_ONE = kkb(f"{PLACE},2001,SUKAMAJU,1,1,0,0,1,0,0,0,0")


def read(data: bytes, name: str = "tabel.csv", year: int = 2025) -> ReadTable:
    """Read a table that must be recognised."""
    table = read_table(name, data, year)
    assert not isinstance(table, Refusal), table
    return table


def only_row(data: bytes) -> Row:
    """The one row of a table."""
    (row,) = read(data).rows
    return row


def assembled(
    *files: bytes,
    registered: Collection[str] = (),
    known: Mapping[str, KnownAlias] | None = None,
    region: str = "98",
) -> Assembly:
    """Put made-up tables together in the made-up province."""
    tables = [read(data, f"t{number}.csv") for number, data in enumerate(files, start=1)]
    return assemble(tables, Gazetteer.of(REGIONS), known or {}, region, registered)
