"""Conditions that every store needs: which region, which village."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, true
from sqlalchemy.orm import Mapped

from contracts.regions import parse_region_code
from kit.problems import Invalid


def subtree(column: Mapped[Any], region: str | None) -> ColumnElement[bool]:
    """Condition that a column of region codes lies in a region; always true where the region is the whole country."""
    if region is None:
        return true()
    return or_(column == region, column.startswith(region + ".", autoescape=True))


def village_reference(reference: str, pointer: str = "path:village") -> UUID | str:
    """What a client calls a village by: its id, or the region code of its desa.

    Raises:
        Invalid: it is neither; the pointer says where it stands in the request.
    """
    try:
        return UUID(reference)
    except ValueError:
        pass
    try:
        return parse_region_code(reference)
    except ValueError as error:
        raise Invalid(str(error), errors=[{"pointer": pointer, "detail": str(error)}]) from error
