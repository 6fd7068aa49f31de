"""Which official region does a written name mean? Pure: no I/O, no clock, no similarity.

In this order, and never by likeness: the official name (case, spacing, line breaks and punctuation aside), an alias
remembered earlier, a known abbreviation spelled out, the four-digit KODE of the row or of a sibling table that writes
the same names. What none of them settles stays unresolved, with a reason.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from services.registry.aliases.abbreviations import ABBREVIATIONS, REGENCY_WORDS

_SEPARATORS: Final = re.compile(r"[\W_]+")
_KODE: Final = re.compile(r"[0-9]{4}", re.ASCII)
_MOST_READINGS: Final = 64
_MOST_SHOWN: Final = 80
_MOST_LETTERS: Final = 150
"""No official name has even half as many letters; a longer cell holds something else."""


class How(StrEnum):
    """How a written name was settled."""

    NAME = "name"
    ABBREVIATION = "abbreviation"
    KODE = "kode"


class PlaceReason(StrEnum):
    """Why a written place is not resolved."""

    NAME_MISSING = "name_missing"
    NAME_TOO_LONG = "name_too_long"
    PROVINCE_OUTSIDE = "province_outside"
    REGENCY_UNKNOWN = "regency_unknown"
    DISTRICT_UNKNOWN = "district_unknown"
    VILLAGE_UNKNOWN = "village_unknown"
    VILLAGE_AMBIGUOUS = "village_ambiguous"
    KODE_INVALID = "kode_invalid"
    KODE_UNKNOWN = "kode_unknown"
    KODE_DISAGREES = "kode_disagrees"
    KODE_CONTRADICTORY = "kode_contradictory"


class WrittenPlace(NamedTuple):
    """A village as a table writes it; `kode` is the last four digits of its code, "" where the table has none."""

    province: str
    regency: str
    district: str
    village: str
    kode: str = ""


class Placed(NamedTuple):
    """A resolved place: the village's code (dotted), how it was settled, and whether an earlier import knew it."""

    code: str
    how: How = How.NAME
    remembered: bool = False


class Unplaced(NamedTuple):
    """An unresolved place: why, and the sentence an officer reads (Indonesian)."""

    reason: PlaceReason
    detail: str


class KnownAlias(NamedTuple):
    """An alias remembered from an earlier import."""

    code: str
    how: How


class Step(NamedTuple):
    """One level found: the code of the region, and whether an abbreviation had to be spelled out."""

    code: str
    how: How


def words(name: str) -> str:
    """Upper-case words separated by one space: case, spacing, line breaks and punctuation do not count."""
    return _SEPARATORS.sub(" ", name).strip().upper()


def compact(name: str) -> str:
    """The words without any space: `BUNTUMALANGK A` and `Buntumalangka` are one name broken over two lines."""
    return words(name).replace(" ", "")


def regency_words(name: str) -> str:
    """Words of a regency's name without KABUPATEN, which SIGA leaves out. KOTA stays."""
    first, _, rest = words(name).partition(" ")
    return rest if first in REGENCY_WORDS and rest else words(name)


def place_key(place: WrittenPlace) -> str:
    """Key under which an alias is remembered: the four names, normalised. The KODE is not part of it."""
    names = (words(place.province), regency_words(place.regency), words(place.district), words(place.village))
    return "/".join(name.replace(" ", "") for name in names)


def readings(name: str) -> set[str]:
    """All ways to spell out the abbreviations in normalised words, without spaces; empty where there are none."""
    parts = [ABBREVIATIONS.get(word, (word,)) for word in name.split(" ")]
    if all(word in choices for word, choices in zip(name.split(" "), parts, strict=True)):
        return set()
    every = itertools.islice(itertools.product(*parts), _MOST_READINGS)
    return {"".join(choice).replace(" ", "") for choice in every}


