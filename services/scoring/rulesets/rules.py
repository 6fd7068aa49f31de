"""Pure rules about rulesets: digest, spans, bands, class matrix. Whole numbers only, so nothing here can be rounded.

A value of a formula is counted in units of its own grid: with `decimals` 0 the unit is one, with 1 a tenth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Any

from contracts.canonical import canonical


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a ruleset document: where (JSON pointer) and what, in Indonesian."""

    pointer: str
    detail: str


@dataclass(frozen=True)
class Span:
    """The values a formula can reach: every multiple of 10**-decimals from low to high, both included, in units.

    `high` None means without upper end. Below `low` nothing is reachable from plausible facts, but `web-2021` also
    scores implausible ones, so a first band may be open below.
    """

    low: int
    high: int | None
    decimals: int = 0

    @property
    def unit(self) -> Decimal:
        return Decimal(1).scaleb(-self.decimals)


@dataclass(frozen=True)
class BandEdges:
    """One band in the units of its span, both ends included; None is an open end."""

    low: int | None
    high: int | None
    score: int


def canonical_digest(document: Any) -> str:
    """SHA-256 (hex) of the document as canonical JSON in UTF-8."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def in_units(value: Decimal, decimals: int) -> int | None:
    """The value in units of 10**-decimals, or None where it lies between two of them."""
    units = value.scaleb(decimals)
    return int(units) if units == units.to_integral_value() else None


def band_problems(bands: Sequence[BandEdges], span: Span) -> Iterator[Problem]:
    """Gaps, overlaps and missing ends of bands given from the lowest to the highest value.

    Pointers are relative to the list of bands.
    """
    first, last = bands[0], bands[-1]
    if first.low is not None and first.low > span.low:
        yield Problem(
            "/0/from", f"Nilai {_shown(span.low, span)} sampai di bawah pita pertama tidak masuk pita mana pun"
        )
    if last.high is not None and (span.high is None or last.high < span.high):
        end = "tanpa batas atas" if span.high is None else f"sampai {_shown(span.high, span)}"
        yield Problem(f"/{len(bands) - 1}/to", f"Nilai dapat {end}, tetapi pita terakhir berakhir lebih awal")
    for place, band in enumerate(bands):
        if band.low is not None and band.high is not None and band.low > band.high:
            yield Problem(f"/{place}", "Awal pita lebih besar daripada akhirnya")
        elif _outside(band, span):
            reach = f"{_shown(span.low, span)} " + (
                "ke atas" if span.high is None else f"sampai {_shown(span.high, span)}"
            )
            yield Problem(f"/{place}", f"Pita tidak pernah tercapai: nilai yang mungkin hanya {reach}")
    yield from _seam_problems(bands, span)


def _outside(band: BandEdges, span: Span) -> bool:
    below = band.high is not None and band.high < span.low
    return below or (span.high is not None and band.low is not None and band.low > span.high)


def _seam_problems(bands: Sequence[BandEdges], span: Span) -> Iterator[Problem]:
    for place, (lower, upper) in enumerate(pairwise(bands), start=1):
        if lower.high is None or upper.low is None:
            yield Problem(f"/{place}", "Hanya pita pertama boleh terbuka ke bawah dan pita terakhir ke atas")
        elif upper.low > lower.high + 1:
            gap = f"{_shown(lower.high + 1, span)} sampai {_shown(upper.low - 1, span)}"
            yield Problem(f"/{place}/from", f"Ada celah: nilai {gap} tidak masuk pita mana pun")
        elif upper.low <= lower.high:
            both = f"{_shown(upper.low, span)} sampai {_shown(lower.high, span)}"
            yield Problem(f"/{place}/from", f"Pita bertumpang tindih: nilai {both} masuk dua pita")


def _shown(units: int, span: Span) -> str:
    return as_written(Decimal(units).scaleb(-span.decimals))


def as_written(value: Decimal) -> str:
    """A number as Indonesians write it, with a decimal comma."""
    return str(value).replace(".", ",")


def direction_problems(bands: Sequence[BandEdges], *, higher_is_better: bool) -> Iterator[Problem]:
    """Scores that do not follow the indicator's direction from band to band."""
    for place, (lower, upper) in enumerate(pairwise(bands), start=1):
        rising = upper.score > lower.score
        if rising != higher_is_better or upper.score == lower.score:
            yield Problem(f"/{place}/score", "Skor tidak berubah searah dengan arah indikator")


def matrix_problems(
    rows: Sequence[tuple[Collection[str], str]], dimensions: Sequence[str], classes: Sequence[str]
) -> Iterator[Problem]:
    """Combinations classified twice or never, names that do not exist, classes nothing leads to.

    Pointers are relative to the list of rows.
    """
    seen: set[frozenset[str]] = set()
    for place, (met, name) in enumerate(rows):
        combination = frozenset(met)
        if unknown := sorted(combination - set(dimensions)):
            yield Problem(f"/{place}/met", f"Dimensi tidak dikenal: {', '.join(unknown)}")
        if name not in classes:
            yield Problem(f"/{place}/class", f"Kelas tidak dikenal: {name}")
        if combination in seen:
            yield Problem(f"/{place}/met", "Kombinasi ini sudah diberi kelas pada baris lain")
        seen.add(combination)
    for combination in all_combinations(dimensions):
        if combination not in seen:
            named = ", ".join(sorted(combination)) or "tidak satu pun terpenuhi"
            yield Problem("", f"Kombinasi belum diberi kelas: {named}")
    for name in classes:
        if name not in {given for _, given in rows}:
            yield Problem("", f"Kelas {name} tidak pernah tercapai")
    yield from _order_problems(rows, classes)


