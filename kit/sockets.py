"""Every connection that a process makes ends when the other side has gone silent, whatever library made it.

Neither asyncpg nor nats-py sets this, and neither lets it be set. Without it a connection whose server vanished (power,
cable, a firewall that has forgotten it) is kept for hours, and closing one that still has something to send waits
for the kernel to give up, a quarter of an hour.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import uvloop

SILENCE_SECONDS = 20
"""After how long without any acknowledgement of the other side's kernel a connection is given up."""
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": SILENCE_SECONDS * 1000}


class Loop(uvloop.Loop):
    """uvloop, with the limit on every connection it makes."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        """As any loop's."""
        made: Any = await super().create_connection(*args, **kwargs)
        connection = made[0].get_extra_info("socket")
        if connection is not None:  # it is closed already
            limit_silence(connection)
        return made


def limit_silence(connection: socket.socket) -> None:
    """Let the kernel give up the connection when the other side is silent; as far as the operating system can."""
    with contextlib.suppress(OSError):  # it may be closed already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            option = getattr(socket, name, None)
            if option is not None:
                connection.setsockopt(socket.IPPROTO_TCP, option, value)