class _Names:
    """The regions below one parent, by name."""

    def __init__(self) -> None:
        self.by_words: dict[str, set[str]] = defaultdict(set)
        self.by_letters: dict[str, set[str]] = defaultdict(set)
        self.by_reading: dict[str, set[str]] = defaultdict(set)

    def add(self, code: str, name: str) -> None:
        letters = name.replace(" ", "")
        self.by_words[name].add(code)
        self.by_letters[letters].add(code)
        for reading in readings(name) | {letters}:
            self.by_reading[reading].add(code)

    def find(self, name: str) -> set[str]:
        """Codes with this name: first word by word, then with spaces aside."""
        return self.by_words.get(name) or self.by_letters.get(name.replace(" ", ""), set())

    def find_spelled_out(self, name: str) -> set[str]:
        found: set[str] = set()
        for reading in readings(name) | {name.replace(" ", "")}:
            found |= self.by_reading.get(reading, set())
        return found


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """The official regions of one province, ready for look-up by name.

    `villages` holds every official village code; `below` maps a parent's code to the names of its children.
    """

    province: str
    villages: frozenset[str]
    names: Mapping[str, str]
    below: Mapping[str, _Names]

    @classmethod
    def of(cls, regions: Iterable[tuple[str, str]]) -> Gazetteer:
        """Build it from (dotted code, official name) of one province and everything below it.

        Raises:
            ValueError: if there is not exactly one province among them.
        """
        names = dict(regions)
        provinces = [code for code in names if "." not in code]
        if len(provinces) != 1:
            raise ValueError("a gazetteer covers exactly one province")
        below: dict[str, _Names] = defaultdict(_Names)
        for code, name in names.items():
            parent = code.rpartition(".")[0]
            below[parent].add(code, regency_words(name) if parent == provinces[0] else words(name))
        villages = frozenset(code for code in names if code.count(".") == _VILLAGE_DOTS)
        return cls(provinces[0], villages, names, below)

    def step(self, parent: str, name: str) -> Step | None:
        """The one child of `parent` with this name, or none: several equal names settle nothing here."""
        children = self.below.get(parent)
        if children is None:
            return None
        for found, how in ((children.find(name), How.NAME), (children.find_spelled_out(name), How.ABBREVIATION)):
            if len(found) == 1:
                return Step(next(iter(found)), how)
            if found:
                return None
        return None

    def same_named(self, district: str, name: str) -> set[str]:
        """All villages of a district with this name, abbreviations spelled out where the name itself is unknown."""
        children = self.below.get(district)
        return (children.find(name) or children.find_spelled_out(name)) if children else set()


_VILLAGE_DOTS: Final = 3


