"""Rules of a Kampung KB itself."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

PROGRAMME_BEGAN = date(2016, 1, 1)
"""First possible launch (pencanangan): rule of the Web Kampung KB form."""

SOUTH, NORTH = Decimal("-11.2"), Decimal("6.3")
WEST, EAST = Decimal("94.9"), Decimal("141.1")
"""Box around Indonesia, from Pulau Ndana to Pulau Rondo and from Pulau Benggala to the border with Papua New Guinea."""


def launch_problem(launch_date: date | None, launch_year: int | None, today: date) -> str | None:
    """What is wrong with a launch date or year, if anything."""
    if launch_date is not None and not PROGRAMME_BEGAN <= launch_date <= today:
        return "a Kampung KB was launched on or after 2016-01-01 and not in the future"
    if launch_year is not None and not PROGRAMME_BEGAN.year <= launch_year <= today.year:
        return "a Kampung KB was launched in 2016 or later and not in the future"
    if launch_date is not None and launch_year is not None and launch_date.year != launch_year:
        return "launch_year contradicts launch_date"
    return None


def coordinates_problem(latitude: Decimal | None, longitude: Decimal | None) -> str | None:
    """What is wrong with a pair of coordinates (degrees, WGS 84), if anything."""
    if (latitude is None) != (longitude is None):
        return "latitude and longitude come together or not at all"
    if latitude is None or longitude is None:
        return None
    if not (SOUTH <= latitude <= NORTH and WEST <= longitude <= EAST):
        return "this place is outside Indonesia; are latitude and longitude swapped?"
    return None
