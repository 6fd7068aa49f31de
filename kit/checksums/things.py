"""What a service holds, each thing as one canonical line of text that anybody can write: its name and its JSON.

Owner and projection write the same line out of the rows they store; here it is defined, the services say from which
columns. docs/following-changes.md tells it to clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, Text, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

Kind = Literal["village", "report", "intervention", "assessment", "determination"]

_EMPTY: ColumnElement[Any] = literal_column("'{}'::jsonb", JSONB)


@dataclass(frozen=True)
class Thing:
    """One kind of thing: its rows as two columns, `region_code` (the village's, or that of the region it is about) and `line`."""

    kind: Kind
    lines: Select[Any]


def villages(rows: Any, *conditions: Any, number: Any, name: Any, region_code: Any, status: Any) -> Thing:
    """`village/<id> {name, region_code, status}`."""
    document = func.jsonb_build_object("name", name, "region_code", region_code, "status", status)
    line = func.concat("village/", number, " ", _canonical(document))
    return _thing("village", rows, conditions, region_code, line)


def reports(
    rows: Any,
    *conditions: Any,
    village: Any,
    region_code: Any,
    kind: Any,
    period: Any,
    source: Any,
    revision: Any,
    facts: Any,
) -> Thing:
    """`report/<village>/<kind>/<period>/<source>@<revision> {facts}`."""
    line = func.concat(
        *("report/", village, "/", kind, "/", period, "/", source, "@", revision), " ", _canonical(facts)
    )
    return _thing("report", rows, conditions, region_code, line)


def interventions(
    rows: Any,
    *conditions: Any,
    number: Any,
    version: Any,
    region_code: Any,
    village: Any,
    date: Any,
    withdrawn: Any,
) -> Thing:
    """`intervention/<id>@<version> {date, village, withdrawn}`."""
    document = func.jsonb_build_object("date", date, "village", village, "withdrawn", withdrawn)
    line = func.concat("intervention/", number, "@", version, " ", _canonical(document))
    return _thing("intervention", rows, conditions, region_code, line)


def assessments(
    rows: Any,
    *conditions: Any,
    village: Any,
    version: Any,
    region_code: Any,
    village_class: Any,
    ruleset_digest: Any,
) -> Thing:
    """`assessment/<village>@<version> {class, ruleset_digest}`."""
    document = func.jsonb_build_object("class", village_class, "ruleset_digest", ruleset_digest)
    line = func.concat("assessment/", village, "@", version, " ", _canonical(document))
    return _thing("assessment", rows, conditions, region_code, line)


def determinations(rows: Any, *, number: Any, region_code: Any, digest: Any) -> Thing:
    """`determination/<id> {digest}`; the digest covers all of it."""
    line = func.concat("determination/", number, " ", _canonical(func.jsonb_build_object("digest", digest)))
    return _thing("determination", rows, (), region_code, line)


def _thing(kind: Kind, rows: Any, conditions: tuple[Any, ...], region_code: Any, line: ColumnElement[str]) -> Thing:
    return Thing(kind, select(region_code, line.label("line")).select_from(rows).where(*conditions))


def _canonical(document: Any) -> ColumnElement[str]:
    """PostgreSQL's text of an object without nulls at any depth, then without members that are empty objects.

    An empty group must go, because a group that a later release adds is missing in what was stored before, and empty
    in what was read from an older event. Groups lie one level deep.
    """
    each = func.jsonb_each(func.jsonb_strip_nulls(document)).table_valued("key", "value").render_derived()
    kept = select(func.jsonb_object_agg(each.c.key, each.c.value)).where(each.c.value != _EMPTY)
    return cast(func.coalesce(kept.scalar_subquery(), _EMPTY), Text)
