"""What does not fit the shape of a ruleset document, said to a programme officer in Indonesian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_POLICIES = frozenset(
    {"missing", "numerator_missing", "denominator_missing", "denominator_zero", "when_missing", "when_not_assessable"}
)
"""Fields that say what an unreported answer does; none has a default, so a document always says it."""

_SENTENCES = {
    "missing": "Isian ini wajib ada",
    "extra_forbidden": "Isian ini tidak dikenal",
    "json_invalid": "Dokumen ini bukan JSON yang dapat dibaca",
    "model_type": "Di sini harus ada kumpulan isian (objek JSON)",
    "model_attributes_type": "Di sini harus ada kumpulan isian (objek JSON)",
    "dict_type": "Di sini harus ada kumpulan isian (objek JSON)",
    "list_type": "Di sini harus ada daftar",
    "string_type": "Di sini harus ada teks",
    "string_pattern_mismatch": "Teks ini tidak ditulis sesuai pola {pattern}",
    "string_too_short": "Teks ini paling sedikit {min_length} huruf",
    "int_type": "Di sini harus ada bilangan bulat",
    "int_from_float": "Di sini harus ada bilangan bulat",
    "bool_type": "Di sini harus ada true (ya) atau false (tidak)",
    "decimal_type": "Di sini harus ada bilangan",
    "decimal_parsing": "Di sini harus ada bilangan",
    "finite_number": "Di sini harus ada bilangan yang terhingga",
    "date_type": "Di sini harus ada tanggal, misalnya 2026-01-31",
    "date_parsing": "Di sini harus ada tanggal, misalnya 2026-01-31",
    "date_from_datetime_parsing": "Di sini harus ada tanggal, misalnya 2026-01-31",
    "date_from_datetime_inexact": "Di sini harus ada tanggal tanpa jam, misalnya 2026-01-31",
    "enum": "Nilai ini harus salah satu dari: {expected}",
    "literal_error": "Nilai ini harus salah satu dari: {expected}",
    "union_tag_invalid": "Operasi {tag} tidak dikenal di sini; yang ada: {expected_tags}",
    "union_tag_not_found": "Operasi (op) wajib disebut",
    "greater_than": "Bilangan ini harus lebih besar daripada {gt}",
    "greater_than_equal": "Bilangan ini paling kecil {ge}",
    "less_than_equal": "Bilangan ini paling besar {le}",
    "too_short": "Daftar ini paling sedikit {min_length} butir",
    "too_long": "Daftar ini paling banyak {max_length} butir",
}
_POLICY_ABSENT = "Wajib disebut apa yang berlaku bila data tidak dilaporkan atau penyebut nol"
_OTHERWISE = "Isian ini tidak sesuai bentuk dokumen aturan"


def told(error: Mapping[str, Any]) -> str:
    """One error of pydantic as a sentence."""
    kind, place = error["type"], error["loc"]
    if kind == "missing" and place and place[-1] in _POLICIES:
        return _POLICY_ABSENT
    return _SENTENCES.get(kind, _OTHERWISE).format_map(error.get("ctx") or {}).replace(" or ", " atau ")
