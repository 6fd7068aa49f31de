"""Readiness: the yes-or-no answers of the profile that offices count, most of them beside the score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ReadinessItem:
    """One question: its path below `profile`, and what it is called."""

    code: str
    label_id: str
    label_en: str


READINESS = (
    ReadinessItem("secretariat", "Sekretariat", "Secretariat"),
    ReadinessItem("pokja", "Pokja", "Pokja (working group)"),
    ReadinessItem("pokja_decree", "SK pokja", "Decree of the pokja"),
    ReadinessItem("pokja_trained", "Pokja terlatih", "Pokja trained"),
    ReadinessItem("work_plan", "RKM", "Community work plan (RKM)"),
    ReadinessItem("rumah_dataku", "Rumah DataKu", "Rumah DataKu (data room)"),
    ReadinessItem("plkb_companion", "PKB/PLKB pendamping", "PKB/PLKB companion"),
    ReadinessItem("local_regulation", "Regulasi", "Local regulation"),
    ReadinessItem("poktan.bkb", "BKB", "BKB group"),
    ReadinessItem("poktan.bkr", "BKR", "BKR group"),
    ReadinessItem("poktan.bkl", "BKL", "BKL group"),
    ReadinessItem("poktan.uppka", "UPPKA", "UPPKA group"),
    ReadinessItem("poktan.pik_r", "PIK-R", "PIK-R group"),
)
"""In the order of the predecessor's tables (kepemilikan sekretariat, pokja, SK pokja, RKM, ...)."""


_OWN = tuple(item.code for item in READINESS if "." not in item.code)
_POKTAN = tuple(item.code.removeprefix("poktan.") for item in READINESS if item.code.startswith("poktan."))


def readiness_of(facts: Mapping[str, Any]) -> dict[str, bool]:
    """What a village answered of the readiness questions; what it did not answer is left out, never "no".

    `facts` by report kind, as they are in force.
    """
    profile = facts.get("profile") or {}
    poktan = profile.get("poktan") or {}
    own = {code: answer for code in _OWN if (answer := profile.get(code)) is not None}
    return own | {f"poktan.{code}": answer for code in _POKTAN if (answer := poktan.get(code)) is not None}
