"""Checksums as an operation of every service that holds something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request

from contracts.regions import LEVELS, RegionLevel, level_of
from kit.access import Caller, Scope, requires
from kit.changes import TAG
from kit.checksums.schemas import ChecksumFilters, Checksums, KindChecksum, PartChecksum
from kit.checksums.store import Snapshot, snapshot, total
from kit.checksums.things import Thing
from kit.problems import RegionForbidden, problems
from kit.turns import Turns

ChecksumReader = Annotated[Caller, requires(Scope.CHANGES_READ)]

_AT_ONCE = 2
"""Checksums of the whole country take seconds; more of them side by side would take all connections."""


def checksums_router(service: str, things: Sequence[Thing]) -> APIRouter:
    """The checksums of a service, at /checksums/<service>."""
    router = APIRouter(prefix="/checksums", tags=[TAG])
    turns = Turns(_AT_ONCE, "checksums")

    @router.get(f"/{service}", name=f"get_{service}_checksums", responses=problems(RegionForbidden))
    async def get_checksums(
        request: Request, reader: ChecksumReader, filters: Annotated[ChecksumFilters, Query()]
    ) -> Checksums:
        """Count and digest of what this service holds of a region and of its parts, all of one moment.

        Two services, or a service and your own copy, hold the same where these agree. A number is made of each thing
        (docs/following-changes.md says how); a digest is their sum, so that parts add up to the whole.
        """
        region = reader.narrow(filters.region)
        by = _parts_level(region)
        async with turns.turn(), snapshot(request.app.state.database) as now:
            return Checksums(
                service=service,
                region_code=region,
                by=by,
                as_of=now.position,
                settled=now.settled,
                kinds=[await _of_kind(now, thing, region, by) for thing in things],
            )

    return router


def _parts_level(region: str | None) -> RegionLevel:
    place = -1 if region is None else LEVELS.index(level_of(region))
    return LEVELS[min(place + 1, len(LEVELS) - 1)]


async def _of_kind(now: Snapshot, thing: Thing, region: str | None, by: RegionLevel) -> KindChecksum:
    sums = await now.sums(thing, region, by)
    whole = total(list(sums.values()))
    return KindChecksum(
        kind=thing.kind,
        count=whole.count,
        digest=whole.digest,
        parts=[PartChecksum(region_code=code, count=one.count, digest=one.digest) for code, one in sums.items()],
    )
