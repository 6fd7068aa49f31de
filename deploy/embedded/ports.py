"""Are the ports free, before anything is started."""

import random
import socket
from collections.abc import Sequence

from deploy.embedded.problems import StartProblem
from deploy.embedded.settings import PortUse


def is_free(host: str, port: int) -> bool:
    """True if nobody listens on this address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do it: a connection that is still winding down (TIME_WAIT) does not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def check_ports(uses: Sequence[PortUse]) -> None:
    """Refuses to start when a port is taken or wanted twice.

    Raises:
        StartProblem: one line with the port, who wants it and the setting that changes it.
    """
    seen: dict[int, PortUse] = {}
    for use in uses:
        if use.port in seen:
            other = seen[use.port]
            raise StartProblem(
                f"Port {use.port} is wanted twice: by {other.wanted_by} ({other.setting}) and by {use.wanted_by} ({use.setting})."
            )
        seen[use.port] = use
    for use in uses:
        if not is_free(use.host, use.port):
            raise StartProblem(
                f"Port {use.port} on {use.host} is not available for {use.wanted_by}: free it or set {use.setting} to another port."
            )


def free_port() -> int:
    """A free port of 127.0.0.1, outside the range from which outgoing connections take theirs."""
    while True:
        port = random.randint(20_000, 32_000)  # noqa: S311 - a port is no secret
        if is_free("127.0.0.1", port):
            return port
