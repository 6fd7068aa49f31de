import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.embedded.problems import StartProblem
from deploy.embedded.processes import LOG_LIMIT_BYTES, LOGS_KEPT, Child, rotate_log, tail
from deploy.embedded.signals import StopRequests
from deploy.embedded.throwaway import ThrowawayServers, throwaway_servers
from deploy.embedded.watch import FAILURES_ALLOWED, Watched, keep_running, pause_after


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Ended (a zombie that nobody has collected yet has ended too)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def python(tmp_path: Path, code: str, **options: object) -> Child:
    return Child("trial", [sys.executable, "-c", textwrap.dedent(code)], tmp_path / "trial.log", **options)  # type: ignore[arg-type]


class TestChild:
    def test_output_goes_to_its_log_and_is_appended(self, tmp_path: Path) -> None:
        child = python(tmp_path, "print('once')")
        for _ in range(2):
            child.start()
            assert child.process is not None
            child.process.wait()
        assert tail(child.log) == "once\nonce"
        assert child.how_it_ended() == "exit code 0"

    def test_one_that_ignores_its_stop_signals_is_killed(self, tmp_path: Path) -> None:
        child = python(
            tmp_path,
            """
            import signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("ready", flush=True)
            time.sleep(60)
            """,
        )
        child.start()
        until(lambda: tail(child.log) == "ready")
        child.stop(patience=0.2)
        assert child.how_it_ended() == "signal SIGKILL"

    def test_hurry_ends_the_patience(self, tmp_path: Path) -> None:
        child = python(
            tmp_path,
            """
            import signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("ready", flush=True)
            time.sleep(600)
            """,
        )
        child.start()
        until(lambda: tail(child.log) == "ready")
        child.stop(patience=600, hurry=lambda: True)
        assert child.how_it_ended() == "signal SIGKILL"

    @pytest.mark.skipif(sys.platform != "linux", reason="the tie to the parent is Linux's")
    def test_it_ends_when_its_parent_is_killed(self, tmp_path: Path) -> None:
        code = f"""
            import time
            from pathlib import Path
            from deploy.embedded.processes import Child
            child = Child("sleep", ["/bin/sleep", "600"], Path({str(tmp_path / "sleep.log")!r}))
            child.start()
            print(child.process.pid, flush=True)
            time.sleep(600)
        """
        parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.communicate()
        until(lambda: gone(pid))


class TestLogs:
    def test_a_large_log_moves_aside_and_only_some_are_kept(self, tmp_path: Path) -> None:
        log = tmp_path / "one.log"
        for round_number in range(LOGS_KEPT + 2):
            log.write_bytes(b"%d" % round_number + b"x" * LOG_LIMIT_BYTES)
            rotate_log(log)
        kept = sorted(path.name for path in tmp_path.iterdir())
        assert kept == [f"one.log.{number}" for number in range(1, LOGS_KEPT + 1)]
        assert (tmp_path / "one.log.1").read_bytes().startswith(b"%d" % (LOGS_KEPT + 1))

    def test_a_small_log_stays(self, tmp_path: Path) -> None:
        log = tmp_path / "one.log"
        log.write_text("short")
        rotate_log(log)
        assert log.read_text() == "short"


class TestWatch:
    def test_an_unexpected_end_is_reported_and_the_process_runs_again(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        child = Child("trial", ["/bin/sleep", "600"], tmp_path / "trial.log")
        child.start()
        watched = Watched(child, child.start)
        assert child.process is not None
        first = child.process.pid
        child.process.kill()
        until(lambda: not child.running)
        now = time.monotonic()
        watched.look(now)
        assert not child.running
        watched.look(now + pause_after(1))
        assert child.running
        assert child.process.pid != first
        child.stop(5)
        said = capsys.readouterr().out
        assert "trial ended (signal SIGKILL); next try in 1 s" in said
        assert "trial was started again" in said

    def test_a_crash_loop_ends_the_whole_with_the_logs_end(self, tmp_path: Path) -> None:
        child = python(tmp_path, "raise SystemExit('the database is missing')")
        watched = Watched(child, child.start)
        child.start()
        with pytest.raises(StartProblem, match=r"trial ended 6 times in a row(.|\n)*the database is missing"):
            self.look_without_end(watched)
        assert watched.failures == FAILURES_ALLOWED + 1

    @staticmethod
    def look_without_end(watched: Watched) -> None:
        """Looks at every end and every time a next try is due, without waiting for it."""
        now = time.monotonic()
        for _ in range(100):
            assert watched.child.process is not None
            watched.child.process.wait()
            watched.look(now)
            now = watched.due or now

    def test_pauses_grow_to_half_a_minute(self) -> None:
        assert [pause_after(failures) for failures in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]

    def test_a_stop_request_ends_the_watch(self, tmp_path: Path) -> None:
        with StopRequests() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            until(stop.requested)
            keep_running([], stop)
            assert not stop.hurried()
            os.kill(os.getpid(), signal.SIGINT)
            until(stop.hurried)


class TestThrowawayServers:
    def test_they_are_gone_when_the_body_fails(self) -> None:
        seen: list[ThrowawayServers] = []
        with pytest.raises(ZeroDivisionError):
            self.fail_inside(seen)
        children = [seen[0].postgres.child, seen[0].nats.child]
        assert all(child.process is not None and not child.running for child in children)
        assert not seen[0].folder.exists()

    @staticmethod
    def fail_inside(seen: list[ThrowawayServers]) -> None:
        with throwaway_servers() as servers:
            seen.append(servers)
            raise ZeroDivisionError

    @pytest.mark.skipif(sys.platform != "linux", reason="the tie to the parent is Linux's")
    def test_what_a_killed_run_left_is_removed_by_the_next(self) -> None:
        code = """
            import time
            from deploy.embedded.throwaway import throwaway_servers
            with throwaway_servers() as servers:
                print(servers.folder, servers.postgres.child.process.pid, servers.nats.child.process.pid, flush=True)
                time.sleep(600)
        """
        run = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
        assert run.stdout is not None
        folder, *pids = run.stdout.readline().split()
        run.kill()
        run.communicate()
        until(lambda: all(gone(int(pid)) for pid in pids))
        assert Path(folder).exists()
        with throwaway_servers():
            until(lambda: not Path(folder).exists())
