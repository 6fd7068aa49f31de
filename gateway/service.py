"""The gateway's own operations: its rooms, as a service has them."""

from __future__ import annotations

from gateway.audit.routes import router as audit
from gateway.callers.routes import router as callers
from gateway.deliveries.routes import router as deliveries
from gateway.docs.routes import router as documentation
from gateway.feeds.routes import router as feeds
from gateway.keys.routes import router as keys
from gateway.webhooks import routes as webhooks
from kit import changes
from kit.process import Service

SERVICE = Service(
    name="gateway",
    title="Gateway",
    description=(
        "Keys, the caller himself, the audit trail, the feeds of changes, webhooks, and the contract of the whole platform."
    ),
    routers=(keys, callers, audit, feeds, webhooks.router, deliveries, documentation),
    tags={
        "keys": "Kunci API: membuat, melihat, mencabut (administrator)",
        "callers": "Kunci saya: peran dan wilayahnya",
        "audit": "Jejak audit: siapa melakukan apa, kapan, dengan hasil apa (administrator)",
        changes.TAG: changes.ABOUT,
        webhooks.TAG: "Webhook: peristiwa dikirim ke alamat Anda, ditandatangani, dengan catatan setiap pengiriman",
        "contract": "Kontrak seluruh API (OpenAPI 3.1)",
    },
)
