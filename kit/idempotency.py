"""Idempotency-Key: a POST that is sent again answers what it answered the first time and changes nothing.

The key is a row of the same transaction as the change. A second request with the same key waits at the row's unique
index until the first has committed, then reads its answer; nothing is checked before it is inserted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Header, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from kit import problems, touched
from kit.access import Caller
from kit.database import Session

_CLAIM = sa.text(
    "INSERT INTO idempotency_keys (caller, key, operation, request_digest) "
    "VALUES (:caller, :key, :operation, :digest) ON CONFLICT DO NOTHING RETURNING key"
)
_RECALL = sa.text(
    "SELECT operation, request_digest, status, headers, body FROM idempotency_keys WHERE caller = :caller AND key = :key"
)
_KEEP = sa.text(
    "UPDATE idempotency_keys SET status = :status, headers = cast(:headers AS jsonb), body = :body "
    "WHERE caller = :caller AND key = :key"
)

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        description="Any unique text of yours; sending the request again with the same key changes nothing",
    ),
]


@dataclass(frozen=True)
class Answer:
    """What an endpoint answers: status, body, headers."""

    body: BaseModel
    status: int = 201
    headers: dict[str, str] | None = None

    def response(self) -> Response:
        """The answer as a response."""
        return JSONResponse(jsonable_encoder(self.body), self.status, headers=self.headers)


@dataclass(frozen=True)
class Once:
    """Runs an action at most once per caller and Idempotency-Key; without a key it simply runs it."""

    session: AsyncSession
    key: str | None
    operation: str
    digest: bytes

    async def __call__(self, caller: Caller, action: Callable[[], Awaitable[Answer]]) -> Response:
        """The action's answer, or the one it gave before (then with Idempotency-Replayed: true).

        Raises:
            KeyReused: the key was used by this caller for a different request.
        """
        if self.key is None:
            return (await action()).response()
        identity = {"caller": caller.id, "key": self.key}
        claim = {**identity, "operation": self.operation, "digest": self.digest}
        if (await self.session.execute(_CLAIM, claim)).scalar() is None:
            return await self._replay(identity)
        response = (await action()).response()
        kept = {k: v for k, v in response.headers.items() if k in {"etag", "location", "content-type"}}
        if (region := touched.region()) is not None:
            kept[touched.REGION_HEADER] = region
        await self.session.execute(
            _KEEP, {**identity, "status": response.status_code, "headers": json.dumps(kept), "body": response.body}
        )
        return response

    async def _replay(self, identity: dict[str, Any]) -> Response:
        row = (await self.session.execute(_RECALL, identity)).one()
        if row.operation != self.operation or row.request_digest != self.digest:
            raise problems.KeyReused
        headers = {**row.headers, "Idempotency-Replayed": "true"}
        if (region := headers.pop(touched.REGION_HEADER, None)) is not None:
            touched.note(region)
        return Response(row.body, row.status, headers=headers)


async def _once(request: Request, session: Session, key: Key = None) -> Once:
    digest = hashlib.sha256(await request.body()).digest()
    return Once(session, key, f"{request.method} {request.url.path}", digest)


OnlyOnce = Annotated[Once, Depends(_once)]
"""Dependency of every POST that creates something."""
