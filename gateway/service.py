"""The gateway's own operations: its rooms, as a service has them."""

from __future__ import annotations

from gateway.accounts.routes import router as accounts
from gateway.audit.routes import router as audit
from gateway.callers.routes import router as callers
from gateway.deliveries.routes import router as deliveries
from gateway.docs.routes import router as documentation
from gateway.feeds.routes import router as feeds
from gateway.keys.routes import router as keys
from gateway.sessions.routes import router as sessions
from gateway.tokens.routes import router as tokens
from gateway.webhooks import routes as webhooks
from kit import changes
from kit.process import Service

SERVICE = Service(
    name="gateway",
    title="Gateway",
    description=(
        "Keys, tokens, accounts, sessions, the caller himself, the audit trail, the feeds of changes, webhooks, and the contract of the whole platform."
    ),
    routers=(keys, tokens, accounts, sessions, callers, audit, feeds, webhooks.router, deliveries, documentation),
    tags={
        "keys": "Kunci API: membuat, melihat, mencabut (administrator)",
        "tokens": "Token berumur pendek bagi sistem, dengan kunci sebagai client credentials",
        "accounts": "Akun orang di kantor tanpa penyedia identitas: undangan, hak, sandi (administrator)",
        "sessions": "Masuk dan keluar dengan sandi; sesi saya",
        "callers": "Saya: peran, wilayah, sampai kapan; mengganti rahasia kunci saya",
        "audit": "Jejak audit: siapa melakukan apa, kapan, dengan hasil apa (administrator)",
        changes.TAG: changes.ABOUT,
        webhooks.TAG: "Webhook: peristiwa dikirim ke alamat Anda, ditandatangani, dengan catatan setiap pengiriman",
        "contract": "Kontrak seluruh API (OpenAPI 3.1)",
    },
)
