"""What a demonstration village is and has."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.facts import DataUse, FundingSource, Mechanisms, Poktan, ProfileFacts, Regulation
from deploy.demo.dice import Dice
from deploy.demo.plan import Planned

POKTAN = tuple(Poktan.model_fields)
_MEMBERS = (8, 24)
_BLANK_BESIDE_THE_SCORE = 0.15
"""Share of answers that no score asks for and that are left blank anyway."""


def draw_profile(village: Planned) -> ProfileFacts:
    """The whole profile, before anything is left blank: exactly as many of everything as the plan's spans allow."""
    dice, plan = village.dice_for("profile"), village.story
    facilities = dice.some(("secretariat", "rumah_dataku"), dice.between(plan.input.facilities))
    supports = dice.some(("plkb_companion", "local_regulation"), dice.between(plan.input.supports))
    regulation = "local_regulation" in supports
    facts = {
        **_pokja(dice, dice.between(plan.input.pokja)),
        "plkb_companion": "plkb_companion" in supports,
        "local_regulation": regulation,
        "regulations": dice.some(list(Regulation), dice.between((1, 2))) if regulation else [],
        "work_plan": _beside_the_score(dice, chance=0.5),
        "funding_sources": dice.some(list(FundingSource), dice.between(plan.input.funds)),
        "poktan": _chosen(POKTAN, dice.some(POKTAN, dice.between(plan.input.poktan))),
        "secretariat": "secretariat" in facilities,
        "rumah_dataku": "rumah_dataku" in facilities,
        "data_use": dice.some(list(DataUse), dice.between(plan.proses.data)),
        "mechanisms": _mechanisms(dice, plan.proses.mechanisms),
    }
    return ProfileFacts.model_validate(facts)


def _pokja(dice: Dice, steps: int) -> dict[str, bool | int | None]:
    """Steps of the pokja: 0 none, 1 exists, 2 also has members or was trained, 3 both (as `web-2021` counts them)."""
    if steps == 0:
        return {"pokja": False}
    only_trained = steps == 2 and dice.chance(0.2)  # noqa: PLR2004 - the step named above
    members = dice.between(_MEMBERS) if steps > 1 and not only_trained else None
    trained = only_trained or steps == 3  # noqa: PLR2004 - the step named above
    return {
        "pokja": True,
        "pokja_decree": _beside_the_score(dice, chance=0.8),
        "pokja_members": members,
        "pokja_trained": trained,
        "pokja_trained_members": dice.between((3, members)) if trained and members else None,
    }


def _mechanisms(dice: Dice, span: tuple[int, int]) -> dict[str, bool]:
    names = tuple(Mechanisms.model_fields)
    return _chosen(names, dice.some(names, dice.between(span)))


def _chosen(names: Iterable[str], chosen: list[str]) -> dict[str, bool]:
    return {name: name in chosen for name in names}


def _beside_the_score(dice: Dice, chance: float) -> bool | None:
    return None if dice.chance(_BLANK_BESIDE_THE_SCORE) else dice.chance(chance)
