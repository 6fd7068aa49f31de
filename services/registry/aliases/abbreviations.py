"""Abbreviations in place names, as data: what SIGA and local offices write, and the words it stands for.

An abbreviation with several readings lists them all; a name is resolved by it only where exactly one reading is an
official name in the same parent region. A reading is tried as whole words only and never by similarity.
"""

from typing import Final

ABBREVIATIONS: Final[dict[str, tuple[str, ...]]] = {
    "ADM": ("ADMINISTRASI",),
    "BD": ("BANDAR",),
    "BDR": ("BANDAR",),
    "BT": ("BATU", "BATANG", "BUKIT"),
    "BTG": ("BATANG",),
    "DKI": ("DAERAH KHUSUS IBUKOTA",),
    "DI": ("DAERAH ISTIMEWA",),
    "DIY": ("DAERAH ISTIMEWA YOGYAKARTA",),
    "DS": ("DESA", "DUSUN"),
    "DSN": ("DUSUN",),
    "GN": ("GUNUNG",),
    "GP": ("GAMPONG",),
    "KAB": ("KABUPATEN",),
    "KEC": ("KECAMATAN",),
    "KEL": ("KELURAHAN",),
    "KEP": ("KEPULAUAN",),
    "KP": ("KAMPUNG",),
    "LB": ("LUBUK",),
    "LBK": ("LUBUK",),
    "MA": ("MUARA",),
    "MNS": ("MEUNASAH",),
    "P": ("PULAU",),
    "PD": ("PADANG", "PONDOK"),
    "PEM": ("PEMATANG",),
    "PERK": ("PERKEBUNAN",),
    "PS": ("PASAR", "PASIR"),
    "RT": ("RANTAU",),
    "S": ("SUNGAI",),
    "SEI": ("SUNGAI",),
    "SEL": ("SELATAN",),
    "SP": ("SIMPANG",),
    "TGH": ("TENGAH",),
    "TIM": ("TIMUR",),
    "TJ": ("TANJUNG",),
    "TL": ("TALANG", "TELUK"),
    "TLG": ("TALANG",),
    "TLK": ("TELUK",),
    "UJ": ("UJUNG",),
    "UT": ("UTARA",),
}
"""Abbreviation (upper case, no dot) → its readings (upper case)."""

REGENCY_WORDS: Final[tuple[str, ...]] = ("KABUPATEN", "KAB")
"""Leading words SIGA leaves out of regency names; KOTA stays, because Kota Jambi and Kabupaten X are different places."""
