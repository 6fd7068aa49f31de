"""The first administrator's key: somebody must be able to issue keys."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import sqlalchemy as sa

from gateway.keys import actions, store
from gateway.keys.schemas import KeyIn
from kit import clock
from kit.access import Caller, Role
from kit.database import Database
from kit.files import write_secret
from kit.problems import is_database_away

log = logging.getLogger(__name__)

_LOCK = 0x6B6B_6B65
_RETRY_SECONDS = 1.0
_BOOTSTRAP = Caller(id="bootstrap", name="bootstrap", roles=frozenset({Role.ADMINISTRATOR}), region=None)
_FIRST = KeyIn(name="Administrator", owner="Kampung KB", roles=[Role.ADMINISTRATOR], region=None, expires_at=None)


class KeyFileProblem(Exception):
    """The key cannot be written where the settings say."""


class Bootstrap:
    """Makes sure that there is an administrator's key."""

    def __init__(self, database: Database, file: Path | None) -> None:
        self._database = database
        self._file = file
        self.missing: str | None = "not looked for yet"
        """What is missing, for the readiness check; None when all is well."""

    async def run(self) -> None:
        """Try until the database has answered."""
        while self.missing is not None:
            try:
                await self._ensure()
                self.missing = None
            except KeyFileProblem as problem:
                self.missing = str(problem)
                log.error("%s", problem)  # noqa: TRY400 - the sentence says it all
            except Exception as error:
                self.missing = "the database has not answered yet"
                if not is_database_away(error):
                    self.missing = f"no administrator's key could be made: {type(error).__name__}"
                    log.exception("no administrator's key could be made")
            await asyncio.sleep(0 if self.missing is None else _RETRY_SECONDS)

    async def _ensure(self) -> None:
        async with self._database.transaction() as session:
            # One of several processes that start together makes the key; the others find it.
            await session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            if await store.lock_administrators(session, clock.now()):
                return
            if self._file is None:
                log.warning("there is no administrator's key, and KKB_ADMIN_KEY_FILE does not say where to write one")
                return
            issued = await actions.issue_key(session, _BOOTSTRAP, _FIRST, None)
            assert issued.written is not None
            # Written before the commit: a file whose key was never stored is replaced at the next start,
            # a stored key whose file was never written would be lost.
            try:
                write_secret(self._file, f"{issued.written}\n".encode())
            except OSError as error:
                raise KeyFileProblem(f"the administrator's key cannot be written to {self._file}: {error}") from error
            log.info("the administrator's key was written", extra={"file": str(self._file), "key_id": issued.key.id})
