"""Where the gateway's tables are declared. It consumes and publishes no events, so it has no outbox and no inbox."""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from kit.database import NAMING

METADATA = MetaData(naming_convention=NAMING)


class GatewayTable(SQLModel, registry=registry(metadata=METADATA)):
    """Base of the gateway's tables; never parsed from input, never returned."""

    metadata = METADATA
