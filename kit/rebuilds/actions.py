"""What can be done about a projection: have it rebuilt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kit import problems
from kit.access import Caller
from kit.rebuilds import Projection, store
from kit.rebuilds.schemas import Failure, RebuildIn, RebuildSource, RebuildState, ReEmissionRef, ReEmissionsIn


async def start(session: AsyncSession, caller: Caller, projection: Projection, asked: RebuildIn) -> Any:
    """Queue a rebuild; one from services whose re-emissions are not named yet waits for them.

    Raises:
        Invalid: the re-emissions are not those of the services that are followed here, each once.
        Conflict: a rebuild is under way.
    """
    waits = asked.source is RebuildSource.SERVICES and asked.re_emissions is None
    if asked.re_emissions is not None:
        owners = projection.owners.values() if asked.source is RebuildSource.SERVICES else ()
        _check_re_emissions(owners, asked.re_emissions)
    return await store.add(session, caller, asked, RebuildState.WAITING if waits else RebuildState.QUEUED)


async def give_re_emissions(session: AsyncSession, projection: Projection, number: UUID, given: ReEmissionsIn) -> Any:
    """Tell a waiting rebuild what to begin from.

    Raises:
        NotFound: there is none.
        Conflict: it does not wait.
        Invalid: the re-emissions are not those of the services that are followed here, each once.
    """
    job = await store.find(session, number, lock=True)
    if job.state != RebuildState.WAITING:
        raise problems.Conflict(f"the rebuild does not wait for re-emissions, it is {job.state}", state=job.state)
    _check_re_emissions(projection.owners.values(), given.re_emissions)
    return await store.queue(session, number, given.model_dump(mode="json")["re_emissions"])


async def cancel(session: AsyncSession, caller: Caller, number: UUID) -> Any:
    """End a rebuild that has not written anything yet.

    Raises:
        NotFound: there is none.
        Conflict: it has ended, or it has written and is settling what follows.
    """
    job = await store.find(session, number, lock=True)
    if job.finished_at is not None or job.state == RebuildState.SETTLING:
        raise problems.Conflict(f"the rebuild is {job.state}", state=job.state)
    return await store.fail(session, job, Failure.CANCELLED, f"by {caller.id}")


def _check_re_emissions(owners: Iterable[str], given: Sequence[ReEmissionRef]) -> None:
    wanted = sorted(owners)
    if sorted(one.service for one in given) == wanted and wanted:
        return
    detail = (
        f"one re-emission of each of {', '.join(wanted)}" if wanted else "a rebuild from events takes no re-emissions"
    )
    raise problems.Invalid(detail, errors=[{"pointer": "#/re_emissions", "detail": detail}])
