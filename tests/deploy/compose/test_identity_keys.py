"""The job that makes the identity key pair."""

import stat
from pathlib import Path

from deploy.compose import identity_keys
from kit import identity


class TestIdentityKeys:
    def test_one_pair_for_ever_and_its_public_half_in_the_other_folder(self, tmp_path: Path) -> None:
        pair, public = tmp_path / "pair", tmp_path / "public"
        public.mkdir()
        assert identity_keys.main([str(pair), str(public)]) == 0
        signs = identity.load_private_key(pair / "identity-private.pem")
        checks = identity.load_public_key(public / "identity-public.pem")
        assert signs.public_key() == checks
        assert stat.S_IMODE((pair / "identity-private.pem").stat().st_mode) == 0o600
        assert [path.name for path in public.iterdir()] == ["identity-public.pem"]

        (public / "identity-public.pem").unlink()
        assert identity_keys.main([str(pair), str(public)]) == 0
        assert identity.load_public_key(public / "identity-public.pem") == checks

    def test_called_wrongly(self) -> None:
        assert identity_keys.main([]) == 2
