"""Endpoints of the dead letters, the same in every service that consumes events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Path, Query, Request, Response
from pydantic import RootModel
from sqlalchemy.ext.asyncio import AsyncSession

from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.dead_letters import actions, store
from kit.dead_letters.schemas import DeadLetterDetail, DeadLetterFilters, DeadLetterOut, Discard, RequeuedOut
from kit.idempotency import Answer, OnlyOnce
from kit.inbox import Subscription
from kit.paging import Page, page_of
from kit.problems import (
    MEDIA_TYPE,
    AlreadyResolved,
    Conflict,
    DeadLetterUnknown,
    KeyReused,
    Problem,
    RegionForbidden,
    StillFailing,
    problems,
)
from kit.rebuilds.store import in_doubt

TAG = "dead-letters"
ABOUT = "Peristiwa yang tidak dapat diolah: disisihkan beserta alasannya, diolah ulang, atau dibuang dengan alasan"

EventOperator = Annotated[Caller, requires(Scope.EVENTS_OPERATE)]
LetterId = Annotated[int, Path(ge=1, le=2**63 - 1, description="Id of the dead letter within its service")]


def _subscriptions(request: Request) -> Sequence[Subscription]:
    subscriptions: Sequence[Subscription] = request.app.state.service.subscriptions
    return subscriptions


def _counted(request: Request, after: BackgroundTasks) -> None:
    """Count the open ones anew once the transaction has been committed."""

    async def count() -> None:  # on the loop: a plain function would be run in a thread, where no event may be set
        request.app.state.open_dead_letters.changed()

    after.add_task(count)


async def _refuse_while_paused(request: Request, session: AsyncSession) -> None:
    """Like the consumers, requeuing holds back while a rebuild is about to put the projection right.

    Raises:
        Conflict: one is.
    """
    if request.app.state.service.projection and await in_doubt(session):
        raise Conflict("a rebuild is under way: events have no effect until it has written")


Subscriptions = Annotated[Sequence[Subscription], Depends(_subscriptions)]
Counted = Depends(_counted)


def dead_letters_router(service: str) -> APIRouter:
    """The operations on one service's dead letters, under its own name."""
    router = APIRouter(prefix=f"/{TAG}/{service}", tags=[TAG])

    @router.get("", name=f"list_{service}_dead_letters", responses=problems(RegionForbidden))
    async def list_dead_letters(
        operator: EventOperator, session: Session, filters: Annotated[DeadLetterFilters, Query()]
    ) -> Page[DeadLetterOut]:
        """List events of your region that could not be handled, newest first; open ones unless you ask for others."""
        found = [DeadLetterOut.of(row) for row in await store.list_page(session, operator, filters)]
        items, cursor = page_of(found, filters.limit, lambda letter: letter.id)
        return Page(items=items, next_cursor=cursor)

    @router.get("/{letter}", name=f"get_{service}_dead_letter", responses=problems(DeadLetterUnknown))
    async def get_dead_letter(letter: LetterId, operator: EventOperator, session: Session) -> DeadLetterDetail:
        """One dead letter with its payload."""
        return DeadLetterDetail.of(await store.find(session, operator, letter))

    @router.post(
        "/{letter}/requeue",
        name=f"requeue_{service}_dead_letter",
        response_model=RequeuedOut,
        dependencies=[Counted],
        responses=problems(DeadLetterUnknown, AlreadyResolved, StillFailing, Conflict, KeyReused),
    )
    async def requeue_dead_letter(
        letter: LetterId,
        operator: EventOperator,
        session: Session,
        subscriptions: Subscriptions,
        once: OnlyOnce,
        request: Request,
    ) -> Response:
        """Handle an event again, now; it takes effect once. Where it fails again, attempt and reason are kept."""

        async def requeue() -> Answer:
            await _refuse_while_paused(request, session)
            done = await actions.requeue(session, operator, letter, subscriptions)
            return _refusal(done, request) if isinstance(done, Problem) else Answer(done, 200)

        return await once(operator, requeue)

    @router.post(
        "/{letter}/discard",
        name=f"discard_{service}_dead_letter",
        response_model=DeadLetterOut,
        dependencies=[Counted],
        responses=problems(DeadLetterUnknown, AlreadyResolved, KeyReused),
    )
    async def discard_dead_letter(
        letter: LetterId, given: Discard, operator: EventOperator, session: Session, once: OnlyOnce
    ) -> Response:
        """Give an event up; the reason, who and when stay on record."""

        async def discard() -> Answer:
            return Answer(await actions.discard(session, operator, letter, given.reason), 200)

        return await once(operator, discard)

    return router


def _refusal(problem: Problem, request: Request) -> Answer:
    """A problem that is answered, not raised: what was written of the failed attempt is committed."""
    return Answer(RootModel(problem.body(request.url.path)), problem.status, {"Content-Type": MEDIA_TYPE})
