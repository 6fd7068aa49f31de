"""Tables of the class counts room."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Text
from sqlmodel import Field

from services.scoring.orm import ScoringTable


class ClassTally(ScoringTable, table=True):
    """By how much a statement changed the number of active villages of one class in one regency; None: not assessable.

    Only the sums mean something. A trigger on `assessments` appends the rows, so writers never wait for each other
    here; now and then they are replaced by their sums. completeness_50 counts the villages from 50 % to below 80 %.
    """

    __tablename__ = "class_tallies"

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    regency_code: str = Field(sa_type=Text(collation="C"))
    village_class: str | None
    villages: int
    simulated: int
    without_reports: int
    completeness_0: int
    completeness_1: int
    completeness_50: int
    completeness_80: int
    completeness_100: int
