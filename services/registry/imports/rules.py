"""What an import's announcements of Kampung KB mean for the registry. Pure."""

from __future__ import annotations

from services.registry.findings.rules import Found

ANNOUNCED_TWICE = "announced_twice"
NOT_ANNOUNCED = "not_announced"
ANNOUNCEMENT_FINDINGS = (ANNOUNCED_TWICE, NOT_ANNOUNCED)


def announcement_finding(announced: int) -> Found | None:
    """What does not fit between the Kampung KB that a source counts in a desa and the one that is registered."""
    if announced > 1:
        return Found(
            ANNOUNCED_TWICE,
            "kampung_kb",
            "warning",
            f"Sumber mencatat {announced} Kampung KB di desa/kelurahan ini; hanya satu yang terdaftar. "
            "Periksa mana yang benar.",
            {"announced": announced, "registered": 1},
        )
    if announced == 0:
        return Found(
            NOT_ANNOUNCED,
            "kampung_kb",
            "warning",
            "Sumber tidak mencatat Kampung KB di desa/kelurahan ini, padahal ada satu yang terdaftar.",
            {"announced": 0, "registered": 1},
        )
    return None
