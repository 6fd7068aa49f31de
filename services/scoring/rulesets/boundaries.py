"""Villages that sit on the edges of a ruleset, each with what it must score: the document's own test cases.

Made from the document alone and always the same: on and beside each edge of each band, at each threshold and one step
below, every combination of the class matrix, every policy for what is missing, implausible or too old. In the shape of
the parity cases, so that any engine can be held against them.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from services.scoring.rulesets.columns import AS_OF, PERIODS, months_before
from services.scoring.rulesets.document import (
    Condition,
    CountActors,
    CountChoices,
    CountMet,
    FirstReported,
    Formula,
    GatedCount,
    Input,
    Mean,
    Percentage,
    Sum,
    operands,
)
from services.scoring.rulesets.engine import NOT_ASSESSABLE, CompiledIndicator, Engine
from services.scoring.rulesets.inputs import INTERVENTIONS, InputKind, fact_inputs

Facts = dict[str, Any]

DAY = "2026-06-15"
"""The day for which all cases are assessed; rulesets that do not look at time ignore it."""

_WHOLE = 1000
"""Every denominator, where the grid is not finer: every value of the grid is then a whole number of people."""

_ACTORS = 37
"""Numbers of the predecessor's list of actors; further ones get codes."""


def boundary_cases(engine: Engine) -> list[Facts]:
    """Villages as JSON values, each with `id` (what it stands for) and `expected` (as `Evaluation.summary_of`)."""
    made = dict(_villages(engine))
    evaluation = engine.evaluate(list(made.values()))
    return [
        {"id": name, **facts, "expected": _plain(evaluation.summary_of(row))}
        for row, (name, facts) in enumerate(made.items())
    ]


def _plain(summary: Mapping[str, Any]) -> Facts:
    """With the class as text, as JSON has it."""
    return {**summary, "class": None if summary["class"] is None else str(summary["class"])}


def _villages(engine: Engine) -> Iterator[tuple[str, Facts]]:
    best = _with_scores(engine, [max(edges.score for edges in one.edges) for one in engine.indicators])
    for compiled in engine.indicators:
        yield from _edges(compiled, best)
        yield from _policies(engine, compiled, best)
    yield from _thresholds(engine)
    yield from _matrix(engine)


def _nothing() -> Facts:
    """A village of which everything was reported this month, without an answer in it yet."""
    return {"profile": {}, "population": {}, "family_planning": {}, INTERVENTIONS: []}


def _with_scores(engine: Engine, scores: Iterable[int]) -> Facts:
    """A village whose indicators have these scores, as far as indicators that share inputs allow."""
    facts = _nothing()
    for compiled, score in zip(engine.indicators, scores, strict=True):
        edges = next(one for one in compiled.edges if one.score == score)
        # The upper end of the lowest band, so that nobody's share is 0 of 0; the lower end of the others.
        lowest = edges.low is None or edges.low <= compiled.span.low
        units = edges.high if lowest else edges.low
        put_value(facts, compiled.indicator.formula, units or 0)
    for item in engine.ruleset.readiness:
        _put(facts, item.condition.input, True if item.condition.above is None else item.condition.above + 1)
    return facts | _dated(engine)


def _dated(engine: Engine) -> Facts:
    kinds = dict.fromkeys(("profile", "population", "family_planning"), DAY[:7])
    return {PERIODS: kinds, AS_OF: DAY} if _looks_at_time(engine) else {}


def _looks_at_time(engine: Engine) -> bool:
    formulas = [one.indicator.formula for one in engine.indicators]
    return bool(engine.limits) or any(isinstance(one, CountActors) and one.window_months for one in formulas)


def _edges(compiled: CompiledIndicator, base: Facts) -> Iterator[tuple[str, Facts]]:
    """On each edge, one unit beside it and, where the value is rounded, half a unit beside it."""
    formula, span, code = compiled.indicator.formula, compiled.span, compiled.indicator.code
    for lower, upper in pairwise(compiled.edges):
        if lower.high is None or upper.low is None:
            continue
        for units in (lower.high - 1, lower.high, upper.low, upper.low + 1):
            if span.low <= units and (span.high is None or units <= span.high):
                yield f"{code}: nilai {_shown(units, span.decimals)}", _having(base, formula, units)
        if isinstance(formula, Percentage | Mean):
            name = f"{code}: setengah di bawah {_shown(upper.low, span.decimals)}"
            yield name, _having(base, formula, upper.low, half=True)


def _shown(units: int, decimals: int) -> str:
    return f"{units / 10**decimals:.{decimals}f}"


def _having(base: Facts, formula: Formula, units: int, *, half: bool = False) -> Facts:
    facts = copy.deepcopy(base)
    put_value(facts, formula, units, half=half)
    return facts


