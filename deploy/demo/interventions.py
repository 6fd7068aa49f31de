"""Which activities took place in a demonstration village, when, and who took part."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from deploy.demo.activities import ACTIVITIES, Activity
from deploy.demo.dice import Dice
from deploy.demo.plan import SOURCE_SYSTEM, Planned

_FIRST_DAY, _LAST_DAY = date(2023, 8, 1), date(2024, 7, 30)
_FURTHER = (0, 1)
_PLACES = ("Balai", "Posyandu", "Sekretariat Kampung KB", "Halaman kantor")
_NOTE = "Data simulasi untuk peragaan; kegiatan ini tidak pernah berlangsung."
_SOME_ANSWER = 0.75
"""Share of interventions that say what they cost, and how many people came."""


def draw_interventions(village: Planned) -> list[dict[str, Any]]:
    """Bodies for POST /api/v1/interventions, oldest first; exactly as many different actors in all as planned."""
    dice = village.dice_for("interventions")
    wanted = dice.between(village.story.proses.actors)
    drawn = [_body(dice, village, activity, actors) for activity, actors in _with_new_actors(dice, wanted)]
    involved = {actor["code"] for body in drawn for actor in body["actors"]}
    possible = [activity for activity in ACTIVITIES if involved & set(activity.actors)]
    further = dice.shuffled(possible)[: dice.between(_FURTHER)]
    drawn += [_body(dice, village, activity, [a for a in activity.actors if a in involved]) for activity in further]
    return sorted(drawn, key=lambda body: (body["date"], body["title"]))


def _with_new_actors(dice: Dice, wanted: int) -> list[tuple[Activity, list[str]]]:
    """Activities, each with one to three actors that none before had, until `wanted` have taken part."""
    chosen: list[tuple[Activity, list[str]]] = []
    involved: set[str] = set()
    for activity in dice.shuffled(ACTIVITIES):
        fresh = [actor for actor in activity.actors if actor not in involved]
        fresh = fresh[: min(dice.between((1, 3)), wanted - len(involved))]
        if fresh:
            chosen.append((activity, [actor for actor in activity.actors if actor in involved or actor in fresh]))
            involved.update(fresh)
    return chosen


def _body(dice: Dice, village: Planned, activity: Activity, actors: list[str]) -> dict[str, Any]:
    day = _FIRST_DAY + timedelta(days=dice.between((0, (_LAST_DAY - _FIRST_DAY).days)))
    kind = "Kelurahan" if village.code[9] == "1" else "Desa"
    said = dice.chance(_SOME_ANSWER)
    return {
        "village": village.code,
        "date": day.isoformat(),
        "place": f"{dice.pick(_PLACES)} {kind} {village.name}",
        "title": activity.title,
        "description": _NOTE,
        "family_function": activity.family_function,
        "kegiatan": activity.kegiatan,
        "target_groups": list(activity.target_groups),
        "actors": [{"code": actor} for actor in actors],
        "funding_source": dice.pick(activity.funding) if said else None,
        "funding_amount": 250_000 * dice.between((4, 80)) if said else None,
        "participants": dice.between((12, 90)) if dice.chance(_SOME_ANSWER) else None,
        "simulated": True,
        "source_system": SOURCE_SYSTEM,
    }
