"""The contract, over the API."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from gateway.docs.page import Static

router = APIRouter(tags=["contract"])


@router.get("/openapi.json", openapi_extra={"security": []})
async def get_contract(request: Request) -> Response:
    """The contract of the whole platform (OpenAPI 3.1); open to everybody."""
    contract: Static = request.app.state.contract
    return contract.answer(request)