class Resolver:
    """Resolves the places of one import; knows the KODE of all its tables before it decides about any."""

    def __init__(self, gazetteer: Gazetteer, known: Mapping[str, KnownAlias], places: Iterable[WrittenPlace]) -> None:
        """Take the official regions, the aliases remembered so far and every distinct place of all tables."""
        self._gazetteer = gazetteer
        self._known = known
        self._kodes: dict[str, set[str]] = defaultdict(set)
        for place in places:
            kode = place.kode.strip()
            if _KODE.fullmatch(kode):
                self._kodes[place_key(place)].add(kode)

    def resolve(self, place: WrittenPlace) -> Placed | Unplaced:
        """Settle one place: official name, remembered alias, abbreviation, KODE; else the reason."""
        for column, name in zip(("PROVINSI", "KABUPATEN", "KECAMATAN", "KELURAHAN"), place, strict=False):
            if not words(name):
                return Unplaced(PlaceReason.NAME_MISSING, f"kolom {column} kosong")
            if len(name) > _MOST_LETTERS:
                detail = f'kolom {column} berisi {len(name)} huruf: "{shown(name)}"'
                return Unplaced(PlaceReason.NAME_TOO_LONG, detail)
        kode = place.kode.strip()
        if kode and not _KODE.fullmatch(kode):
            detail = f'KODE "{shown(kode)}" bukan empat angka terakhir kode desa/kelurahan'
            return Unplaced(PlaceReason.KODE_INVALID, detail)
        return self._agreeing(self._settle(place, kode), place, kode)

    def _settle(self, place: WrittenPlace, kode: str) -> Placed | Unplaced:
        by_name = self._by_name(place)
        if isinstance(by_name, Placed) and by_name.how is How.NAME:
            return by_name
        known = self._known.get(place_key(place))
        if known and known.code in self._gazetteer.villages:
            return Placed(known.code, known.how, remembered=True)
        if isinstance(by_name, _Within):
            return self._by_kode(place, kode, by_name)
        return by_name

    def _by_name(self, place: WrittenPlace) -> Placed | Unplaced | _Within:
        province = self._gazetteer.province
        if not self._is_province(words(place.province)):
            official = self._gazetteer.names[province]
            detail = f'PROVINSI "{shown(place.province)}" bukan provinsi impor ini ({official})'
            return Unplaced(PlaceReason.PROVINCE_OUTSIDE, detail)
        regency = self._gazetteer.step(province, regency_words(place.regency))
        if regency is None:
            detail = f'KABUPATEN "{shown(place.regency)}" tidak dikenal di {self._gazetteer.names[province]}'
            return Unplaced(PlaceReason.REGENCY_UNKNOWN, detail)
        district = self._gazetteer.step(regency.code, words(place.district))
        if district is None:
            official = self._gazetteer.names[regency.code]
            detail = f'KECAMATAN "{shown(place.district)}" tidak dikenal di {official}'
            return Unplaced(PlaceReason.DISTRICT_UNKNOWN, detail)
        village = self._gazetteer.step(district.code, words(place.village))
        if village is None:
            return _Within(district.code)
        steps = (regency.how, district.how, village.how)
        return Placed(village.code, How.ABBREVIATION if How.ABBREVIATION in steps else How.NAME)

    def _is_province(self, name: str) -> bool:
        official = words(self._gazetteer.names[self._gazetteer.province]).replace(" ", "")
        return official in readings(name) | {name.replace(" ", "")}

    def _by_kode(self, place: WrittenPlace, kode: str, within: _Within) -> Placed | Unplaced:
        same_named = self._gazetteer.same_named(within.district, words(place.village))
        siblings = self._kodes.get(place_key(place), set())
        if same_named:
            return _one_of_same_named(place, kode, siblings, same_named)
        official = self._gazetteer.names[within.district]
        if len(siblings) > 1:
            listed = ", ".join(sorted(siblings))
            detail = f'KELURAHAN "{shown(place.village)}" tertulis dengan beberapa KODE ({listed})'
            return Unplaced(PlaceReason.KODE_CONTRADICTORY, detail)
        if not siblings:
            detail = f'KELURAHAN "{shown(place.village)}" tidak dikenal di Kecamatan {official} dan tanpa KODE'
            return Unplaced(PlaceReason.VILLAGE_UNKNOWN, detail)
        (settled,) = siblings
        code = f"{within.district}.{settled}"
        if code not in self._gazetteer.villages:
            detail = f'KELURAHAN "{shown(place.village)}" dan KODE {settled} tidak dikenal di Kecamatan {official}'
            return Unplaced(PlaceReason.KODE_UNKNOWN, detail)
        return Placed(code, How.KODE)

    def _agreeing(self, settled: Placed | Unplaced, place: WrittenPlace, kode: str) -> Placed | Unplaced:
        """Refuse a row whose KODE names another village than its name does: one of the two is wrong, none is guessed."""
        if isinstance(settled, Unplaced) or not kode or settled.code.endswith(f".{kode}"):
            return settled
        detail = f'KODE {kode} tidak cocok dengan KELURAHAN "{shown(place.village)}" (kode resmi {settled.code})'
        return Unplaced(PlaceReason.KODE_DISAGREES, detail)


class _Within(NamedTuple):
    """The district is known, the village's name is not, or is there twice."""

    district: str


def _one_of_same_named(place: WrittenPlace, kode: str, siblings: set[str], same_named: set[str]) -> Placed | Unplaced:
    """A desa and a kelurahan can share one name (14.07.06 Panipahan); only the KODE tells them apart."""
    wanted = {kode} if kode else siblings
    found = {code for code in same_named if code.rpartition(".")[2] in wanted}
    if len(found) == 1:
        return Placed(found.pop(), How.NAME)
    listed = ", ".join(sorted(same_named))
    detail = f'KELURAHAN "{shown(place.village)}" ada lebih dari satu di kecamatan ini ({listed}); perlu KODE'
    return Unplaced(PlaceReason.VILLAGE_AMBIGUOUS, detail)


def shown(text: str) -> str:
    """A value as it may stand in a sentence: one line, at most 80 characters."""
    line = " ".join(text.split())
    return line if len(line) <= _MOST_SHOWN else f"{line[:_MOST_SHOWN]}…"
