"""Which tokens of an identity provider open the door, and what happens while it is away or turns its keys."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.metrics import OIDC_FETCHES, OIDC_REFUSALS
from gateway.oidc.issuer_keys import KeyLimits
from gateway.oidc.schemas import Issuer
from gateway.oidc.verification import LONGEST_TOKEN, TokenVerifier
from kit.access import Grant, Role
from kit.problems import Unauthenticated, Unavailable
from tests.gateway.oidc.provider import AUDIENCE, Provider, SigningKey, new_key, providing, rsa_key

RULES = [{"claim": "groups", "value": "opd-kb", "role": "officer", "region_claim": "kkb_region"}]
PATIENT = KeyLimits(pause=3600)
EAGER = KeyLimits(pause=0.000_001)


def issuer_of(provider: Provider, **changes: Any) -> Issuer:
    settings = {"name": "dinas", "issuer": provider.issuer, "audience": AUDIENCE, "grants": RULES, **changes}
    return Issuer.model_validate(settings)


@asynccontextmanager
async def verifying(provider: Provider, limits: KeyLimits = PATIENT, **changes: Any) -> AsyncIterator[TokenVerifier]:
    verifier = TokenVerifier([issuer_of(provider, **changes)], limits, plain_http=True)
    try:
        yield verifier
    finally:
        await verifier.close()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with providing(new_key("ed", "EdDSA"), new_key("ec", "ES256"), new_key("rsa", "RS256")) as running:
        yield running


def count(reason: str, issuer: str = "dinas") -> float:
    return OIDC_REFUSALS.labels(issuer, reason)._value.get()


def unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    return b".".join((*parts, b"")).decode()


class TestTaken:
    async def test_each_algorithm(self, provider: Provider) -> None:
        async with verifying(provider) as verifier:
            for key in provider.keys:
                verified = await verifier.check(provider.sign(key))
                assert verified.principal.grants == (Grant(Role.OFFICER, "91.01"),)
                assert verified.principal.name == "dinas"
        assert provider.fetched == 1

    async def test_one_person_has_one_id_and_it_is_not_what_the_issuer_calls_him(self, provider: Provider) -> None:
        async with verifying(provider, name_claim="nickname") as verifier:
            first = (await verifier.check(provider.sign(sub="ani@example.test", nickname="Ani"))).principal
            again = (await verifier.check(provider.sign(sub="ani@example.test", jti="2"))).principal
            other = (await verifier.check(provider.sign(sub="budi@example.test"))).principal
        assert first.id == again.id != other.id
        assert first.id.startswith("oidc:")
        assert "ani" not in first.id
        assert (first.name, again.name) == ("Ani", "dinas")

    async def test_small_differences_of_the_clocks(self, provider: Provider) -> None:
        now = int(time.time())
        async with verifying(provider) as verifier:
            assert await verifier.check(provider.sign(exp=now - 30))
            assert await verifier.check(provider.sign(nbf=now + 30, iat=now + 30))

    async def test_forms_of_type_and_audience(self, provider: Provider) -> None:
        async with verifying(provider) as verifier:
            for typ in ("at+jwt", "application/at+JWT", "JWT", None):
                assert await verifier.check(provider.sign(header={"typ": typ}, jti=str(typ)))
            assert await verifier.check(provider.sign(aud=["lain", AUDIENCE]))

    async def test_a_single_key_without_id(self) -> None:
        key = new_key("k", "ES256")
        async with providing(key) as provider, verifying(provider) as verifier:
            provider.published = [{name: value for name, value in key.jwk.items() if name not in {"kid", "alg"}}]
            token = jwt.encode(provider.claims(), key.private, algorithm="ES256")
            assert await verifier.check(token)

    async def test_authorized_party(self, provider: Provider) -> None:
        async with verifying(provider, authorized_parties=["konsol"]) as verifier:
            assert await verifier.check(provider.sign())
            assert await verifier.check(provider.sign(azp=None, client_id="konsol"))
            for changes in ({"azp": "lain"}, {"azp": None}, {"azp": ["konsol"]}):
                with pytest.raises(Unauthenticated, match="client"):
                    await verifier.check(provider.sign(**changes))

    async def test_no_grant_is_no_refusal(self, provider: Provider) -> None:
        async with verifying(provider) as verifier:
            assert (await verifier.check(provider.sign(groups=None))).principal.grants == ()


NOW = int(time.time())
HOUR = 3600


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"aud": "lain"}, "audience"),
            ({"aud": [AUDIENCE + "x", ""]}, "audience"),
            ({"aud": {"a": AUDIENCE}}, "audience"),
            ({"aud": None}, "claims"),
            ({"exp": NOW - 2 * HOUR}, "expired"),
            ({"exp": None}, "claims"),
            ({"exp": "kapan-kapan"}, "claims"),
            ({"exp": NOW + 100 * 24 * HOUR}, "too_long"),
            ({"nbf": NOW + 2 * HOUR}, "not_yet"),
            ({"iat": NOW + 2 * HOUR, "exp": NOW + 3 * HOUR}, "not_yet"),
            ({"sub": None}, "claims"),
            ({"sub": ""}, "claims"),
            ({"sub": "x" * 300}, "claims"),
            ({"sub": 7}, "claims"),
        ],
    )
    async def test_claims(self, provider: Provider, changes: dict[str, Any], reason: str) -> None:
        before = count(reason)
        key = provider.keys[0]
        head = {"kid": key.kid, "typ": "at+jwt"}
        claims = json.dumps(provider.claims(**changes)).encode()
        token = jwt.api_jws.encode(claims, key.private, algorithm=key.algorithm, headers=head)
        async with verifying(provider) as verifier:
            with pytest.raises(Unauthenticated) as refused:
                await verifier.check(token)
        assert count(reason) == before + 1
        assert 'error="invalid_token"' in refused.value.headers["WWW-Authenticate"]

    async def test_another_issuer(self, provider: Provider) -> None:
        before = count("issuer", "(none)")
        async with verifying(provider) as verifier:
            for issuer in ("https://elsewhere.test", provider.issuer + "/", 7, None):
                head = {"kid": "ed", "typ": "at+jwt"}
                claims = json.dumps({**provider.claims(), "iss": issuer}).encode()
                token = jwt.api_jws.encode(claims, provider.keys[0].private, algorithm="EdDSA", headers=head)
                with pytest.raises(Unauthenticated, match="issuer"):
                    await verifier.check(token)
        assert count("issuer", "(none)") == before + 4
        assert provider.fetched == 0

    async def test_no_signature_and_signatures_by_what_is_public(self, provider: Provider) -> None:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = rsa_key().public_key().public_bytes(serialization.Encoding.PEM, form)
        before = count("algorithm")
        async with verifying(provider) as verifier:
            for algorithm in ("none", "None", "", None, ["RS256"]):
                token = unsigned(provider.claims(), {"alg": algorithm, "kid": "rsa", "typ": "JWT"})
                with pytest.raises(Unauthenticated, match="kind"):
                    await verifier.check(token)
            shared = jwt.PyJWS().get_algorithm_by_name("HS256")
            head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "rsa", "typ": "JWT"}).encode())
            body = base64.urlsafe_b64encode(json.dumps(provider.claims()).encode())
            signed = head.rstrip(b"=") + b"." + body.rstrip(b"=")
            mark = base64.urlsafe_b64encode(shared.sign(signed, public)).rstrip(b"=")
            with pytest.raises(Unauthenticated, match="kind"):
                await verifier.check((signed + b"." + mark).decode())
        assert count("algorithm") == before + 6

    async def test_an_algorithm_that_is_not_allowed_here(self, provider: Provider) -> None:
        async with verifying(provider, algorithms=["ES256"]) as verifier:
            assert await verifier.check(provider.sign(provider.keys[1]))
            with pytest.raises(Unauthenticated, match="kind"):
                await verifier.check(provider.sign(provider.keys[2]))

    async def test_a_key_for_another_algorithm(self, provider: Provider) -> None:
        other = jwt.encode(provider.claims(), rsa_key(), algorithm="PS256", headers={"kid": "rsa", "typ": "JWT"})
        async with verifying(provider, algorithms=["PS256", "RS256"]) as verifier:
            with pytest.raises(Unauthenticated, match="kind"):
                await verifier.check(other)

    async def test_stolen_id_of_a_key(self, provider: Provider) -> None:
        before = count("signature")
        thief = SigningKey("ed", "EdDSA", Ed25519PrivateKey.generate())
        async with verifying(provider) as verifier:
            with pytest.raises(Unauthenticated, match="signature"):
                await verifier.check(provider.sign(thief))
        assert count("signature") == before + 1

    async def test_a_key_that_comes_along_with_the_token(self, provider: Provider) -> None:
        thief = new_key("mine", "ES256")
        async with providing(thief) as elsewhere, verifying(provider) as verifier:
            for header in ({"jwk": thief.jwk}, {"jku": f"{elsewhere.address}/keys"}, {"x5u": elsewhere.address}):
                with pytest.raises(Unauthenticated, match="no such key"):
                    await verifier.check(provider.sign(thief, header))
            assert elsewhere.fetched == 0

    @pytest.mark.parametrize("header", [{"typ": "logout+jwt"}, {"typ": 7}, {"crit": ["exp"], "exp": 1}])
    async def test_other_kinds_of_token(self, provider: Provider, header: dict[str, Any]) -> None:
        async with verifying(provider) as verifier:
            with pytest.raises(Unauthenticated, match=r"access token|not a token"):
                await verifier.check(provider.sign(header=header))

    async def test_what_is_no_token(self, provider: Provider) -> None:
        deep = base64.urlsafe_b64encode(b"[" * 6000).decode().rstrip("=")
        pieces = ("", ".", "..", "a.b.c", "é.é.é", f"{deep}.e30.e30", f"e30.{deep}.e30", "e30.e30.e30.e30.e30")
        async with verifying(provider) as verifier:
            for text in pieces:
                with pytest.raises(Unauthenticated):
                    await verifier.check(text)

    async def test_huge(self, provider: Provider) -> None:
        before = count("too_large", "(none)")
        async with verifying(provider) as verifier:
            with pytest.raises(Unauthenticated, match="characters"):
                await verifier.check(provider.sign(groups=["x" * LONGEST_TOKEN]))
        assert count("too_large", "(none)") == before + 1


class TestRemembering:
    async def test_a_token_is_verified_once(self, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
        verified = 0
        decode = jwt.decode

        def counting(*given: Any, **named: Any) -> Any:
            nonlocal verified
            verified += 1
            return decode(*given, **named)

        monkeypatch.setattr(jwt, "decode", counting)
        token = provider.sign()
        async with verifying(provider) as verifier:
            first = await verifier.check(token)
            assert await verifier.check(token) is first
            assert verified == 1

    async def test_not_beyond_its_end(self, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
        token = provider.sign()
        async with verifying(provider) as verifier:
            known = await verifier.check(token)
            later = known.expires + 1
            monkeypatch.setattr("gateway.oidc.verification.time.time", lambda: later)
            monkeypatch.setattr("jwt.api_jwt.datetime", _Later(later))
            with pytest.raises(Unauthenticated, match="expired"):
                await verifier.check(token)

    async def test_so_many_at_most(self, provider: Provider) -> None:
        verifier = TokenVerifier([issuer_of(provider)], PATIENT, plain_http=True, remembered=2)
        for number in range(5):
            await verifier.check(provider.sign(jti=str(number)))
        assert len(verifier._remembered) == 2


class _Later:
    """datetime, as PyJWT asks it for the time."""

    def __init__(self, moment: float) -> None:
        self._moment = moment

    def now(self, tz: Any) -> _Later:
        return self

    def timestamp(self) -> float:
        return self._moment


class TestKeys:
    async def test_a_new_key_is_found(self, provider: Provider) -> None:
        async with verifying(provider, EAGER) as verifier:
            assert await verifier.check(provider.sign())
            provider.keys.append(new_key("new", "ES256"))
            assert await verifier.check(provider.sign(provider.keys[-1]))
            assert provider.fetched == 2

    async def test_unknown_keys_are_asked_for_once_in_a_while(self, provider: Provider) -> None:
        stranger = new_key("unknown", "EdDSA")
        async with verifying(provider) as verifier:
            for number in range(5):
                with pytest.raises(Unauthenticated, match="no such key"):
                    await verifier.check(provider.sign(stranger, jti=str(number)))
        assert provider.fetched == 1

    async def test_many_at_once_wait_for_one_fetch(self, provider: Provider) -> None:
        async with verifying(provider, EAGER) as verifier:
            tokens = [provider.sign(jti=str(number)) for number in range(20)]
            await asyncio.gather(*map(verifier.check, tokens))
        assert provider.fetched == 1

    async def test_a_key_that_was_taken_away_ends_the_tokens_it_signed(self, provider: Provider) -> None:
        token = provider.sign()
        async with verifying(provider, EAGER) as verifier:
            assert await verifier.check(token)
            provider.keys[0] = new_key("ed", "EdDSA")
            await verifier.keys["dinas"]._fetch()
            with pytest.raises(Unauthenticated, match="signature"):
                await verifier.check(token)

    async def test_kept_while_the_issuer_is_away_and_then_503(self, provider: Provider) -> None:
        async with verifying(provider, EAGER) as verifier:
            token = provider.sign()
            assert await verifier.check(token)
            provider.behaviour = "fails"
            keys = verifier.keys["dinas"]
            await keys._fetch()
            assert await verifier.check(provider.sign(jti="new"))
            with pytest.raises(Unavailable, match="dinas"):
                await verifier.check(provider.sign(new_key("perhaps-new", "EdDSA")))
            before = count("keys_away")
            keys._fetched_at = time.monotonic() - 86_401
            for known in (token, provider.sign(jti="newer")):
                with pytest.raises(Unavailable, match="dinas"):
                    await verifier.check(known)
            assert count("keys_away") == before + 2
            provider.behaviour = "well"
            assert await verifier.check(token)

    @pytest.mark.parametrize("behaviour", ["fails", "redirects", "babbles", "floods", "hangs"])
    async def test_an_issuer_that_cannot_be_asked(self, provider: Provider, behaviour: str) -> None:
        provider.behaviour = behaviour
        before = OIDC_FETCHES.labels("dinas", "failed")._value.get()
        fetch = 0.2 if behaviour == "hangs" else 30
        async with verifying(provider, KeyLimits(fetch=fetch)) as verifier:
            with pytest.raises(Unavailable):
                await verifier.check(provider.sign())
        assert OIDC_FETCHES.labels("dinas", "failed")._value.get() == before + 1
        assert provider.fetched == 0

    @pytest.mark.parametrize(
        "discovery",
        [{"issuer": "https://elsewhere.test"}, {"jwks_uri": None}, {"jwks_uri": "file:///etc/passwd"}],
    )
    async def test_a_discovery_document_that_cannot_be_used(
        self, provider: Provider, discovery: dict[str, Any]
    ) -> None:
        provider.discovery = discovery
        async with verifying(provider) as verifier:
            with pytest.raises(Unavailable):
                await verifier.check(provider.sign())

    async def test_keys_that_cannot_be_used(self, provider: Provider) -> None:
        good = provider.keys[1].jwk
        small = SigningKey("small", "RS256", rsa_key(1024)).jwk
        shared = {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}
        private = {**provider.keys[0].jwk, "d": "AAAA"}
        enc = {**provider.keys[2].jwk, "use": "enc"}
        provider.published = [small, shared, private, enc, {"kid": "x"}, "nonsense", good]
        async with verifying(provider) as verifier:
            assert await verifier.check(provider.sign(provider.keys[1]))
            assert set(verifier.keys["dinas"]._keys) == {"ec"}

    async def test_fetched_before_they_are_old(self, provider: Provider) -> None:
        async with verifying(provider, KeyLimits(renew=0.05, pause=0.01)) as verifier:
            fresh = asyncio.create_task(verifier.keep_fresh())
            async with asyncio.timeout(60):
                while provider.fetched < 3:
                    await asyncio.sleep(0.01)
            fresh.cancel()
            await asyncio.gather(fresh, return_exceptions=True)
            assert verifier.keys["dinas"].age < 60


def test_plain_http_needs_its_setting() -> None:
    from gateway.oidc.schemas import OidcFileProblem  # noqa: PLC0415

    settings = {"name": "a", "issuer": "http://sso.test", "audience": "x", "grants": RULES}
    with pytest.raises(OidcFileProblem, match="https"):
        Issuer.model_validate(settings).check_address(plain_http=False)
