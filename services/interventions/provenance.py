"""Where reference data comes from and how sure it is; every reference document carries it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Reference(BaseModel):
    """Base of all reference data: immutable, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Certainty(StrEnum):
    """How sure a statement is."""

    REGULATION = "regulation"
    """Attributed to a regulation or an official guide."""
    APP = "app"
    """As in BKKBN's own Web Kampung KB: official in practice, not a legal instrument."""
    INFERRED = "inferred"
    """A reading of the platform; stated by no source."""


class Provenance(Reference):
    """What a part of a document rests on; `source` and `note` are Indonesian, officers read them."""

    of: str
    certainty: Certainty
    source: str
    note: str | None


def repeated(codes: list[str]) -> list[str]:
    """The codes that occur more than once, each named once, in order."""
    return sorted({code for code in codes if codes.count(code) > 1})
