"""Consumers pause while their service's projection is in doubt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kit.database import Database
from kit.problems import is_database_away
from kit.rebuilds import store


def pause_of(database: Database) -> Callable[[], Awaitable[bool]]:
    """Whether the consumers of a service are to wait for a rebuild; asked between fetching events and their effect."""

    async def is_in_doubt() -> bool:
        try:
            async with database.transaction() as session:
                return await store.in_doubt(session)
        except Exception as error:
            if is_database_away(error):
                return False  # then the effect waits for the database, and is asked for again with the next events
            raise

    return is_in_doubt
