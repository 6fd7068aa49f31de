"""The documentation page: Swagger UI's files out of a wheel, served by ourselves, so it works without the internet."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib import resources

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from kit import API
from kit.problems import NotFound

PAGE = "/docs"
FILE = PAGE + "/{file}"
PAGES = ("/", PAGE, FILE)
"""Addresses of the pages; the door must know them, and they are in no contract."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere and nothing inline; Swagger UI sets styles through the DOM only, which this allows."""

_OURS = {"start.js": "text/javascript", "page.css": "text/css"}
_FROM_THE_WHEEL = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}


class Static:
    """A file that does not change while the process runs: compressed once, answered with 304 where it is known."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self._content = content
        self._compressed = gzip.compress(content, mtime=0)
        self._media_type = media_type
        self._etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'

    def answer(self, request: Request) -> Response:
        """The file as this client can take it."""
        headers = {
            "ETag": self._etag,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        if self._etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        content = self._content
        if "gzip" in request.headers.get("accept-encoding", ""):
            content = self._compressed
            headers["Content-Encoding"] = "gzip"
        return Response(content, headers=headers, media_type=self._media_type)


@cache
def _files() -> dict[str, Static]:
    wheel, ours = resources.files("fastapi_swagger.resources"), resources.files(__package__) / "site"
    taken = [(wheel, _FROM_THE_WHEEL), (ours, _OURS)]
    page = Static((ours / "index.html").read_bytes(), "text/html")
    return {"": page} | {
        name: Static((folder / name).read_bytes(), media) for folder, files in taken for name, media in files.items()
    }


router = APIRouter(include_in_schema=False)
"""Pages for people; not part of the API and open to everybody, like the contract they show."""


@router.get("/")
async def show_the_way(request: Request) -> Response:
    """Who opens the gateway in a browser wants to read about it; a program is told where things are."""
    vary = {"Vary": "Accept"}
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(PAGE, 307, headers=vary)
    where = {"api": API, "contract": f"{API}/openapi.json", "documentation": PAGE}
    return JSONResponse({"name": "Kampung KB", **where}, headers=vary)


@router.get(PAGE)
async def documentation_page(request: Request) -> Response:
    """The page."""
    return _files()[""].answer(request)


@router.get(FILE)
async def documentation_file(file: str, request: Request) -> Response:
    """What the page is made of."""
    known = _files().get(file)
    if known is None or not file:
        raise NotFound("the documentation has no such file")
    return known.answer(request)
