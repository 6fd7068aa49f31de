"""The file of identity providers counts as it is now: read again when it is replaced, without a restart."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from gateway.metrics import OIDC_FILE_IN_FORCE
from gateway.oidc.issuer_keys import KeyLimits
from gateway.oidc.schemas import OidcFileProblem, read_oidc_file
from gateway.oidc.verification import TokenVerifier
from kit.files import WatchedFile

log = logging.getLogger(__name__)


class OidcFile:
    """The file and the verifier that trusts whom it names."""

    def __init__(self, path: Path, limits: KeyLimits, *, plain_http: bool) -> None:
        """Read it for the first time.

        Raises:
            OidcFileProblem: it cannot be used in full.
        """
        self._file = WatchedFile(path)
        self._plain_http = plain_http
        self.failure: str | None = None
        """Why the file that is there is not the one in force; None where it is."""
        self.verifier = TokenVerifier(read_oidc_file(path, plain_http=plain_http), limits, plain_http=plain_http)
        OIDC_FILE_IN_FORCE.set(1)

    async def follow(self, every_seconds: float) -> None:
        """Look at the file now and then, until cancelled."""
        while True:
            await asyncio.sleep(every_seconds)
            self.look()

    def look(self) -> None:
        """Trust whom the file names now, if it was replaced; one that cannot be used changes nothing."""
        replaced = self._file.was_replaced()
        if not replaced and self.failure is None:
            return
        try:
            issuers = read_oidc_file(self._file.path, plain_http=self._plain_http)
        except OidcFileProblem as problem:
            if replaced or self.failure != str(problem):
                log.error("identity providers stay as they were read before: %s", problem)  # noqa: TRY400 - it says all
            self.failure = str(problem)
            OIDC_FILE_IN_FORCE.set(0)
            return
        self.failure = None
        OIDC_FILE_IN_FORCE.set(1)
        before = set(self.verifier.keys)
        self.verifier.trust(issuers)
        now = set(self.verifier.keys)
        log.info(
            "identity providers were read again",
            extra={"issuers": sorted(now), "added": sorted(now - before), "removed": sorted(before - now)},
        )

    async def check(self) -> str | None:
        """What is wrong with the file, for those who look after the gateway; None when all is well."""
        return None if self.failure is None else f"{self.failure}; what was read before is in force"
