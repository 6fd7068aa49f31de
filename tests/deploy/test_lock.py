import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded.lock import locked
from deploy.embedded.problems import StartProblem


class TestLock:
    def test_a_second_supervisor_is_refused_with_the_first_ones_number(self, tmp_path: Path) -> None:
        with (
            locked(tmp_path / "data"),
            pytest.raises(StartProblem, match=rf"already runs on .*process {os.getpid()}"),
            locked(tmp_path / "data"),
        ):
            pass

    def test_after_the_first_has_ended_it_is_free(self, tmp_path: Path) -> None:
        for _ in range(2):
            with locked(tmp_path / "data"):
                pass

    def test_children_of_a_killed_supervisor_are_waited_for_and_then_named(self, tmp_path: Path) -> None:
        with locked(tmp_path / "data") as descriptor:
            child = subprocess.Popen(["/bin/sleep", "60"], pass_fds=[descriptor])
        try:
            with pytest.raises(StartProblem, match="earlier start"), locked(tmp_path / "data", patience=0.3):
                pass
        finally:
            child.kill()
            child.wait()
        with locked(tmp_path / "data", patience=10):
            pass

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_another_users_data_are_refused(self, tmp_path: Path) -> None:
        with locked(tmp_path / "data"):
            pass
        os.chown(tmp_path / "data" / "supervisor.lock", 54_321, 54_321)
        with pytest.raises(StartProblem, match="belong to the user 54321"), locked(tmp_path / "data"):
            pass

    def test_a_second_process_gets_one_line_and_exit_code_1(self, tmp_path: Path) -> None:
        with locked(tmp_path / "data"):
            done = subprocess.run(
                [sys.executable, "-m", "deploy.up"],
                env={**os.environ, "KKB_DATA_DIR": str(tmp_path / "data")},
                capture_output=True,
                text=True,
                check=False,
            )
        assert done.returncode == 1
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert "already runs" in done.stderr
