import socket
import stat
from pathlib import Path

import pytest

from deploy.embedded.ports import check_ports, free_port
from deploy.embedded.problems import StartProblem
from deploy.embedded.secrets import kept_password
from deploy.embedded.settings import CHECKOUT, EmbeddedSettings, PortUse, read_settings


class TestSettings:
    def test_defaults_lie_in_the_checkout(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("KKB_DATA_DIR", raising=False)
        monkeypatch.setitem(EmbeddedSettings.model_config, "env_file", None)  # a person's own
        assert read_settings().data_dir == CHECKOUT / ".data"

    def test_a_port_that_is_no_number_is_one_line_that_names_the_setting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KKB_NATS_PORT", "often")
        with pytest.raises(StartProblem, match=r"^KKB_NATS_PORT='often' .*integer.*$"):
            read_settings()

    def test_every_port_has_a_setting_of_its_own(self) -> None:
        uses = read_settings().port_uses()
        assert len(uses) == len({use.setting for use in uses}) == 10
        assert all(hasattr(read_settings(), use.setting.removeprefix("KKB_").lower()) for use in uses)


class TestPorts:
    def test_a_taken_port_is_one_line_with_port_user_and_setting(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(StartProblem) as caught:
                check_ports([PortUse("gateway", "127.0.0.1", port, "KKB_GATEWAY_PORT")])
        line = str(caught.value)
        assert "\n" not in line
        assert all(part in line for part in (str(port), "gateway", "KKB_GATEWAY_PORT"))

    def test_a_port_wanted_twice_names_both(self) -> None:
        uses = [PortUse("registry", "127.0.0.1", 8101, "KKB_A"), PortUse("scoring", "127.0.0.1", 8101, "KKB_B")]
        with pytest.raises(StartProblem, match=r"8101.*registry.*KKB_A.*scoring.*KKB_B"):
            check_ports(uses)

    def test_free_ports_pass(self) -> None:
        check_ports([PortUse("gateway", "127.0.0.1", free_port(), "KKB_GATEWAY_PORT")])


class TestSecrets:
    def test_a_password_is_made_once_and_only_its_owner_reads_it(self, tmp_path: Path) -> None:
        file = tmp_path / "secrets" / "one.password"
        password = kept_password(file)
        assert kept_password(file) == password
        assert len(password) == 64
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [path.name for path in file.parent.iterdir()] == [file.name]

    def test_two_passwords_differ(self, tmp_path: Path) -> None:
        assert kept_password(tmp_path / "a") != kept_password(tmp_path / "b")
