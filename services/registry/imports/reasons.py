"""Why a table or a row was not taken, as closed families: a code for programs, an Indonesian sentence for officers."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class TableProblem(StrEnum):
    """Why a whole table cannot be read."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    BAD_GZIP = "bad_gzip"
    NOT_CSV = "not_csv"
    NOT_UTF8 = "not_utf8"
    COLUMN_MISSING = "column_missing"
    COLUMN_DOUBLE = "column_double"
    UNKNOWN_TABLE = "unknown_table"
    AMBIGUOUS_TABLE = "ambiguous_table"


class RowReason(StrEnum):
    """Why a row was rejected or left out. Place reasons of the alias rules stand beside these with their own codes."""

    NOT_UTF8 = "not_utf8"
    UNREADABLE = "unreadable"
    CELL_COUNT = "cell_count"
    MONTH_MISSING = "month_missing"
    MONTH_UNKNOWN = "month_unknown"
    PERIOD_UNKNOWN = "period_unknown"
    OUTSIDE_YEAR = "outside_year"
    FUTURE_MONTH = "future_month"
    DECIMAL = "decimal"
    NEGATIVE = "negative"
    NOT_A_NUMBER = "not_a_number"
    IMPOSSIBLE_SIZE = "impossible_size"
    OUTSIDE_REGION = "outside_region"
    CONTRADICTORY = "contradictory"
    DUPLICATE_ROW = "duplicate_row"
    NO_KAMPUNG_KB = "no_kampung_kb"
    KAMPUNG_KB_INACTIVE = "kampung_kb_inactive"
    KIND_NOT_USED = "kind_not_used"
    NO_MONTH = "no_month"


class RowStatus(StrEnum):
    """What became of a row. Every row read has exactly one; their counts add up to the rows read."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    REJECTED = "rejected"


SKIPPING = frozenset(
    {
        RowReason.DUPLICATE_ROW,
        RowReason.NO_KAMPUNG_KB,
        RowReason.KAMPUNG_KB_INACTIVE,
        RowReason.KIND_NOT_USED,
        RowReason.NO_MONTH,
    }
)
"""Reasons for which a correct row is left out without being wrong."""


class Refusal(NamedTuple):
    """Why a table cannot be read: code, Indonesian sentence, and where it applies the missing columns."""

    problem: TableProblem
    detail: str
    missing: tuple[str, ...] = ()
