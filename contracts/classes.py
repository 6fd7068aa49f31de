"""The four classes of a Kampung KB, lowest first."""

from enum import StrEnum


class VillageClass(StrEnum):
    """Klasifikasi Kampung KB (Peraturan BKKBN 20/2023 names the four; the scoring is a ruleset's)."""

    DASAR = "dasar"
    BERKEMBANG = "berkembang"
    MANDIRI = "mandiri"
    BERKELANJUTAN = "berkelanjutan"
