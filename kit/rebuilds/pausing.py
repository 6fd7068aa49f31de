"""Consumers pause while their service's projection is in doubt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kit.database import Database
from kit.rebuilds import store


def pause_of(database: Database) -> Callable[[], Awaitable[bool]]:
    """Whether the consumers of a service are to wait for a rebuild; asked between fetching events and their effect.

    Raises:
        Exception: the database is away; whoever asks waits for it.
    """

    async def is_in_doubt() -> bool:
        async with database.transaction() as session:
            return await store.in_doubt(session)

    return is_in_doubt
