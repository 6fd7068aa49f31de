"""What of a village's facts reaches its reports: answers left blank, gaps, and what does not add up."""

from __future__ import annotations

from typing import Any

from contracts.facts import AnyFacts, FamilyPlanningFacts, PopulationFacts, ProfileFacts, ReportKind
from deploy.demo.dice import Dice
from deploy.demo.plan import Flaw, Gap, Planned

Json = dict[str, Any]
_AGES_LEFT_BLANK = 0.3


def reported(
    village: Planned, profile: ProfileFacts, population: PopulationFacts, planning: FamilyPlanningFacts
) -> dict[ReportKind, AnyFacts]:
    """The reports of a village by kind, as its story tells them."""
    dice = village.dice_for("reporting")
    own, people, plan = (facts.model_dump(mode="json") for facts in (profile, population, planning))
    _leave_blank(dice, own, village.story.silence)
    if dice.chance(_AGES_LEFT_BLANK):
        people["age_bands"] = None
    if village.flaw is not None:
        _spoil(dice, village.flaw, own, people, plan)
    if village.gap is not None:
        _leave_gap(village.gap, people, plan)
    drawn: dict[ReportKind, AnyFacts] = {
        ReportKind.PROFILE: ProfileFacts.model_validate(own),
        ReportKind.POPULATION: PopulationFacts.model_validate(people),
        ReportKind.FAMILY_PLANNING: FamilyPlanningFacts.model_validate(plan),
    }
    return {kind: facts for kind, facts in drawn.items() if kind in village.story.reports}


def _leave_blank(dice: Dice, profile: Json, silence: float) -> None:
    """Blank is not "no": the village may have it, nobody has said so."""
    for name, answer in profile.items():
        if isinstance(answer, dict):
            _leave_blank(dice, answer, silence)
        elif dice.chance(silence):
            profile[name] = None


def _spoil(dice: Dice, flaw: Flaw, profile: Json, people: Json, planning: Json) -> None:
    """One thing that does not add up. None of them lifts a dimension over 3.00 in the stories that have flaws."""
    match flaw:
        case Flaw.USERS_ABOVE_COUPLES:
            planning["methods"]["injection"] += people["pus"]
        case Flaw.PARTICIPANTS_ABOVE_TARGET:
            planning["poktan_participants"]["bkb"] = people["families_with_under_fives"] + dice.between((5, 30))
        case Flaw.COUPLES_TYPED_TWICE:
            people["pus"] = int(f"{people['pus']}{people['pus']}")
        case Flaw.COUPLES_DO_NOT_ADD_UP:
            planning["non_users"]["pregnant"] += dice.between((7, 25))
        case Flaw.PART_ABOVE_FAMILIES:
            people["families_with_elderly"] = people["families"] + dice.between((10, 90))
        case Flaw.TRAINED_ABOVE_MEMBERS:
            members = dice.between((8, 14))
            trained = members + dice.between((2, 6))
            profile |= {
                "pokja": True,
                "pokja_members": members,
                "pokja_trained": True,
                "pokja_trained_members": trained,
            }


def _leave_gap(gap: Gap, people: Json, planning: Json) -> None:
    match gap:
        case Gap.COUPLES:
            people["pus"] = None
        case Gap.METHODS:
            planning["methods"] = {}
        case Gap.REASONS:
            planning["non_users"] = {}
        case Gap.PARTICIPANTS:
            planning["poktan_participants"] = {}
        case Gap.COUNTERS:
            people |= dict.fromkeys(name for name in people if name != "pus")
