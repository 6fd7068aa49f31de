"""Endpoints of the deliveries room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from gateway.deliveries import actions, store
from gateway.deliveries.schemas import DeliveryDetail, DeliveryFilters, DeliveryOut, RedeliveryIn, RedeliveryOut
from gateway.webhooks import store as webhooks
from gateway.webhooks.routes import TAG, WebhookId, WebhookManager
from kit import API
from kit.database import Session
from kit.paging import Page, page_of
from kit.problems import Conflict, DeliveryUnknown, WebhookUnknown, problems

router = APIRouter(prefix="/webhooks/{webhook}", tags=[TAG])

DeliveryId = Annotated[int, Path(ge=1, le=2**63 - 1, description="Id of the delivery")]


@router.get("/deliveries", responses=problems(WebhookUnknown))
async def list_deliveries(
    webhook: WebhookId, manager: WebhookManager, session: Session, filters: Annotated[DeliveryFilters, Query()]
) -> Page[DeliveryOut]:
    """List what a webhook was and will be sent, newest first. The log goes back 30 days."""
    found = await webhooks.find(session, manager, webhook)
    rows = [DeliveryOut.of(row) for row in await store.list_page(session, found.id, filters)]
    items, cursor = page_of(rows, filters.limit, lambda delivery: delivery.id)
    return Page(items=items, next_cursor=cursor)


@router.get("/deliveries/{delivery}", responses=problems(WebhookUnknown, DeliveryUnknown))
async def get_delivery(
    webhook: WebhookId, delivery: DeliveryId, manager: WebhookManager, session: Session
) -> DeliveryDetail:
    """One delivery: what is sent, and what became of each attempt."""
    found = await webhooks.find(session, manager, webhook)
    return await _detail(session, found.id, delivery)


@router.post("/deliveries/{delivery}/redelivery", responses=problems(WebhookUnknown, DeliveryUnknown, Conflict))
async def redeliver_delivery(
    webhook: WebhookId, delivery: DeliveryId, manager: WebhookManager, session: Session
) -> DeliveryDetail:
    """Send one message again, with the same `webhook-id`. One that still waits stays as it is."""
    await actions.redeliver(session, manager, webhook, delivery)
    return await _detail(session, webhook, delivery)


@router.post("/redelivery", responses=problems(WebhookUnknown, Conflict))
async def redeliver_deliveries(
    webhook: WebhookId, asked: RedeliveryIn, manager: WebhookManager, session: Session
) -> RedeliveryOut:
    """Send the messages of a span of time again, in their order: those that were given up or skipped, or all."""
    return RedeliveryOut(deliveries=await actions.redeliver_span(session, manager, webhook, asked))


@router.post("/ping", status_code=202, responses=problems(WebhookUnknown, Conflict))
async def ping_webhook(
    webhook: WebhookId, manager: WebhookManager, session: Session, response: Response
) -> DeliveryDetail:
    """Send a test message, once and at once, also while the webhook is paused. Its delivery says what became of it."""
    delivery = await actions.ping_webhook(session, manager, webhook)
    response.headers["Location"] = f"{API}/webhooks/{webhook}/deliveries/{delivery}"
    return await _detail(session, webhook, delivery)


async def _detail(session: Session, webhook: WebhookId, delivery: int) -> DeliveryDetail:
    row = await store.find(session, webhook, delivery)
    return DeliveryDetail.with_attempts(row, list(await store.attempts_of(session, delivery)))
