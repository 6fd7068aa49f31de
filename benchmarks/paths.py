"""The path to the next class: the search of one village; and to the highest, against trying every set of goals of it.

Trying everything drafts and scores each set of goals as the search does its own; it stops at the number of indicators
that the smallest path has, since no larger set can be smaller. Villages where that would be too many sets are left out
of the comparison, not of the search.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.evaluation import village
from services.scoring.paths.levers import Draft, Goal, Stuck, reach, watched
from services.scoring.paths.rules import Path, find_path, nested, plan_of
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import shipped_rulesets
from services.scoring.rulesets.telling import fact_at
from services.scoring.what_ifs.rules import suppose

VILLAGES = 400
COMPARED = 30
MOST_SETS = 8_000


def percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(int(len(times) * share), len(times) - 1)] * 1000


def sets_of(engine: Engine, scores: list[int], indicators: int) -> Iterator[tuple[Goal, ...]]:
    """Every set of goals of at most so many indicators."""
    goals = [
        [goal for goal in own if goal.score > score] for own, score in zip(plan_of(engine).goals, scores, strict=True)
    ]
    for size in range(1, indicators + 1):
        for places in itertools.combinations(range(len(goals)), size):
            yield from itertools.product(*(goals[place] for place in places))


def try_everything(
    engine: Engine, facts: dict[str, Any], to: int, sets: list[tuple[Goal, ...]]
) -> tuple[int, int, Any]:
    """Indicators, steps and effort of the smallest set of goals that gives the class."""
    before = engine.evaluate([facts]).scores[0].tolist()
    values = {path: fact_at(facts, path) for path in {*engine.paths, *watched()}}
    blank = Draft(values, plan_of(engine).pull)
    rows, costs = [], []
    for goals in sets:
        draft = blank.copy()
        try:
            for _ in range(2):
                for goal in goals:
                    reach(goal, draft)
        except Stuck:
            continue
        rows.append(suppose(facts, nested({path: draft.values[path] for path in draft.changed})))
        costs.append((goals, draft.effort))
    evaluation = engine.evaluate(rows)
    found = [
        (len(goals), sum(int(evaluation.scores[row, goal.place]) - before[goal.place] for goal in goals), effort)
        for row, (goals, effort) in enumerate(costs)
        if evaluation.classes[row] >= to
    ]
    return min(found)


def against_everything(engine: Engine, facts: dict[str, Any], to: int, scores: list[int]) -> tuple[float, int] | None:
    """How many times as long trying everything takes as the search, and the number of sets; None where these are too many."""
    started = time.perf_counter()
    found = find_path(engine, facts, to, scores)
    search = time.perf_counter() - started
    if not isinstance(found, Path):
        return None
    sets = list(itertools.islice(sets_of(engine, scores, found.cost.indicators), MOST_SETS + 1))
    if len(sets) > MOST_SETS:
        return None
    started = time.perf_counter()
    smallest = try_everything(engine, facts, to, sets)
    everything = time.perf_counter() - started
    assert smallest == (found.cost.indicators, found.cost.steps, found.cost.effort), "the search is not the smallest"
    return everything / search, len(sets)


def main() -> None:
    """Print the figures."""
    engine, dice = shipped_rulesets()["web-2021"], random.Random(2021)
    highest = len(engine.classes) - 1
    walls, cpus, ratios, sizes = [], [], [], []
    for facts in (village(dice) for _ in range(VILLAGES)):
        evaluation = engine.evaluate([facts])
        now, scores = int(evaluation.classes[0]), evaluation.scores[0].tolist()
        if now == highest:
            continue
        wall, cpu = time.perf_counter(), time.process_time()
        find_path(engine, facts, now + 1, scores)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        if len(ratios) < COMPARED and (compared := against_everything(engine, facts, highest, scores)) is not None:
            ratios.append(compared[0])
            sizes.append(compared[1])
    print(f"path to the next class under {engine.ruleset.id}, {len(walls)} made-up villages, one at a time:")
    print(f"  search: p50 {percentile(walls, 0.5):.1f} ms, p99 {percentile(walls, 0.99):.1f} ms")
    print(f"  processor time of it: p50 {percentile(cpus, 0.5):.1f} ms, p99 {percentile(cpus, 0.99):.1f} ms")
    print(
        f"  to the highest class, {len(ratios)} of these villages: trying everything, {statistics.median(sizes):.0f} sets, is "
        f"{statistics.median(ratios):.0f} x the search (p50), {max(ratios):.0f} x at most; same paths"
    )


if __name__ == "__main__":
    main()
