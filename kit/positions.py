"""A set of positions, a bit each: a hundred thousand events take 12 kB."""

from __future__ import annotations

_WHOLE = 0xFF


class Positions:
    """Which positions of a feed were seen."""

    def __init__(self) -> None:
        self._bits = bytearray()
        self.newest = 0
        """The highest position seen; 0 when none was."""

    def add(self, position: int) -> None:
        """Note a position, from 1 on."""
        if position < 1:
            return
        place = position >> 3
        if place >= len(self._bits):
            self._bits.extend(bytes(max(place + 1 - len(self._bits), len(self._bits))))
        self._bits[place] |= 1 << (position & 7)
        self.newest = max(self.newest, position)

    def __contains__(self, position: int) -> bool:
        place = position >> 3
        return place < len(self._bits) and bool(self._bits[place] & 1 << (position & 7))

    def first_gap(self, first: int, last: int) -> int | None:
        """The lowest position from `first` to `last` that was not seen; None where there is none."""
        position = first
        while position <= last:
            if not position & 7 and position >> 3 < len(self._bits) and self._bits[position >> 3] == _WHOLE:
                position += 8
            elif position in self:
                position += 1
            else:
                return position
        return None
