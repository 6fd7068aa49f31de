"""Follows the registry's villages, so that an intervention is recorded only at a village that exists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event, VillageChanged, VillageRegistered, VillageState
from kit.inbox import Subscription
from services.interventions.villages import store


async def refresh_villages(session: AsyncSession, events: Sequence[Event]) -> int:
    """Keep the newest state of each village, whatever the order and repetition of the events."""
    newest: dict[UUID, VillageState] = {}
    for event in events:
        if not isinstance(event, VillageRegistered | VillageChanged):
            raise TypeError(f"{event.type} says nothing of a village's own state")
        key = event.data.village
        if key.id not in newest or newest[key.id].village.version <= key.version:
            newest[key.id] = event.data
    # a fixed order, so that two processes with batches of the same villages cannot block each other
    kept = await store.keep_newest(session, [_row(newest[number]) for number in sorted(newest)])
    return len(newest) - kept


def _row(state: VillageState) -> dict[str, Any]:
    return {
        "id": state.village.id,
        "region_code": state.village.region_code,
        "name": state.name,
        "status": state.status,
        "version": state.village.version,
        **state.region_names.model_dump(),
    }


SUBSCRIPTIONS = tuple(
    Subscription(
        durable=f"interventions-{what}",
        stream="KKB_REGISTRY",
        subject=f"kkb.registry.{what}.>",
        handle=refresh_villages,
    )
    for what in ("village-registered", "village-changed")
)
"""Two consumers, so that the many reports on the same stream are never delivered here. Every version of the two events
is: one that this release cannot read is put aside, not missed."""
