"""The key that webhooks' secrets are encrypted with: made once, renewed without losing the old one."""

from __future__ import annotations

import stat
from pathlib import Path
from uuid import uuid4

from deploy import webhook_key
from deploy.compose import prepare
from gateway.webhooks.vault import Vault


def test_made_once_and_renewed(tmp_path: Path) -> None:
    file, webhook = tmp_path / "secrets" / webhook_key.NAME, uuid4()
    assert webhook_key.main(["make", str(file)]) == 0
    first = file.read_text()
    assert webhook_key.main(["make", str(file)]) == 0
    assert file.read_text() == first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    sealed = Vault.of(file).seal("s", webhook)
    assert webhook_key.main(["renew", str(file)]) == 0
    assert file.read_text().endswith(first)
    assert len(file.read_text().split()) == 2
    assert Vault.of(file).unseal(sealed, webhook) == "s"


def test_called_wrongly() -> None:
    assert webhook_key.main([]) == 2
    assert prepare.main([]) == 2


def test_containers_find_it_beside_the_identities_key(tmp_path: Path) -> None:
    secrets, public = tmp_path / "identity", tmp_path / "identity-public"
    public.mkdir()
    assert prepare.main([str(secrets), str(public)]) == 0
    assert {file.name for file in secrets.iterdir()} >= {"identity-private.pem", "webhooks.key"}
    assert [file.name for file in public.iterdir()] == ["identity-public.pem"]
    Vault.of(secrets / "webhooks.key")
