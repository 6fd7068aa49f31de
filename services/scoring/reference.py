"""The rulesets that ship with the platform, put into the database after every upgrade: once stored they never change."""

from __future__ import annotations

from datetime import date

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scoring.rulesets.boundaries import boundary_cases
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import FIRST_IN_FORCE, shipped_rulesets

PLATFORM = "platform"
"""Who published what ships with the platform."""

_BEGINNING = date(2021, 1, 1)
"""From when the first ruleset is in force: before anything that the platform assesses."""

_STORE = sa.text(
    "INSERT INTO rulesets (id, status, revision, document, digest, boundary_cases, created_at, created_by, "
    "published_at, published_by) VALUES (:id, 'published', 1, cast(:document AS jsonb), :digest, "
    "cast(:cases AS jsonb), now(), :by, now(), :by) ON CONFLICT DO NOTHING"
)
_STORED = sa.text("SELECT coalesce(digest, 'a draft') FROM rulesets WHERE id = :id")
# two upgrades side by side must not both find it empty
_LOCK = sa.text("LOCK TABLE rulesets_in_force IN SHARE ROW EXCLUSIVE MODE")
_BEGIN = sa.text(
    "INSERT INTO rulesets_in_force (from_date, ruleset_id, set_at, set_by) SELECT :day, :id, now(), :by "
    "WHERE NOT EXISTS (SELECT FROM rulesets_in_force)"
)


class ShippedRulesetChanged(Exception):
    """A document of this release is not the one that its id was published with."""

    def __init__(self, number: str, shipped: str, stored: str | None) -> None:
        """`stored` is the digest that the database holds, or that it is a draft."""
        super().__init__(
            f"ruleset {number}: this release ships a document with the digest {shipped}, but the database holds "
            f"{stored} under this id, and a published ruleset never changes. A changed document needs an id "
            "of its own; run the release that this database was upgraded with, or one that ships the same document"
        )


async def load(connection: AsyncConnection) -> None:
    """Store the shipped rulesets that are not there, and put the first one in force if none ever was.

    Raises:
        ShippedRulesetChanged: one is there with another document.
    """
    for number, engine in shipped_rulesets().items():
        stored = await _stored(connection, number)
        if stored is None:
            await connection.execute(_STORE, _row(number, engine))
            stored = await _stored(connection, number)
        if stored != engine.digest:
            raise ShippedRulesetChanged(number, engine.digest, stored)
    await connection.execute(_LOCK)
    await connection.execute(_BEGIN, {"day": _BEGINNING, "id": FIRST_IN_FORCE, "by": PLATFORM})


async def _stored(connection: AsyncConnection, number: str) -> str | None:
    stored: str | None = await connection.scalar(_STORED, {"id": number})
    return stored


def _row(number: str, engine: Engine) -> dict[str, str]:
    return {
        "id": number,
        "document": orjson.dumps(engine.ruleset.as_json()).decode(),
        "digest": engine.digest,
        "cases": orjson.dumps(boundary_cases(engine)).decode(),
        "by": PLATFORM,
    }
