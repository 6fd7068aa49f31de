"""Participation in poktan, users by method and non-users by reason of a demonstration village."""

from __future__ import annotations

from contracts.facts import FamilyPlanningFacts, PopulationFacts
from deploy.demo.dice import Dice
from deploy.demo.plan import OutputPlan, Planned
from deploy.demo.population import people_of
from deploy.demo.profile import POKTAN

_LONG_ACTING = {"implant": 0.50, "iud": 0.30, "mow": 0.17, "mop": 0.03}
_SHORT_ACTING = {"injection": 0.72, "pill": 0.20, "condom": 0.08}
_UNMET = {"wants_child_later": 0.45, "wants_no_more": 0.55}
_OTHER_REASONS = {"pregnant": 0.2, "wants_child_soon": 0.8}
_TARGETS = {
    "bkb": "families_with_under_fives",
    "bkr": "families_with_adolescents",
    "bkl": "families_with_elderly",
    "uppka": "families",
    "pik_r": "adolescents",
}
"""Poktan and the population counter its participants are part of."""


def draw_family_planning(village: Planned, population: PopulationFacts, groups: tuple[str, ...]) -> FamilyPlanningFacts:
    """Numbers that come to the plan's percentages and add up to the couples; `groups` are the poktan that meet."""
    dice, plan = village.dice_for("family_planning"), village.story.output
    assert population.pus is not None
    users = _percent(population.pus, dice.between(plan.users))
    long_acting = _percent(users, dice.between(plan.long_acting))
    unmet = _percent(population.pus, dice.between(plan.unmet))
    methods = _parts(dice, long_acting, _LONG_ACTING) | _parts(dice, users - long_acting, _SHORT_ACTING)
    others = population.pus - users - unmet
    facts = {
        "poktan_participants": _participants(dice, plan, population, groups),
        "methods": methods,
        "non_users": _parts(dice, unmet, _UNMET) | _parts(dice, others, _OTHER_REASONS),
        "bpjs_users": round(people_of(population) * dice.share(0.6, 0.9)) if dice.chance(0.6) else None,
    }
    return FamilyPlanningFacts.model_validate(facts)


def _participants(
    dice: Dice, plan: OutputPlan, population: PopulationFacts, groups: tuple[str, ...]
) -> dict[str, int | None]:
    """The score always divides by five kinds of groups, so those that meet carry five times the planned mean."""
    total = len(POKTAN) * dice.between(plan.participation)
    percents = dict(zip(groups, dice.split(total, [1.0] * len(groups)), strict=True))
    return {group: _percent(getattr(population, _TARGETS[group]), percents.get(group, 0)) for group in POKTAN}


def _percent(whole: int, percent: int) -> int:
    return round(whole * percent / 100)


def _parts(dice: Dice, total: int, weights: dict[str, float]) -> dict[str, int]:
    return dict(zip(weights, dice.split(total, list(weights.values())), strict=True))
