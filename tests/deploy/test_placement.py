"""Where PostgreSQL's data lie and as whom it runs. Root's cases need root; an ordinary user's run everywhere."""

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.placement import USER, make_folder, place, reachable
from deploy.embedded.ports import free_port
from deploy.embedded.processes import Account
from deploy.embedded.servers import EmbeddedPostgres

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root must change the user")
as_ordinary_user = pytest.mark.skipif(os.geteuid() == 0, reason="root takes the other way")

STRANGER = Account("stranger", 54_321, 54_321)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


class TestReachable:
    def test_a_closed_folder_anywhere_above_closes_it(self, open_folder: Path) -> None:
        deep = open_folder / "closed" / "deep"
        deep.mkdir(parents=True)
        deep.chmod(0o755)
        deep.parent.chmod(0o700)
        assert not reachable(deep, STRANGER)
        deep.parent.chmod(0o711)
        assert reachable(deep, STRANGER)

    def test_owner_and_group_bits_count_for_owner_and_group(self, open_folder: Path) -> None:
        folder = open_folder / "one"
        folder.mkdir()
        owner = folder.stat()
        folder.chmod(0o100)
        assert reachable(folder, Account("owner", owner.st_uid, 54_321))
        folder.chmod(0o010)
        assert reachable(folder, Account("member", 54_321, owner.st_gid))
        assert not reachable(folder, Account("owner", owner.st_uid, 54_321))
        folder.chmod(0o700)

    def test_a_file_must_be_readable(self, open_folder: Path) -> None:
        file = open_folder / "file"
        file.touch()
        file.chmod(0o600)
        assert not reachable(file, STRANGER)
        file.chmod(0o644)
        assert reachable(file, STRANGER)

    def test_a_missing_folder_is_not_reachable(self, open_folder: Path) -> None:
        assert not reachable(open_folder / "missing", STRANGER)


class TestMakeFolder:
    @pytest.mark.usefixtures("umask")
    def test_the_mode_does_not_depend_on_the_umask(self, tmp_path: Path) -> None:
        make_folder(tmp_path / "new", 0o711)
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o711

    def test_an_existing_folder_stays_as_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "theirs").mkdir(mode=0o700)
        make_folder(tmp_path / "theirs", 0o755)
        assert stat.S_IMODE((tmp_path / "theirs").stat().st_mode) == 0o700


class TestOrdinaryUser:
    @as_ordinary_user
    def test_everything_lies_in_the_data_folder(self, tmp_path: Path) -> None:
        placement = place(tmp_path / "data")
        assert (placement.home, placement.account) == (tmp_path / "data" / "postgres", None)
        assert placement.notes == ()


@as_root
class TestRoot:
    def test_an_open_data_folder_keeps_the_data(self, open_folder: Path) -> None:
        placement = place(open_folder / "data", open_folder / "system")
        assert placement.home == open_folder / "data" / "postgres"
        assert placement.account is not None
        assert placement.account.name == USER
        assert not any("data lie in" in note for note in placement.notes)

    def test_a_closed_data_folder_moves_the_data_and_says_so_once_per_start(self, open_folder: Path) -> None:
        data = self.closed(open_folder)
        placement = place(data, open_folder / "system")
        assert placement.home.is_relative_to(open_folder / "system")
        assert any(str(placement.home) in note and "\n" not in note for note in placement.notes)
        assert stat.S_IMODE(data.parent.stat().st_mode) == 0o700  # not ours, not touched

    def test_data_stay_where_they_are_when_the_folder_is_opened_later(self, open_folder: Path) -> None:
        data = self.closed(open_folder)
        before = place(data, open_folder / "system").home
        data.parent.chmod(0o755)
        assert place(data, open_folder / "system").home == before

    def test_a_removed_data_folder_starts_anew_and_keeps_the_old_database(self, open_folder: Path) -> None:
        data = self.closed(open_folder)
        home = place(data, open_folder / "system").home
        (home / "superuser.password").write_text("old")
        (data / "postgres.location").unlink()
        again = place(data, open_folder / "system")
        assert again.home == home
        assert list(home.iterdir()) == []
        assert [kept.read_text() for kept in home.parent.glob("postgres-until-*/superuser.password")] == ["old"]

    def test_two_data_folders_never_share_a_database(self, open_folder: Path) -> None:
        homes = {place(self.closed(open_folder, name), open_folder / "system").home for name in ("one", "two")}
        assert len(homes) == 2

    def test_the_server_runs_from_a_copy_when_the_installed_one_is_closed(
        self, open_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        system = open_folder / "system"
        make_folder(system, 0o755)
        monkeypatch.setattr("deploy.embedded.placement._server_reachable", lambda *_: False)
        placement = place(open_folder / "data", system)
        assert placement.programs.is_relative_to(system)
        monkeypatch.setattr("deploy.embedded.servers.place", lambda _: placement)
        server = EmbeddedPostgres(open_folder / "data", free_port(), durable=False)
        server.start()
        try:
            assert server.sql("SELECT count(*) FROM pg_timezone_names WHERE name = 'Asia/Jakarta';") == "1"
        finally:
            server.stop()

    def test_data_whose_user_got_another_number_are_given_back(self, open_folder: Path) -> None:
        home = place(open_folder / "data", open_folder / "system").home
        (home / "data").mkdir(mode=0o700)
        (home / "data" / "PG_VERSION").touch()
        place(open_folder / "data", open_folder / "system")
        uid = pwd.getpwnam(USER).pw_uid
        assert {path.stat().st_uid for path in (home / "data", home / "data" / "PG_VERSION")} == {uid}

    @staticmethod
    def closed(open_folder: Path, name: str = "data") -> Path:
        home = open_folder / "home"
        home.mkdir(mode=0o700, exist_ok=True)
        return home / name
