"""Endpoints of the webhooks room."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.repeatable import OnlyOnce, mark_replayed
from gateway.webhooks import actions, store
from gateway.webhooks.actions import Issued, Outfit
from gateway.webhooks.schemas import (
    Resumption,
    Rotation,
    WebhookFilters,
    WebhookIn,
    WebhookIssued,
    WebhookOut,
    WebhookPatch,
)
from gateway.webhooks.tables import Webhook
from kit import API, clock
from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.etags import IfMatch, etag
from kit.paging import Page, page_of
from kit.problems import (
    Conflict,
    KeyReused,
    PreconditionRequired,
    RegionForbidden,
    Stale,
    WebhookUnknown,
    problems,
)

TAG = "webhooks"
router = APIRouter(prefix="/webhooks", tags=[TAG])

WebhookManager = Annotated[Caller, requires(Scope.WEBHOOKS_MANAGE)]
WebhookId = Annotated[UUID, Path(description="Id of the webhook")]


def _outfit(request: Request) -> Outfit:
    outfit: Outfit = request.app.state.webhooks
    return outfit


ItsOutfit = Annotated[Outfit, Depends(_outfit)]


@router.post("", status_code=201, responses=problems(RegionForbidden, Conflict, KeyReused))
async def create_webhook(
    draft: WebhookIn,
    manager: WebhookManager,
    session: Session,
    outfit: ItsOutfit,
    response: Response,
    once: OnlyOnce,
) -> WebhookIssued:
    """Make a webhook: events are sent to an address of yours, signed as Standard Webhooks says.

    The secret is in this answer and nowhere else. Without `since` it begins now.
    """
    issued = await actions.create_webhook(session, manager, draft, outfit, once)
    response.headers["Location"] = f"{API}/webhooks/{issued.webhook.id}"
    if issued.secret is None:
        mark_replayed(response)
    return await _issued(session, issued, response)


@router.get("")
async def list_webhooks(
    manager: WebhookManager, session: Session, filters: Annotated[WebhookFilters, Query()]
) -> Page[WebhookOut]:
    """List your webhooks, oldest first; an administrator sees those of his region, too."""
    found = await store.list_page(session, manager, filters)
    waiting = await store.catching_up(session, [webhook.id for webhook in found])
    now = clock.now()
    shown = [WebhookOut.of(webhook, waiting[webhook.id], now) for webhook in found]
    items, cursor = page_of(shown, filters.limit, lambda webhook: webhook.id)
    return Page(items=items, next_cursor=cursor)


@router.get("/{webhook}", responses=problems(WebhookUnknown))
async def get_webhook(webhook: WebhookId, manager: WebhookManager, session: Session, response: Response) -> WebhookOut:
    """One webhook, without its secret."""
    return await _shown(session, await store.find(session, manager, webhook), response)


@router.patch(
    "/{webhook}",
    responses=problems(WebhookUnknown, RegionForbidden, Conflict, Stale, PreconditionRequired),
)
async def change_webhook(
    webhook: WebhookId,
    patch: WebhookPatch,
    manager: WebhookManager,
    session: Session,
    outfit: ItsOutfit,
    response: Response,
    if_match: IfMatch = None,
) -> WebhookOut:
    """Change a webhook of your own; what is left out stays. Events that wait go to the new address."""
    changed = await actions.change_webhook(session, manager, webhook, patch, if_match, outfit)
    return await _shown(session, changed, response)


@router.delete("/{webhook}", status_code=204, responses=problems(WebhookUnknown))
async def delete_webhook(webhook: WebhookId, manager: WebhookManager, session: Session) -> None:
    """Delete a webhook with its log; what waits is not sent."""
    await actions.delete_webhook(session, manager, webhook)


@router.post("/{webhook}/pause", responses=problems(WebhookUnknown, Conflict))
async def pause_webhook(
    webhook: WebhookId, manager: WebhookManager, session: Session, response: Response
) -> WebhookOut:
    """Send nothing until it is resumed. Events wait meanwhile, for up to 30 days."""
    return await _shown(session, await actions.pause_webhook(session, manager, webhook), response)


@router.post("/{webhook}/resumption", responses=problems(WebhookUnknown, Conflict))
async def resume_webhook(
    webhook: WebhookId, how: Resumption, manager: WebhookManager, session: Session, response: Response
) -> WebhookOut:
    """Send again, whoever paused it. What was missed is delivered first, or skipped, as you say."""
    return await _shown(session, await actions.resume_webhook(session, manager, webhook, how.missed), response)


@router.post("/{webhook}/rotation", responses=problems(WebhookUnknown, Conflict, Stale, PreconditionRequired))
async def rotate_webhook_secret(
    webhook: WebhookId,
    rotation: Rotation,
    manager: WebhookManager,
    session: Session,
    outfit: ItsOutfit,
    response: Response,
    if_match: IfMatch = None,
) -> WebhookIssued:
    """A new secret, in this answer and nowhere else. Until the overlap is over, messages have two signatures."""
    issued = await actions.rotate_secret(session, manager, webhook, rotation, if_match, outfit)
    return await _issued(session, issued, response)


async def _issued(session: AsyncSession, issued: Issued, response: Response) -> WebhookIssued:
    response.headers["Cache-Control"] = "no-store"
    shown = await _shown(session, issued.webhook, response)
    return WebhookIssued(secret=issued.secret, **shown.model_dump())


async def _shown(session: AsyncSession, webhook: Webhook, response: Response) -> WebhookOut:
    response.headers["ETag"] = etag(webhook.version)
    waiting = await store.catching_up(session, [webhook.id])
    return WebhookOut.of(webhook, waiting[webhook.id], clock.now())
