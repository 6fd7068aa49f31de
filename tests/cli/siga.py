"""A folder of made-up SIGA tables about real places: villages of Kecamatan Wonotunggal, Kabupaten Batang (33.25.01)."""

from __future__ import annotations

import gzip
from pathlib import Path

PLACE = "JAWA TENGAH,BATANG,WONOTUNGGAL"
KKB = "PROVINSI,KABUPATEN,KECAMATAN,KODE,KELURAHAN,JUMLAH KAMPUNG KB,2016,2017,2018,2019,> 2019,KAMPUNG KB MANDIRI"
PUS = "NO,PROVINSI,KABUPATEN,KECAMATAN,KELURAHAN,PUS,UNMET NEED,BULAN"

ANNOUNCED = (
    f"{PLACE},2001,SILURAH,1,0,1,0,0,0,0",
    f"{PLACE},2002,SODONG,2,0,0,0,1,1,0",  # two in one desa: a finding
    f"{PLACE},2003,GRINGGINGSARI,1,0,0,0,0,1,0",
    f"{PLACE},2004,KEDUNGMALANG,0,0,0,0,0,0,0",  # none
    f"{PLACE},2005,SENDANK,1,0,0,1,0,0,0",  # spelled differently, its KODE settles it
)
COUPLES = (
    f"1,{PLACE},SILURAH,200,30,AGUSTUS",
    f"2,{PLACE},SILURAH,210,20,SEPTEMBER",
    f"3,{PLACE},SODONG,300,60,SEPTEMBER",
    f"4,{PLACE},GRINGGINGSARI,-5,1,SEPTEMBER",  # negative
    f"5,{PLACE},GRINGGINGSARI,120.5,1,AGUSTUS",  # a decimal
    f"6,{PLACE},KEDUNGMALANG,90,9,SEPTEMBER",  # no Kampung KB there
    f"7,{PLACE},SENDANK,150,10,SEPTEMBER",
    f"8,{PLACE},ENTAH DI MANA,150,10,SEPTEMBER",  # no such village
)


def write_tables(folder: Path) -> Path:
    """Two tables, one of them packed, a table of something else, and a file that is no table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data_kkb.csv").write_text("\n".join((KKB, *ANNOUNCED)) + "\n")
    (folder / "data_pus.csv.gz").write_bytes(gzip.compress(("\n".join((PUS, *COUPLES)) + "\n").encode()))
    (folder / "kas.csv").write_text("TANGGAL,RUPIAH\n2025-01-01,1000\n")
    (folder / "catatan.txt").write_text("bukan tabel")
    return folder
