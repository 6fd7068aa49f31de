"""Kemendagri region codes: how they are written, read and related.

Source: Kepmendagri 300.2.2-2138/2025 (code list); Permendagri 137/2017 (structure). A code has one to four parts,
province 2 digits, regency or city 2, district 2, village 4, the village part beginning with 1 (kelurahan), 2 (desa)
or 3 (desa adat).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_DOTTED = re.compile(r"\d{2}(\.\d{2}(\.\d{2}(\.[123]\d{3})?)?)?")
_PART_ENDS = {2: (2,), 4: (2, 4), 6: (2, 4, 6), 10: (2, 4, 6, 10)}
_BPS_LENGTHS = (7, 13, 14)


class RegionLevel(StrEnum):
    """The four levels of the code list."""

    PROVINCE = "province"
    REGENCY = "regency"
    DISTRICT = "district"
    VILLAGE = "village"


LEVELS = tuple(RegionLevel)
"""Levels from the highest to the lowest; the index is the number of dots in a code."""


def level_of(code: str) -> RegionLevel:
    """Level of a dotted code."""
    return LEVELS[code.count(".")]


def parent_of(code: str) -> str | None:
    """Code one level up; None for a province."""
    return code.rpartition(".")[0] or None


def ancestors_of(code: str) -> list[str]:
    """The code itself and all above it, highest first: 76.02 -> [76, 76.02]."""
    parts = code.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


def common_region(regions: Iterable[str | None]) -> str | None:
    """The smallest region that holds all of these; None is the whole country."""
    ancestors = [[] if region is None else ancestors_of(region) for region in regions]
    shared = set(ancestors[0]).intersection(*ancestors[1:]) if ancestors else set[str]()
    return max(shared, key=len, default=None)


def is_within(code: str, subtree: str | None) -> bool:
    """Whether a code lies in a subtree; None is the whole country."""
    return subtree is None or code == subtree or code.startswith(subtree + ".")


def parse_region_code(value: Any) -> str:
    """Read a code written dotted (76.02.03.2007) or as bare digits (7602032007); return it dotted.

    Raises:
        ValueError: with a sentence that says what is wrong; nothing is guessed or padded.
    """
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - pydantic turns ValueError into a pointer to the field
            "a region code is text: as a number it loses zeros (11.10 becomes 11.1, another place)"
        )
    text = value.strip()
    dotted = text if "." in text else _with_dots(text)
    if not _DOTTED.fullmatch(dotted):
        raise ValueError(_why_not(text))
    return dotted


def _with_dots(digits: str) -> str:
    ends = _PART_ENDS.get(len(digits), (len(digits),))
    return ".".join(digits[start:end] for start, end in zip((0, *ends), ends, strict=False))


def _why_not(text: str) -> str:
    digits = text.replace(".", "")
    if not digits.isdigit() or not digits.isascii():
        return "a Kemendagri region code has digits and dots only, such as 33.26 or 33.26.01.2001"
    if "." not in text and len(digits) in _BPS_LENGTHS:
        return "this looks like a BPS code; BPS and Kemendagri codes name different places, give the Kemendagri code"
    if len(digits) == 10:  # noqa: PLR2004 - a whole village code
        return (
            "the village part of a Kemendagri code begins with 1 (kelurahan), 2 (desa) or 3 (desa adat); "
            "a BPS code also has 10 digits but names other places"
        )
    return "a Kemendagri region code has parts of 2, 2, 2 and 4 digits (33.26.01.2001); no digit is added or guessed"


RegionCode = Annotated[
    str,
    BeforeValidator(parse_region_code),
    Field(
        description="Kemendagri region code, dotted (33.26.01.2001) or bare digits",
        examples=["33.26.01.2001"],
        min_length=2,
        max_length=13,
    ),
]


class InvalidPeriod(ValueError):
    """A period that is not a calendar month."""


def parse_period(value: Any) -> str:
    """Read a calendar month YYYY-MM from 2016-01 on (the programme began in 2016)."""
    if not isinstance(value, str) or not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", value):
        raise InvalidPeriod("a period is a calendar month written YYYY-MM, such as 2025-09")
    if value < "2016-01":
        raise InvalidPeriod("the programme began in January 2016; earlier periods do not exist")
    return value


Period = Annotated[
    str,
    BeforeValidator(parse_period),
    Field(description="Calendar month, YYYY-MM", examples=["2025-09"], min_length=7, max_length=7),
]
