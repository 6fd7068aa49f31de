"""Walking an app's endpoints, however its routers are nested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi.routing import APIRoute


def api_routes(routes: Any) -> Iterator[APIRoute]:
    """All endpoints of an app's routes."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        else:
            inner = getattr(route, "original_router", None) or getattr(route, "router", None)
            yield from api_routes(getattr(inner, "routes", []))
