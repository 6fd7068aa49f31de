"""Who lives in a demonstration village."""

from __future__ import annotations

from contracts.facts import AGE_BANDS, AgeBand, PopulationFacts
from deploy.demo.dice import Dice
from deploy.demo.plan import Planned

FEWEST_COUPLES = 180
"""With this many couples a percentage of PUS is less than 0.3 points beside the plan, so it rounds to it exactly."""

_DESA, _KELURAHAN = (330, 1_500), (800, 2_600)
_PEOPLE_BY_BAND = (8.0, 8.3, 8.2, 8.0, 8.0, 7.9, 7.6, 7.4, 7.2, 6.6, 6.0, 5.1, 4.1, 3.1, 2.0, 2.5)
"""Percent of all people in each of the 16 bands: the broad shape of Indonesia's age pyramid."""


def draw_population(village: Planned) -> PopulationFacts:
    """Family counters and people by age and sex that fit a desa, or a larger kelurahan, and each other."""
    dice = village.dice_for("population")
    families = _families(dice, is_kelurahan=village.code[9] == "1")
    bands = _age_bands(dice, round(families * dice.share(3.0, 3.5)))
    young = sum((band.male or 0) + (band.female or 0) for band in bands[2:5])  # 10 to 24 years
    return PopulationFacts(
        families=families,
        pus=max(FEWEST_COUPLES, round(families * dice.share(0.56, 0.68))),
        adolescents=round(young * dice.share(0.55, 0.65)),
        families_with_under_fives=round(families * dice.share(0.18, 0.27)),
        families_with_adolescents=round(families * dice.share(0.30, 0.42)),
        families_with_elderly=round(families * dice.share(0.20, 0.34)),
        age_bands=bands,
    )


def people_of(population: PopulationFacts) -> int:
    """People of all ages of a drawn population, which has every cell."""
    return sum((band.male or 0) + (band.female or 0) for band in population.age_bands or ())


def _families(dice: Dice, *, is_kelurahan: bool) -> int:
    """Most villages are small, a few are large."""
    low, high = _KELURAHAN if is_kelurahan else _DESA
    return low + round((high - low) * dice.share(0, 1) ** 2)


def _age_bands(dice: Dice, people: int) -> list[AgeBand]:
    male = round(people * dice.share(0.495, 0.51))
    by_sex = (dice.split(male, _PEOPLE_BY_BAND), dice.split(people - male, _PEOPLE_BY_BAND))
    return [AgeBand(band=band, male=m, female=f) for band, m, f in zip(AGE_BANDS, *by_sex, strict=True)]
