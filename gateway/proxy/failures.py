"""What can go wrong between the door and a service, and which problem the client reads."""

from __future__ import annotations

from typing import ClassVar

from kit.problems import BadUpstream, Problem, Unavailable, UpstreamTimeout


class UpstreamFailure(Exception):
    """A service could not be asked, or did not answer properly.

    503 says that the service never saw the request, so repeating it is safe; after 502 and 504 nobody knows
    whether it was carried out.
    """

    kind: ClassVar[str]
    """Label of the metric."""
    problem: ClassVar[type[Problem]]
    detail: ClassVar[str]

    def as_problem(self, service: str) -> Problem:
        """The problem document's exception, without inner addresses."""
        return self.problem(f"{service}: {self.detail}")


class Unreachable(UpstreamFailure):
    kind, problem, detail = "connect", Unavailable, "the service cannot be reached; nothing was carried out"


class Busy(UpstreamFailure):
    kind, problem, detail = "busy", Unavailable, "the service has too much to do; nothing was carried out"


class LeftAlone(UpstreamFailure):
    """The circuit breakers of all its replicas are open."""

    kind, problem, detail = "open", Unavailable, "the service failed again and again and is left alone for a moment"


class ClosedEarly(UpstreamFailure):
    """The connection ended before the answer was complete."""

    kind, problem, detail = "closed", BadUpstream, "the service broke off before its answer was complete"


class Stale(ClosedEarly):
    """An idle connection turned out to be closed before any byte of an answer."""


class BadAnswer(UpstreamFailure):
    """What came is not HTTP, or not an answer to this request."""

    kind, problem, detail = "protocol", BadUpstream, "the service's answer could not be read"


class TooSlow(UpstreamFailure):
    kind, problem, detail = "first_byte", UpstreamTimeout, "the service did not begin to answer in time"


class TookTooLong(UpstreamFailure):
    kind, problem, detail = "total", UpstreamTimeout, "the exchange as a whole took too long"


class Draining(UpstreamFailure):
    """This process ends; whoever waits through it does so elsewhere."""

    kind, problem, detail = "drain", Unavailable, "this door is closing while you waited; ask again"


class ClientGone(Exception):
    """The client hung up; there is nobody to answer."""
