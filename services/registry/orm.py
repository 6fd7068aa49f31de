"""Where the registry's tables are declared."""

from __future__ import annotations

from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from kit.database import own_metadata

METADATA = own_metadata()


class RegistryTable(SQLModel, registry=registry(metadata=METADATA)):
    """Base of the registry's tables; never parsed from input, never returned."""

    metadata = METADATA
