"""Signs and checks access tokens. A token only says which key it stands for; what that may do is asked of the keyring."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any
from uuid import UUID, uuid4

import jwt

from gateway.keys import rules
from gateway.keys.keyring import Keyring, Known
from gateway.metrics import TOKENS_ISSUED, TOKENS_REFUSED
from gateway.oidc.verification import token_refused
from gateway.tokens.rules import LIFE_SECONDS, PREFIX
from kit import clock
from kit.identity import AcceptedKeys, Signer

ISSUER = "kkb-access-tokens"
"""Not that of identities: signed with the same key, a token is no identity, and an identity is no token."""
AUDIENCE = "kkb-gateway"
TYPE = "at+jwt"
"""RFC 9068, 2.1."""
_ALGORITHM = "EdDSA"
_LONGEST = 2048
_MOST = 4096
_LOOK_AGAIN_SECONDS = 1.0


class AccessTokens:
    """The tokens of this platform."""

    def __init__(self, signer: Signer, accepted: AcceptedKeys, keyring: Keyring) -> None:
        self._signer = signer
        self._accepted = accepted
        self._keyring = keyring
        self._remembered: OrderedDict[str, tuple[float, UUID, str]] = OrderedDict()
        """Until when a token is good, the key it stands for, and what that key's secret was."""
        self._look_again = 0.0

    def issue(self, known: Known, secret: str) -> str:
        """A token for a key whose secret was shown just now."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(known.key.id),
            "client_id": str(known.key.id),
            "iat": now,
            "exp": now + LIFE_SECONDS,
            "jti": uuid4().hex,
            "secret": _fingerprint(rules.digest(secret)),
        }
        TOKENS_ISSUED.inc()
        return PREFIX + self._signer.sign(claims, TYPE)

    async def check(self, text: str, client: str) -> Known:
        """The key that a token stands for, as it is now: revoked or expired, it takes its tokens with it.

        Raises:
            Unauthenticated: the token is none of ours, has expired, or its key opens nothing any more.
            AddressForbidden: the key may not be used from there.
        """
        self._refresh()
        expires, key_id, secret = self._remembered.get(text) or self._verified(text)
        if time.time() >= expires:
            self._remembered.pop(text, None)
            TOKENS_REFUSED.labels("expired").inc()
            raise token_refused("the token has expired")
        known = await self._keyring.standing(key_id, client)
        if secret not in _fingerprints(known):
            TOKENS_REFUSED.labels("replaced").inc()
            raise token_refused("the key's secret was replaced since; ask for another token")
        return known

    def expiry(self, text: str) -> float:
        """Until when a token that was checked before is good, Unix time.

        Raises:
            Unauthenticated: it has expired since.
        """
        return (self._remembered.get(text) or self._verified(text))[0]

    def _verified(self, text: str) -> tuple[float, UUID, str]:
        try:
            claims = self._decoded(text.removeprefix(PREFIX))
            found = float(claims["exp"]), UUID(claims["sub"]), str(claims["secret"])
        except jwt.ExpiredSignatureError:
            TOKENS_REFUSED.labels("expired").inc()
            raise token_refused("the token has expired") from None
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError):
            TOKENS_REFUSED.labels("invalid").inc()
            raise token_refused("this is not a token of this platform") from None
        self._remembered[text] = found
        if len(self._remembered) > _MOST:
            self._remembered.popitem(last=False)
        return found

    def _refresh(self) -> None:
        """Look now and then whether a signing key was taken away: what it signed counts no longer."""
        if time.monotonic() >= self._look_again:
            self._look_again = time.monotonic() + _LOOK_AGAIN_SECONDS
            if self._accepted.refresh():
                self._remembered.clear()

    def _decoded(self, token: str) -> dict[str, Any]:
        if len(token) > _LONGEST:
            raise jwt.DecodeError
        header = jwt.get_unverified_header(token)
        kid = str(header.get("kid"))
        if self._accepted.get(kid) is None and self._accepted.refresh():
            self._remembered.clear()
        key = self._accepted.get(kid)
        if key is None or header.get("typ") != TYPE:
            raise jwt.InvalidKeyError
        required = ["iss", "aud", "sub", "exp", "iat", "secret"]
        return jwt.decode(
            token, key, algorithms=[_ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options={"require": required}
        )


def _fingerprint(digest: bytes) -> str:
    """Enough to know a secret by; nobody gets from here back to 256 random bits."""
    return digest[:8].hex()


def _fingerprints(known: Known) -> set[str]:
    """The key's secrets that are good now: two within a rotation."""
    old = known.old_secret
    rest = {_fingerprint(old.digest)} if old is not None and clock.now() < old.until else set()
    return {_fingerprint(known.key.secret_hash)} | rest
