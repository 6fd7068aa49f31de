"""What can be done about assessments as a whole: have them computed anew, stop that, go on with it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kit import clock, problems
from kit.access import Caller
from kit.ids import uuid7
from services.scoring.recomputations import store
from services.scoring.recomputations.schemas import RecomputationIn, RecomputationState
from services.scoring.recomputations.tables import Recomputation

_UNDER_WAY = {RecomputationState.QUEUED, RecomputationState.RUNNING}


async def start(session: AsyncSession, caller: Caller, asked: RecomputationIn) -> Recomputation:
    """Queue a recomputation of a region.

    Raises:
        RegionForbidden: the region is outside the caller's.
        Invalid: the month has not begun.
    """
    region = caller.narrow(asked.region)
    if asked.since is not None and asked.since > f"{clock.today():%Y-%m}":
        detail = f"{asked.since} has not begun yet"
        raise problems.Invalid(detail, errors=[{"pointer": "#/since", "detail": detail}])
    job = Recomputation(
        id=uuid7(),
        region_code=region,
        since=asked.since,
        reason=asked.reason,
        state=RecomputationState.QUEUED.value,
        requested_by=caller.id,
        requested_at=clock.now(),
        started_at=None,
        finished_at=None,
        run=0,
        attempts=0,
        place=None,
        villages_total=None,
        villages_done=0,
        written=0,
        news=0,
        failure=None,
    )
    session.add(job)
    await session.flush()
    return job


async def cancel(session: AsyncSession, caller: Caller, number: UUID) -> Recomputation:
    """End a recomputation after the chunk in hand; what was assessed until then stays.

    Raises:
        NotFound: there is none in the caller's region.
        Conflict: it has ended.
    """
    job = await store.find(session, caller, number, lock=True)
    if job.state not in _UNDER_WAY:
        raise problems.Conflict(f"the recomputation is {job.state}", state=job.state)
    return await store.change(session, job, state=RecomputationState.CANCELLED.value, finished_at=clock.now())


async def resume(session: AsyncSession, caller: Caller, number: UUID) -> Recomputation:
    """Let a cancelled or failed recomputation go on where it ended.

    Raises:
        NotFound: there is none in the caller's region.
        Conflict: it is under way, or done.
    """
    job = await store.find(session, caller, number, lock=True)
    if job.state in _UNDER_WAY or job.state == RecomputationState.DONE:
        raise problems.Conflict(f"the recomputation is {job.state}", state=job.state)
    job.state, job.finished_at, job.failure, job.attempts = RecomputationState.QUEUED.value, None, None, 0
    await session.flush()
    return job
