"""Where the tables of the interventions service are declared."""

from __future__ import annotations

from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from kit.database import own_metadata

METADATA = own_metadata()


class InterventionsTable(SQLModel, registry=registry(metadata=METADATA)):
    """Base of the service's tables; never parsed from input, never returned."""

    metadata = METADATA
