"""Who may change a projection just now: consumers side by side, a rebuild's last step alone."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

_LOCK = 0x6B6B_7072
"""Advisory lock (one database per service, so one number serves all)."""
_SHARED = sa.text(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")
_ALONE = sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})")


async def take_shared(session: AsyncSession) -> None:
    """Wait until no rebuild writes, and keep it from writing until the transaction ends."""
    await session.execute(_SHARED)


async def take_alone(session: AsyncSession) -> None:
    """Wait until no consumer's effect is under way, and let none begin until the transaction ends. Readers go on."""
    await session.execute(_ALONE)
