"""A client's request on its way through the gateway, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from gateway.audit.rules import Entry
from gateway.identities import Admitted
from gateway.proxy.headers import Headers, first
from gateway.proxy.routing import Operation
from kit.access import Principal


class ForwardLimits(BaseModel):
    """What one request may cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body_bytes: int = Field(32 * 1024 * 1024, ge=0, description="Largest request body")
    total_seconds: float = Field(300.0, gt=0, description="Longest exchange, both bodies included")
    own_seconds: float = Field(
        30.0, gt=0, description="Longest time in which an operation of the gateway's own begins to answer"
    )
    compress_bytes: int = Field(1024, ge=0, description="Least size of an answer that is compressed; 0: none is")


@dataclass(slots=True)
class Call:
    """A client's request on its way, and what became of it."""

    method: str
    target: bytes
    """Path and query exactly as the client wrote them."""
    headers: Headers
    client: str
    scheme: str
    request_id: bytes
    trace: Headers
    deadline: float
    """Loop time at which the exchange as a whole is over."""
    operation: Operation | None = None
    identity: bytes | None = None
    caller_id: str | None = None
    principal: Principal | None = None
    """Who calls; None of a stranger."""
    admitted: Admitted | None = None
    """Whom his credential let in."""
    credential: str | None = None
    """What the caller showed: its kind, never itself."""
    begun: Entry | None = None
    """What the audit trail holds of it already."""
    region: str | None = None
    """The region that it touched, as whoever carried it out told."""
    added: Headers = field(init=False)
    """Headers that the door adds to the answer."""
    status: int = 0
    """Status sent to the client; 0 while nothing was sent."""
    sent: int = 0
    """Bytes of the answer's body sent to the client."""
    failure: str | None = None
    """Kind of the failure, for the metric and the log."""
    announced_length: int | None = field(init=False)
    """Content-Length of the request, None where it is chunked; 0 where there is no body."""
    unread: bool = field(init=False)
    """Whether some of the request's body has not been read yet."""

    def __post_init__(self) -> None:
        chunked = first(self.headers, b"transfer-encoding") is not None
        self.announced_length = None if chunked else int(first(self.headers, b"content-length") or 0)
        self.unread = self.announced_length != 0
        self.added = [(b"x-request-id", self.request_id)]

    @property
    def media_type(self) -> bytes | None:
        """Content-Type of the request's body; None where there is none, or it does not say."""
        return first(self.headers, b"content-type") if self.announced_length != 0 else None

    def most_bytes(self, limits: ForwardLimits) -> int:
        """Largest body of this request."""
        shape = self.operation.shape if self.operation is not None else None
        stated = shape.most_bytes if shape is not None else None
        return limits.body_bytes if stated is None else min(stated, limits.body_bytes)