def _policies(engine: Engine, compiled: CompiledIndicator, base: Facts) -> Iterator[tuple[str, Facts]]:
    """Each report absent, each answer blank, nothing to divide by, parts above their whole, answers too old."""
    indicator = compiled.indicator
    for kind in indicator.requires:
        yield f"{indicator.code}: tanpa laporan {kind.value}", copy.deepcopy(base) | {kind.value: None}
    for path in engine.inputs_of[indicator.code]:
        yield f"{indicator.code}: tanpa {path}", _blank(base, path)
        limit = engine.limits.get(path.partition(".")[0])
        if limit is not None:
            for name, age in (("di batas umur", limit), ("terlalu lama", limit + 1)):
                facts = copy.deepcopy(base)
                facts[PERIODS][path] = months_before(DAY, age)[:7]
                yield f"{indicator.code}: {path} {name}", facts
    for place, ratio in enumerate(_ratios(indicator.formula), start=1):
        for name, (part, whole) in {"penyebut 0": (0, 0), "pembilang melebihi penyebut": (11, 10)}.items():
            facts = copy.deepcopy(base)
            _put_number(facts, ratio.denominator, whole)
            _put_number(facts, ratio.numerator, part)
            yield f"{indicator.code}: {name} ({place})", facts
    if isinstance(indicator.formula, CountActors):
        yield from _intervention_policies(indicator.code, indicator.formula, base)


def _ratios(formula: Formula) -> list[Percentage]:
    return formula.of if isinstance(formula, Mean) else [formula] if isinstance(formula, Percentage) else []


def _intervention_policies(code: str, formula: CountActors, base: Facts) -> Iterator[tuple[str, Facts]]:
    excluded = [{"actors": [actor], "date": DAY} for actor in formula.exclude_actors]
    yield f"{code}: hanya pelaksana yang tidak dihitung", copy.deepcopy(base) | {INTERVENTIONS: excluded}
    (one,) = _actors(formula, 1)
    if formula.window_months is None:
        return
    first = months_before(DAY, formula.window_months)
    days = {
        "pada hari terakhir di luar jangka waktu": first,
        "pada hari pertama dalam jangka waktu": f"{first[:8]}{int(first[8:]) + 1:02}",
        "sesudah hari penilaian": f"{DAY[:8]}{int(DAY[8:]) + 1:02}",
        "tanpa tanggal": None,
    }
    for name, day in days.items():
        yield f"{code}: intervensi {name}", copy.deepcopy(base) | {INTERVENTIONS: [{"actors": [one], "date": day}]}


def _thresholds(engine: Engine) -> Iterator[tuple[str, Facts]]:
    """For each index the lowest that meets its threshold and the highest that does not."""
    for place, dimension in enumerate(engine.dimensions):
        others = _where_it_decides(engine, dimension.code)
        ladder = [_with_scores(engine, scores) for scores in _ladders(engine, dimension.columns, others)]
        indexes = engine.evaluate(ladder).indexes[:, place].tolist()
        scored = [(index, row) for row, index in enumerate(indexes) if index != NOT_ASSESSABLE]
        met = min((one for one in scored if one[0] >= dimension.threshold), default=None)
        missed = max((one for one in scored if one[0] < dimension.threshold), key=lambda one: one[0], default=None)
        for name, found in (("tercapai", met), ("tidak tercapai", missed)):
            if found is not None:
                shown = _shown(found[0], dimension.decimals)
                yield f"indeks {dimension.code}: ambang {name} dengan {shown}", ladder[found[1]]


def _where_it_decides(engine: Engine, dimension: str) -> set[str]:
    """Other dimensions that are met where meeting this one changes the class."""
    classes = {frozenset(row.met): row.village_class for row in engine.ruleset.class_matrix}
    deciding = (met - {dimension} for met, own in classes.items() if own != classes[met ^ {dimension}])
    return set(next(deciding, frozenset()))


def _extreme_scores(engine: Engine, met: Collection[str]) -> list[int]:
    """The best scores in the dimensions that are to be met, the lowest elsewhere."""
    best = {column for one in engine.dimensions if one.code in met for column in one.columns}
    return [
        (max if column in best else min)(edges.score for edges in one.edges)
        for column, one in enumerate(engine.indicators)
    ]


def _ladders(engine: Engine, columns: list[int], met: Collection[str]) -> Iterator[list[int]]:
    """Scores of all indicators, one dimension's rising step by step from the lowest to the highest.

    Every indicator begins once, so the index passes its threshold in steps as small as there are. `met` are the other
    dimensions that are at their best.
    """
    for turn in range(len(columns)):
        scores = _extreme_scores(engine, met)
        yield list(scores)
        for column in columns[turn:] + columns[:turn]:
            for score in sorted(edges.score for edges in engine.indicators[column].edges)[1:]:
                scores[column] = score
                yield list(scores)