def _order_problems(rows: Sequence[tuple[Collection[str], str]], classes: Sequence[str]) -> Iterator[Problem]:
    """Classes are listed from the lowest to the highest: meeting more must never give a lower one."""
    rank = {name: place for place, name in enumerate(classes)}
    ranked = [(place, frozenset(met), rank[name]) for place, (met, name) in enumerate(rows) if name in rank]
    for place, met, own in ranked:
        fewer = [other for _, less, other in ranked if less < met and other > own]
        if fewer:
            detail = f"Memenuhi lebih banyak dimensi memberi kelas yang lebih rendah daripada {classes[max(fewer)]}"
            yield Problem(f"/{place}/class", detail)


@dataclass(frozen=True)
class ScoreRange:
    """Lowest and highest score of an indicator, its weight, and whether it can be without a score."""

    low: int
    high: int
    weight: Decimal
    left_out: bool = False


_MOST_WEIGHT = 10**12
"""Weights as whole numbers add up to less, so that a weighted mean with four decimals fits 64 bits."""


def too_many_digits(weights: Sequence[Decimal]) -> bool:
    """Whether weights are too large or too fine for whole-number arithmetic of 64 bits."""
    return sum(common_weights(weights)) >= _MOST_WEIGHT


def index_range(
    scores: Sequence[ScoreRange], decimals: int, *, half_up: bool, skipping: bool
) -> tuple[Decimal, Decimal]:
    """Lowest and highest index that indicators of these scores can give together, rounded as the index is.

    `skipping`: indicators without a score are left out of the mean, so it may rest on the extreme ones alone.
    """
    weights = common_weights([one.weight for one in scores])
    ends = []
    for sign, chosen in ((-1, [one.low for one in scores]), (1, [one.high for one in scores])):
        kept = sorted(zip(chosen, weights, scores, strict=True), key=lambda one: (one[2].left_out, -sign * one[0]))
        total = weight = 0
        for score, own, part in kept:
            # An indicator that may be left out counts only where it takes the mean further.
            if skipping and part.left_out and weight and sign * (score * weight - total) <= 0:
                continue
            total, weight = total + score * own, weight + own
        ends.append(Decimal(_rounded_quotient(total * 10**decimals, weight, half_up=half_up)).scaleb(-decimals))
    return ends[0], ends[1]


def _rounded_quotient(numerator: int, divisor: int, *, half_up: bool) -> int:
    whole, rest = divmod(numerator, divisor)
    twice = 2 * rest - divisor
    return whole + int(twice > 0 or (twice == 0 and (half_up or whole % 2 == 1)))


def threshold_problem(threshold: Decimal, lowest: Decimal, highest: Decimal) -> str | None:
    """A threshold that no village can reach, or that every village reaches."""
    if highest < threshold:
        return (
            f"Ambang {as_written(threshold)} tidak pernah tercapai: indeks tertinggi yang mungkin {as_written(highest)}"
        )
    if lowest >= threshold:
        return f"Ambang {as_written(threshold)} selalu terpenuhi: indeks terendah yang mungkin {as_written(lowest)}"
    return None


def reach_problems(
    rows: Sequence[tuple[Collection[str], str]], reached: Mapping[str, tuple[bool, bool]], classes: Sequence[str]
) -> Iterator[Problem]:
    """Classes that no attainable combination leads to.

    `reached` says of each dimension whether its threshold can be missed and whether it can be met.
    """
    possible = {name for met, name in rows if all(can[code in met] for code, can in reached.items())}
    for name in classes:
        if name not in possible:
            yield Problem("", f"Kelas {name} tidak dapat dicapai dengan indeks yang mungkin")


def all_combinations(names: Sequence[str]) -> Iterator[frozenset[str]]:
    """Every subset of the names, the empty one first."""
    for size in range(len(names) + 1):
        for chosen in combinations(names, size):
            yield frozenset(chosen)


def repeated(names: Iterable[str]) -> list[str]:
    """Names that occur more than once, each once, in order of their second occurrence."""
    seen: set[str] = set()
    again: dict[str, None] = {}
    for name in names:
        if name in seen:
            again[name] = None
        seen.add(name)
    return list(again)


def common_weights(weights: Sequence[Decimal]) -> list[int]:
    """Weights as whole numbers in the same proportions, so that a weighted mean stays exact."""
    places = max(0, *(-int(weight.as_tuple().exponent) for weight in weights))
    return [int(weight.scaleb(places)) for weight in weights]
