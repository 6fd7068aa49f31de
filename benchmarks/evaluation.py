"""Scoring the whole country: 84,000 villages under web-2021, against reading the same villages from JSON.

Reading is the least that any evaluation of villages sent as JSON has to pay.
"""

from __future__ import annotations

import json
import random
import resource
import time
from typing import Any

import orjson

from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import first_in_force, shipped_rulesets

VILLAGES = 84_000
FUNDS = ["apbn", "apbd", "dana_desa", "donation", "csr", "self_help"]
USES = ["family_data", "bkkbn_routine", "village_potential", "sectoral", "other"]
POKTAN = ["bkb", "bkr", "bkl", "uppka", "pik_r"]
MECHANISMS = ["planning_meeting", "coordination_meeting", "outreach", "monitoring_evaluation", "reporting"]
METHODS = ["iud", "mow", "mop", "implant", "condom", "injection", "pill"]
REASONS = ["pregnant", "wants_child_soon", "wants_child_later", "wants_no_more"]
KINDS = ["profile", "population", "family_planning"]
ANSWERS = [True, False, None]


def village(dice: random.Random) -> dict[str, Any]:
    """A made-up village in the shape of an evaluation."""
    couples = dice.randint(50, 2_000)
    return {
        "profile": {
            "pokja": dice.choice(ANSWERS),
            "pokja_members": dice.randint(0, 30),
            "pokja_trained": dice.choice(ANSWERS),
            "plkb_companion": dice.choice(ANSWERS),
            "local_regulation": dice.choice(ANSWERS),
            "funding_sources": dice.sample(FUNDS, dice.randint(0, 6)),
            "poktan": {name: dice.choice(ANSWERS) for name in POKTAN},
            "secretariat": dice.choice(ANSWERS),
            "rumah_dataku": dice.choice(ANSWERS),
            "data_use": dice.sample(USES, dice.randint(0, 5)),
            "mechanisms": {name: dice.choice(ANSWERS) for name in MECHANISMS},
        },
        "population": {
            "families": couples * 2,
            "pus": couples,
            "adolescents": couples,
            "families_with_under_fives": couples // 3,
            "families_with_adolescents": couples // 2,
            "families_with_elderly": couples // 4,
        },
        "family_planning": {
            "poktan_participants": {name: dice.randint(0, couples // 4) for name in POKTAN},
            "methods": {name: dice.randint(0, couples // 8) for name in METHODS},
            "non_users": {name: dice.randint(0, couples // 10) for name in REASONS},
        },
        "interventions": [{"actors": dice.sample(range(1, 38), dice.randint(0, 4))} for _ in range(dice.randint(0, 5))],
    }


def timed(what: Any, *arguments: Any) -> tuple[float, Any]:
    """Seconds and result of a call."""
    started = time.perf_counter()
    result = what(*arguments)
    return time.perf_counter() - started, result


def _against_the_proposal(villages: list[dict[str, Any]], dice: random.Random) -> str:
    """What a ruleset that looks at time costs, of the same villages with months and days in them."""
    for one in villages:
        one["as_of"], one["periods"] = "2026-06-15", dict.fromkeys(KINDS, "2026-05")
        if dice.random() < 0.3:
            one["periods"]["population.pus"] = "2024-01"
        for done in one["interventions"]:
            done["date"] = f"202{dice.choice('56')}-0{dice.randint(1, 9)}-11"
    seconds = {number: timed(shipped_rulesets()[number].evaluate, villages)[0] for number in ("web-2021", "kkb-2026")}
    ratio = seconds["kkb-2026"] / seconds["web-2021"]
    return f"  kkb-2026, with ages and a time window: {seconds['kkb-2026']:.2f} s, {ratio:.2f} x web-2021"


def main() -> None:
    """Print the figures."""
    dice = random.Random(2021)
    body = orjson.dumps([village(dice) for _ in range(VILLAGES)])
    engine: Engine = first_in_force()
    fast, villages = timed(orjson.loads, body)
    plain, _ = timed(json.loads, body)
    seconds, evaluation = timed(engine.evaluate, villages)
    summaries, _ = timed(lambda: [evaluation.summary_of(row) for row in range(VILLAGES)])
    print(
        f"evaluation of {VILLAGES:,} villages with {engine.ruleset.id}: {seconds:.2f} s, {VILLAGES / seconds:,.0f} villages/s"
    )
    print(
        f"  against reading them from JSON: {seconds / fast:.2f} x orjson ({fast:.2f} s), {seconds / plain:.2f} x json ({plain:.2f} s)"
    )
    print(f"  writing all answers as dictionaries: {summaries:.2f} s")
    print(_against_the_proposal(villages, dice))
    print(f"  peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
