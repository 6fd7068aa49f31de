"""Turns for answers that keep a processor or the database busy for seconds: a few at once, the others wait a little."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kit import deadlines
from kit.problems import Unavailable

_WAIT_SECONDS = 5.0
_LONGEST_SECONDS = 20.0
"""With the wait for a turn below the 30 s after which the gateway gives up a service that does not answer; where it says
that less remains, as long as that."""


class Turns:
    """So many at once."""

    def __init__(self, at_once: int, what: str) -> None:
        """`what` they are, in the plural, for those who are sent away."""
        self._free = asyncio.Semaphore(at_once)
        self._what = what

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One turn.

        Raises:
            Unavailable: the others take too long, or this one does.
        """
        try:
            async with asyncio.timeout(deadlines.within(_WAIT_SECONDS)):
                await self._free.acquire()
        except TimeoutError:
            raise Unavailable(f"other {self._what} are being computed; ask again in a moment") from None
        try:
            async with asyncio.timeout(deadlines.within(_LONGEST_SECONDS)) as limit:
                yield
        except TimeoutError:
            if limit.expired():
                raise Unavailable("so much takes too long; ask for the parts of the region one by one") from None
            raise
        finally:
            self._free.release()