def _matrix(engine: Engine) -> Iterator[tuple[str, Facts]]:
    """Every combination of the class matrix once: the best scores where a threshold is met, the lowest elsewhere."""
    for row in engine.ruleset.class_matrix:
        name = f"terpenuhi: {', '.join(row.met) or 'tidak satu pun'}"
        yield name, _with_scores(engine, _extreme_scores(engine, row.met))


def put_value(facts: Facts, formula: Formula, units: int, *, half: bool = False) -> None:
    """Change facts so that a formula has this value, in units of its grid; `half` half a unit less before rounding."""
    match formula:
        case Percentage():
            _put_share(facts, formula, units, formula.rounding.decimals, half=half)
        case Mean():
            for part in formula.of:
                _put_share(facts, part, units, formula.rounding.decimals, half=half)
        case CountMet():
            for place, condition in enumerate(formula.of):
                _put_condition(facts, condition, met=place < units)
        case GatedCount():
            for place, condition in enumerate([formula.gate, *formula.of]):
                _put_condition(facts, condition, met=place < units)
        case CountChoices():
            _put(facts, formula.input, list(fact_inputs()[formula.input].choices[:units]))
        case CountActors():
            facts[INTERVENTIONS] = [{"actors": [actor], "date": DAY} for actor in _actors(formula, units)]
        case _:
            _put_number(facts, formula, units)


def _put_share(facts: Facts, formula: Percentage, units: int, decimals: int, *, half: bool) -> None:
    """A share of units * 10**-decimals percent of a whole that other indicators may already have settled."""
    grid = 100 * 10**decimals
    whole = _number(facts, formula.denominator)
    if whole is None or (whole * units) % grid or (half and whole % (2 * grid)):
        whole = max(_WHOLE, 2 * grid)
    part = whole * units // grid - (whole // (2 * grid) if half else 0)
    leaves = {leaf.input for leaf in operands(formula.numerator)}
    rest = [leaf.input for leaf in operands(formula.denominator) if leaf.input not in leaves]
    if len(rest) < len(list(operands(formula.denominator))):
        # The numerator is inside the denominator: what is not part of it makes up the whole.
        _put_number(facts, formula.numerator, part)
        for place, path in enumerate(rest):
            _put(facts, path, whole - part if place == 0 else 0)
    else:
        _put_number(facts, formula.denominator, whole)
        _put_number(facts, formula.numerator, part)


def _put_number(facts: Facts, formula: Input | Sum | FirstReported, number: int) -> None:
    """All of it in the first input; of alternatives the first that can be asked for."""
    match formula:
        case Input():
            _put(facts, formula.input, number)
        case Sum():
            for place, part in enumerate(formula.of):
                _put(facts, part.input, number if place == 0 else 0)
        case FirstReported():
            _put_number(facts, formula.of[0], number)


def _number(facts: Facts, formula: Input | Sum | FirstReported) -> int | None:
    """What a number is now, None where an input of it has no answer yet."""
    match formula:
        case Input():
            number: int | None = _at(facts, formula.input)
            return number
        case Sum():
            parts = [_at(facts, part.input) for part in formula.of]
            return None if None in parts else sum(parts)
        case FirstReported():
            return _number(facts, formula.of[0])


def _put_condition(facts: Facts, condition: Condition, *, met: bool) -> None:
    if condition.above is None:
        _put(facts, condition.input, met)
    else:
        _put(facts, condition.input, condition.above + met)


def _actors(formula: CountActors, count: int) -> list[int | str]:
    """So many actors that are not excluded."""
    numbers: list[int | str] = [one for one in range(1, _ACTORS + 1) if one not in formula.exclude_actors]
    codes: list[int | str] = [f"pelaksana-{one}" for one in range(count)]
    return (numbers + codes)[:count]


def _blank(base: Facts, path: str) -> Facts:
    facts = copy.deepcopy(base)
    if fact_inputs()[path].kind is InputKind.INTERVENTIONS:
        facts[path] = None
    else:
        _put(facts, path, None)
    return facts


def _put(facts: Facts, path: str, value: Any) -> None:
    *groups, name = path.split(".")
    inner = facts
    for group in groups:
        inner = inner.setdefault(group, {})
    inner[name] = value


def _at(facts: Facts, path: str) -> Any:
    inner: Any = facts
    for name in path.split("."):
        inner = None if inner is None else inner.get(name)
    return inner
