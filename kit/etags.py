"""Strong ETags out of versions, and the If-Match that changing something requires."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from kit import problems

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description='ETag of the state you read, such as `"3"`; required to change it'),
]


def etag(version: int) -> str:
    """The strong ETag of a version."""
    return f'"{version}"'


def require_match(if_match: str | None, version: int) -> None:
    """Let a change through only if the client has seen the current version.

    Raises:
        PreconditionRequired: no If-Match was sent.
        Stale: If-Match names another version (weak tags and `*` never match: they prove nothing was read).
    """
    if if_match is None:
        raise problems.PreconditionRequired
    if etag(version) not in (tag.strip() for tag in if_match.split(",")):
        raise problems.Stale(f"the current ETag is {etag(version)}", current_etag=etag(version))
