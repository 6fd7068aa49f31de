"""Villages and rulesets by seed, and the smallest path found by trying everything."""

from __future__ import annotations

import copy
import itertools
import json
import random
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from services.scoring.paths.levers import Draft, Goal, Stuck, goals_of, reach
from services.scoring.paths.rules import Cost, Search, nested, plan_of, reports_to_make
from services.scoring.rulesets.checks import read_ruleset
from services.scoring.rulesets.document import Ruleset, operands
from services.scoring.rulesets.engine import Engine
from services.scoring.what_ifs.rules import suppose
from tests.scoring.rulesets.made_villages import DATA, FUNDING, MECHANISMS, POKTAN

RAW: dict[str, Any] = json.loads(files("services.scoring.rulesets").joinpath("web_2021.json").read_bytes())
CLASSES = ["dasar", "berkembang", "mandiri", "berkelanjutan"]
METHODS = ["iud", "mow", "mop", "implant", "condom", "injection", "pill"]


def village(seed: int, gaps: float = 0.2) -> dict[str, Any]:
    """A village whose figures add up: users and others are couples, participants are families."""
    dice = random.Random(seed)

    def told(value: Any) -> Any:
        return None if dice.random() < gaps else value

    couples = dice.choice([0, 1, 7, 40, 100, 333, 1_250])
    sizes = {name: dice.randint(0, 2 * couples) for name in ("families_with_under_fives", "adolescents", "families")}
    population = {"pus": couples, "families_with_adolescents": couples // 2, "families_with_elderly": couples // 4}
    population |= sizes
    of = dict(zip(POKTAN, ("families_with_under_fives", "families_with_adolescents", "families_with_elderly",
                           "families", "adolescents"), strict=True))  # fmt: skip
    left, methods = couples, {}
    for name in dice.sample(METHODS, 7):
        methods[name] = dice.randint(0, left) // 2
        left -= methods[name]
    reasons = {}
    for name in ("wants_child_later", "wants_no_more", "pregnant", "wants_child_soon"):
        reasons[name] = dice.randint(0, left) // 2
        left -= reasons[name]
    planning = {
        "poktan_participants": {one: told(dice.randint(0, population[of[one]])) for one in POKTAN},
        "methods": {name: told(count) for name, count in methods.items()},
        "non_users": {name: told(count) for name, count in reasons.items()},
        "unmet_need": told(reasons["wants_child_later"] + reasons["wants_no_more"]),
    }
    profile = {
        "pokja": told(dice.random() < 0.6),
        "pokja_members": told(dice.randint(0, 20)),
        "pokja_trained": told(dice.random() < 0.5),
        "plkb_companion": told(dice.random() < 0.5),
        "local_regulation": told(dice.random() < 0.5),
        "secretariat": told(dice.random() < 0.5),
        "rumah_dataku": told(dice.random() < 0.5),
        "funding_sources": told(dice.sample(FUNDING, dice.randint(0, 6))),
        "data_use": told(dice.sample(DATA, dice.randint(0, 5))),
        "poktan": {name: told(dice.random() < 0.5) for name in POKTAN},
        "mechanisms": {name: told(dice.random() < 0.5) for name in MECHANISMS},
    }
    actors = [*range(1, 38), "media"]
    months = [f"2026-{month:02}" for month in range(1, 12)]
    return {
        "as_of": "2026-11-22",
        "periods": {kind: dice.choice(months) for kind in ("profile", "population", "family_planning")}
        | {"population.families": dice.choice(months)},
        "profile": told(profile),
        "population": told({name: told(count) for name, count in population.items()}),
        "family_planning": told(planning),
        "interventions": [
            {"actors": dice.sample(actors, dice.randint(0, 4)), "date": f"{dice.choice(months)}-15"}
            for _ in range(dice.randint(0, 4))
        ],
    }


def small_ruleset(seed: int, most: int = 5) -> Engine:
    """A ruleset of a few of web-2021's indicators, with its own weights, roundings, thresholds, policies and matrix."""
    dice = random.Random(seed)
    document = copy.deepcopy(RAW)
    indicators = dice.sample(document["indicators"], dice.randint(2, most))
    dimensions = dice.sample(document["dimensions"], dice.randint(1, min(3, len(indicators))))
    for dimension in dimensions:
        decimals = dice.choice([0, 1, 2])
        dimension["rounding"] = {"mode": dice.choice(["half_up", "half_even"]), "decimals": decimals}
        dimension["threshold"] = str(dice.choice(["1.5", "2", "2.5", "3", "3.25", "4"]))
        dimension["when_not_assessable"] = dice.choice(["skip", "propagate"])
    for place, indicator in enumerate(indicators):
        indicator["dimension"] = dimensions[place % len(dimensions)]["code"]
        indicator["weight"] = dice.choice(["1", "2", "0.5", "1.25"])
        indicator["requires"] = dice.choice([[], [], ["profile"], ["population", "family_planning"]])
        indicator["when_missing"] = dice.choice(["not_assessable", {"score": 1}])
        _vary(indicator["formula"], dice)
        if dice.random() < 0.2:
            _turn(indicator)
    document |= {"indicators": indicators, "dimensions": dimensions}
    if dice.random() < 0.3:
        kinds = dice.sample(["profile", "population", "family_planning"], dice.randint(1, 3))
        document["freshness"] = [{"report": kind, "max_age_months": dice.choice([2, 6])} for kind in kinds]
    used = {leaf.input for one in indicators for leaf in _leaves(document, one)}
    document["inputs"] = [label for label in document["inputs"] if label["path"] in used]
    codes = [dimension["code"] for dimension in dimensions]
    rows = [list(met) for size in range(len(codes) + 1) for met in itertools.combinations(codes, size)]
    given = [dice.choice(CLASSES) for _ in rows]
    document["class_matrix"] = [{"met": met, "class": one} for met, one in zip(rows, given, strict=True)]
    document["classes"] = [label for label in document["classes"] if label["code"] in given]
    return Engine(Ruleset.parse(json.dumps(document).encode()))


def _leaves(document: dict[str, Any], indicator: dict[str, Any]) -> Iterator[Any]:
    engine = Engine(read_ruleset(json.dumps(RAW).encode()))
    code = indicator["code"]
    return operands(next(one.indicator.formula for one in engine.indicators if one.indicator.code == code))


def _vary(formula: dict[str, Any], dice: random.Random) -> None:
    match formula["op"]:
        case "percentage":
            formula["arithmetic"] = dice.choice(["double", "exact"])
            formula["rounding"]["mode"] = dice.choice(["half_even", "half_up"])
            for name in ("numerator_missing", "denominator_missing", "denominator_zero"):
                formula[name] = dice.choice(["zero", "propagate"])
            if dice.random() < 0.3:
                formula["implausible"] = "propagate"
        case "mean":
            for part in formula["of"]:
                _vary(part, dice)
            formula["missing"] = dice.choice(["zero", "skip", "propagate"])
            formula["arithmetic"] = dice.choice(["double", "exact"])
        case "count_met" | "gated_count":
            formula["missing"] = dice.choice(["zero", "skip", "propagate"])
        case "count_choices":
            formula["missing"] = dice.choice(["zero", "propagate"])
        case "count_actors":
            formula["exclude_actors"] = [26, "opd-ppkb", 19]
            formula["window_months"] = dice.choice([None, 3, 8])


def _turn(indicator: dict[str, Any]) -> None:
    """The other direction is the better one."""
    lower = indicator["direction"] == "lower_is_better"
    indicator["direction"] = "higher_is_better" if lower else "lower_is_better"
    for band in indicator["bands"]:
        band["score"] = 5 - band["score"]


def every_path(engine: Engine, facts: dict[str, Any]) -> list[tuple[Cost, int]]:
    """Cost and place of the class of every set of goals that can be brought about, the engine asked about each."""
    before = engine.evaluate([facts]).scores[0].tolist()
    found = []
    for made in reports_to_make(engine, facts):
        found += list(_paths(engine, facts, made, before))
    return found


def _paths(
    engine: Engine, facts: dict[str, Any], made: tuple[str, ...], before: list[int]
) -> Iterator[tuple[Cost, int]]:
    base = Search(engine, facts, before, made)
    wanted = [
        [None, *(goal for goal in goals_of(one, place) if goal.score > before[place] and goal.score >= base.now[place])]
        for place, one in enumerate(engine.indicators)
    ]
    for chosen in itertools.product(*wanted):
        goals = [goal for goal in chosen if goal is not None]
        if any(goal.place in base.blind for goal in goals):
            continue
        draft = _drafted(base.blank, goals)
        if draft is None:
            continue
        changed = {path: draft.values[path] for path in draft.changed}
        evaluation = engine.evaluate([suppose(base.village, nested(changed))])
        after = evaluation.scores[0].tolist()
        reads = set().union(*(plan_of(engine).reads[goal.place] for goal in goals))
        if set(made) <= reads and all(after[goal.place] >= goal.score for goal in goals):
            steps = sum(after[goal.place] - before[goal.place] for goal in goals)
            yield Cost(len(goals), steps, len(made) + draft.effort), int(evaluation.classes[0])


def _drafted(blank: Draft, goals: list[Goal]) -> Draft | None:
    """Goal by goal, those before looked at again after each; `changed` is everything that is different then."""
    draft = blank.copy()
    try:
        for many in range(1, len(goals) + 1):
            reach(goals[many - 1], draft)
            for _ in range(4):
                for goal in goals[:many]:
                    reach(goal, draft)
    except Stuck:
        return None
    return draft
