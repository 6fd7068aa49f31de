"""Named points on the way of a fact at which a test can kill this process, as a power cut would.

Off unless the setting KKB_FAILPOINTS_FILE names a file. A test writes into that file which point is armed, and for the
how manieth time it is reached: `after_commit` or `after_commit 3`. Reaching an armed point ends the process by
SIGKILL: nothing is flushed, closed or answered.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Literal

Point = Literal["after_flush", "before_commit", "after_commit", "after_publish", "before_ack", "after_ack"]
"""after_flush: state and event, or an event's effect, are written, not committed. before_commit, after_commit: of those
transactions only, which say so by `MATTERS` in their session's info. after_publish: the stream has the event, the relay has not
noted it. before_ack, after_ack: the effect is committed, the message not yet, or just, acknowledged."""


MATTERS = "kkb.failpoints"
"""Key of a session's info, set where events are written or handled: what else a process does is not worth dying for."""


class _Armed:
    file: Path | None = None
    reached = 0


def watch(file: Path | None) -> None:
    """Let the points of this process be armed by a file; None: they do nothing."""
    _Armed.file = file


def reach(point: Point) -> None:
    """Say that this point is reached."""
    if _Armed.file is not None:
        _reach(_Armed.file, point)


def _reach(file: Path, point: Point) -> None:
    try:
        name, *times = file.read_text().split()
    except (OSError, ValueError):
        _Armed.reached = 0
        return
    if name != point:
        return
    _Armed.reached += 1
    if _Armed.reached >= int(times[0] if times else 1):
        os.kill(os.getpid(), signal.SIGKILL)
