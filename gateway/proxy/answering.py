"""A service's answer on its way to the client: streamed, compressed where that is worth while."""

from __future__ import annotations

from starlette.types import Send

from gateway.metrics import COMPRESSED
from gateway.proxy import compression
from gateway.proxy.calls import Call, ForwardLimits
from gateway.proxy.connections import Exchange
from gateway.proxy.dressing import dressed
from gateway.proxy.headers import REGION, Headers, first, for_client

_WITHOUT_BODY = frozenset({204, 304})


async def send_on(call: Call, exchange: Exchange, limits: ForwardLimits, send: Send) -> None:
    """Send the answer on. What is complete already leaves in one go, and its connection is free before that."""
    part = exchange.take()
    more = not exchange.complete
    if call.method == "HEAD" or not more:
        part, more = (b"" if call.method == "HEAD" else part), False
        exchange.close()
    region = first(exchange.headers, REGION)
    call.region = None if region is None else region.decode("latin-1")
    headers = for_client(exchange.headers)
    if exchange.status in _WITHOUT_BODY:
        # It may state a length, of the body that is not sent; uvicorn would wait for that body and then complain.
        headers = [(name, value) for name, value in headers if name != b"content-length"]
        headers = compression.confirmed(headers, first(call.headers, b"if-none-match") or b"")
    squeezing = None
    if compression.is_compressible(exchange.status, headers):
        headers, squeezing = _squeezed(call, headers, limits.compress_bytes)
    if squeezing is not None:
        part = squeezing.part(part, last=not more)
        if not more:
            headers.append((b"content-length", b"%d" % len(part)))
    call.status = exchange.status
    await send({"type": "http.response.start", "status": exchange.status, "headers": dressed(headers, call.added)})
    while more:
        if part:
            call.sent += len(part)
            await send({"type": "http.response.body", "body": part, "more_body": True})
        part = await exchange.part()
        more = not exchange.complete
        if squeezing is not None:
            part = squeezing.part(part, last=not more)
    exchange.close()
    call.sent += len(part)
    await send({"type": "http.response.body", "body": part, "more_body": False})


def _squeezed(call: Call, headers: Headers, least: int) -> tuple[Headers, compression.Squeezing | None]:
    """Headers of an answer that can be compressed, and what compresses it, if that is worth while for this client."""
    headers = compression.varying(headers)
    length = int(first(headers, b"content-length") or 0)
    if call.method == "HEAD" or not least or length < least or not compression.accepts_gzip(call.headers):
        return headers, None
    COMPRESSED.inc()
    return compression.squeezed(headers), compression.Squeezing()
