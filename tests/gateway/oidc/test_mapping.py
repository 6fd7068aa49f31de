"""What claims grant, and which files of rules are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.oidc.mapping import grants_of
from gateway.oidc.schemas import Issuer, OidcFileProblem, read_oidc_file
from kit.access import Grant, Role

NAMED = {"name": "dinas", "issuer": "https://sso.example.test", "audience": "kampung-kb"}
OFFICER: dict[str, Any] = {"claim": "groups", "value": "opd", "role": "officer"}


def grants(claims: dict[str, Any], *rules: dict[str, Any]) -> list[tuple[str, str | None]]:
    issuer = Issuer.model_validate({**NAMED, "grants": list(rules)})
    return [(grant.role.value, grant.region) for grant in grants_of(claims, issuer)]


class TestGrants:
    def test_a_value_alone_and_in_a_list(self) -> None:
        rule = {**OFFICER, "region": "91.01"}
        assert grants({"groups": "opd"}, rule) == grants({"groups": ["x", "opd"]}, rule) == [("officer", "91.01")]
        for other in ("opd2", ["OPD"], [["opd"]], {"opd": True}, None, 7, True):
            assert grants({"groups": other}, rule) == []
        assert grants({}, rule) == []

    def test_inside_other_claims(self) -> None:
        rule = {**OFFICER, "claim": ["realm_access", "roles"], "region": None}
        assert grants({"realm_access": {"roles": ["opd"]}}, rule) == [("officer", None)]
        assert grants({"realm_access": ["roles"]}, rule) == []
        assert grants({"realm_access.roles": ["opd"]}, rule) == []

    @pytest.mark.parametrize(
        ("region", "expected"),
        [
            ("9101", ["91.01"]),
            (["91.01", "91.01.02", "nowhere"], ["91.01", "91.01.02"]),
            ("Kab. Contoh", ["91.05"]),
            ("semua", [None]),
            ("", []),
            (None, []),
            (9101, []),
            ([], []),
        ],
    )
    def test_the_region_of_a_claim(self, region: Any, expected: list[str | None]) -> None:
        rule = {**OFFICER, "region_claim": "kkb", "regions": {"Kab. Contoh": "91.05", "semua": None}}
        assert [code for _, code in grants({"groups": "opd", "kkb": region}, rule)] == expected

    def test_several_rules_each_grant_once(self) -> None:
        reader = {"claim": "groups", "value": "semua", "role": "reader", "region": None}
        found = grants({"groups": ["opd", "semua"]}, {**OFFICER, "region": "91"}, reader, reader)
        assert found == [("reader", None), ("officer", "91")]

    def test_not_without_end(self) -> None:
        rule = {**OFFICER, "region_claim": "kkb"}
        many = [f"91.01.01.{number}" for number in range(2000, 2999)]
        assert len(grants({"groups": "opd", "kkb": many}, rule)) == 50


class TestFile:
    def read(self, path: Path, document: Any) -> tuple[Issuer, ...]:
        file = path / "oidc.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        return read_oidc_file(file, plain_http=False)

    def test_none(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, {"issuers": []}) == ()

    def test_good(self, tmp_path: Path) -> None:
        (issuer,) = self.read(tmp_path, {"issuers": [{**NAMED, "grants": [{**OFFICER, "region": "33.26"}]}]})
        assert issuer.algorithms == ["RS256", "ES256", "EdDSA"]
        assert Grant(Role.OFFICER, "33.26") in grants_of({"groups": "opd"}, issuer)

    @pytest.mark.parametrize(
        "change",
        [
            {"algorithms": ["none"]},
            {"algorithms": ["HS256"]},
            {"algorithms": []},
            {"issuer": "http://sso.example.test"},
            {"issuer": "https://user:pass@sso.example.test"},
            {"issuer": "https://sso.example.test/?a=b"},
            {"issuer": "sso.example.test"},
            {"name": "Dinas Jateng"},
            {"audience": ""},
            {"grants": []},
            {"grants": [OFFICER]},
            {"grants": [{**OFFICER, "region": "91", "region_claim": "kkb"}]},
            {"grants": [{**OFFICER, "region": "91", "regions": {"a": "91"}}]},
            {"grants": [{**OFFICER, "region": "91.1"}]},
            {"grants": [{**OFFICER, "region": None, "role": "king"}]},
            {"rumah": 1},
        ],
    )
    def test_refused(self, tmp_path: Path, change: dict[str, Any]) -> None:
        issuer = {**NAMED, "grants": [{**OFFICER, "region": None}], **change}
        with pytest.raises(OidcFileProblem):
            self.read(tmp_path, {"issuers": [issuer]})

    def test_twice_the_same(self, tmp_path: Path) -> None:
        issuer = {**NAMED, "grants": [{**OFFICER, "region": None}]}
        with pytest.raises(OidcFileProblem, match="each name once"):
            self.read(tmp_path, {"issuers": [issuer, issuer]})

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
    def test_no_such_document(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(OidcFileProblem, match="KKB_OIDC_FILE"):
            self.read(tmp_path, text)

    def test_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(OidcFileProblem, match="cannot be read"):
            read_oidc_file(tmp_path / "none.json", plain_http=False)
