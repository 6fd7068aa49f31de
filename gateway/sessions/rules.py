"""How a session is written in a cookie, which requests may use it, and what is said of a browser."""

from __future__ import annotations

import hashlib
import re
import secrets
from urllib.parse import urlsplit

SECURE_COOKIE = "__Host-kkb-session"
"""The prefix makes browsers insist on Secure, Path=/ and no Domain (RFC 6265bis, 4.1.3.2)."""
PLAIN_COOKIE = "kkb-session"
"""Over plain http on this machine, in development."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_BROWSERS = ("Edg", "OPR", "SamsungBrowser", "Firefox", "Chrome", "Safari")
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux")


def new_secret() -> str:
    """256 random bits as a cookie holds them."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored of a session's secret, and found by. Random, so a plain hash is enough (see the keys' rules)."""
    return hashlib.sha256(secret.encode()).digest()


def is_secret(text: str) -> bool:
    """Whether a text has the form of a session's secret."""
    return _SECRET.fullmatch(text) is not None


def set_cookie(secret: str, *, plain: bool) -> str:
    """The header that gives a session to the browser, until it is closed or the session ends."""
    if plain:
        return f"{PLAIN_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict"
    return f"{SECURE_COOKIE}={secret}; Path=/; Secure; HttpOnly; SameSite=Strict"


def clear_cookie(*, plain: bool) -> str:
    """The header that takes it away."""
    return set_cookie("", plain=plain) + "; Max-Age=0"


def same_origin(fetch_site: str | None, origin: str | None, host: str, *, silent: bool) -> bool:
    """Whether a page of our own sent a request that changes something.

    Args:
        fetch_site: Sec-Fetch-Site (Fetch Metadata), which browsers set and pages cannot.
        origin: Origin (Fetch, 3.2), for browsers without that.
        host: the Host that the request is for.
        silent: the answer where there is neither, so that no browser of today sent it.
    """
    if fetch_site is not None:
        return fetch_site == "same-origin"
    if origin is not None:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    return silent


def browser_of(agent: str | None) -> str:
    """A browser as its user knows it again in a list, and no finer: `Firefox, Windows`."""
    text = agent or ""
    kind = next((name for name in _BROWSERS if name in text), "")
    system = next((name for name in _SYSTEMS if name in text), "")
    return ", ".join(part for part in (kind.replace("Edg", "Edge").replace("OPR", "Opera"), system) if part) or "?"
