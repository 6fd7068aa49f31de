"""Where the scoring service's tables are declared."""

from __future__ import annotations

from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from kit.database import own_metadata

METADATA = own_metadata()


class ScoringTable(SQLModel, registry=registry(metadata=METADATA)):
    """Base of the scoring service's tables; never parsed from input, never returned."""

    metadata = METADATA
