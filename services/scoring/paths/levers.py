"""The smallest change of facts that gives an indicator a higher score.

Only what a village can bring about is changed: answers, choices, partners, people who take part. A population figure
that was reported stays as it is. Nothing is supposed that cannot be: no more users than couples, no more participants
than families, no more choices than the form has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from contracts.facts import MAX_COUNT
from services.scoring.paths.arithmetic import Bands, actors_of, is_implausible, is_met, mean, percent, value_of
from services.scoring.paths.serving import ACTORS
from services.scoring.rulesets.columns import AS_OF, is_recent
from services.scoring.rulesets.document import (
    Condition,
    CountActors,
    CountChoices,
    CountMet,
    Direction,
    FirstReported,
    Formula,
    GatedCount,
    Indicator,
    Input,
    Mean,
    Missing,
    Number,
    Percentage,
    Sum,
    operands,
)
from services.scoring.rulesets.engine import CompiledIndicator, Engine
from services.scoring.rulesets.inputs import fact_inputs

ASSUMED_SIZE = 100
"""A population figure that was never reported is supposed to be at least this: figures read as percent."""
TENTH = 10
"""Winning a tenth of a group is as much effort as bringing one answer about."""
MOST_POINTS = 500
"""Five parts from nothing to everybody, in whole percents."""
Effort = Fraction | int
_METHODS = [f"family_planning.methods.{one}" for one in ("iud", "mow", "mop", "implant", "condom", "injection", "pill")]
_PERMANENT = frozenset({"family_planning.methods.mow", "family_planning.methods.mop"})
_POKTAN = {
    "bkb": "families_with_under_fives",
    "bkr": "families_with_adolescents",
    "bkl": "families_with_elderly",
    "uppka": "families",
    "pik_r": "adolescents",
}
_FAMILIES = "population.families"
_KINDS_OF_FAMILIES = tuple(f"population.{_POKTAN[poktan]}" for poktan in ("bkb", "bkr", "bkl"))


@dataclass(frozen=True)
class Group:
    """People that a population figure counts: those who take part, those to be won first, and those who stay away."""

    whole: str
    members: tuple[str, ...]
    willing: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


GROUPS = (
    Group(
        "population.pus",
        tuple(_METHODS),
        ("family_planning.non_users.wants_no_more", "family_planning.non_users.wants_child_later"),
        (
            "family_planning.non_users.pregnant",
            "family_planning.non_users.wants_child_soon",
            "family_planning.users_lam",
            "family_planning.users_traditional",
        ),
    ),
    *(
        Group(f"population.{whole}", (f"family_planning.poktan_participants.{poktan}",))
        for poktan, whole in _POKTAN.items()
    ),
)
_UNMET_TOTAL = "family_planning.unmet_need"
GROUP_OF = {path: group for group in GROUPS for path in (*group.members, *group.willing)} | {_UNMET_TOTAL: GROUPS[0]}
_OF_WHOLE = {group.whole: group for group in GROUPS}


class Stuck(Exception):
    """A score cannot be reached: a code that says why, and the fact that stands in the way."""

    def __init__(self, code: str, path: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.path = path


@dataclass(frozen=True)
class Change:
    """One fact that is supposed to be different; `before` None means it was not reported, so `after` is assumed."""

    path: str
    before: Any
    after: Any


class Draft:
    """The facts of one village while changes are tried: values by path, what was changed, and the effort of it."""

    def __init__(self, values: dict[str, Any], pull: Mapping[str, int], closed: frozenset[str] = frozenset()) -> None:
        """`pull` says how many indicators a count serves; of the `closed` kinds of report nothing may be supposed."""
        self.values = values
        self.pull = pull
        self.closed = closed
        self.tables: dict[Any, list[int]] = {}
        self.changed: dict[str, None] = {}
        self.effort: Effort = 0

    def copy(self) -> Draft:
        """A draft of its own with the same values and nothing changed yet."""
        other = Draft(dict(self.values), self.pull, self.closed)
        other.tables = self.tables
        return other

    def put(self, path: str, value: Any, effort: Effort = 1) -> None:
        """Suppose a fact. Raises Stuck where its report is not made."""
        section = path.partition(".")[0]
        if section in self.closed:
            raise Stuck("not_reported", section)
        self.values[path] = value
        self.changed[path] = None
        self.effort += effort

    def count(self, path: str) -> int:
        """A count, 0 where it was not reported: for adding to it, never for scoring."""
        return self.values[path] or 0

    def total(self, paths: Sequence[str]) -> int:
        """Sum of counts as far as they were reported."""
        return sum(self.count(path) for path in paths)


@dataclass(frozen=True)
class Goal:
    """A score to be reached, as the band's edge that is nearest: at least `low` or, lower being better, at most `high`."""

    indicator: Indicator
    bands: Bands
    place: int
    score: int
    low: int | None
    high: int | None
    worst: int | None
    """Where lower is better, the lowest value of the band: what an unreported figure may be, and more is not asked."""

    def is_met(self, value: int | None) -> bool:
        """Whether a value has at least this score."""
        return self.bands.score_of(value) >= self.score

    def holds(self, value: int | None) -> bool:
        """Whether a value is on the right side of the edge; for the parts of a formula, which have no score."""
        if value is None:
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def goals_of(compiled: CompiledIndicator, place: int) -> list[Goal]:
    """A goal for every score that the indicator's bands give, from the lowest."""
    higher = compiled.indicator.direction is Direction.HIGHER
    bands = Bands(compiled)
    goals = [
        Goal(
            compiled.indicator,
            bands,
            place,
            edge.score,
            edge.low if higher else None,
            None if higher else edge.high,
            edge.low,
        )
        for edge in compiled.edges
    ]
    return sorted(goals, key=lambda goal: goal.score)


def reach(goal: Goal, draft: Draft) -> None:
    """Change the facts as little as possible so that the indicator has the goal's score. Raises Stuck."""
    formula = goal.indicator.formula
    if goal.is_met(value_of(formula, draft.values)):
        return
    _change(formula, goal, draft)
    if not goal.is_met(value_of(formula, draft.values)):
        raise Stuck("not_improvable")


def _change(formula: Formula, goal: Goal, draft: Draft) -> None:
    match formula:
        case CountChoices():
            _choose(formula, goal, draft)
        case CountMet():
            _meet(formula.of, goal, formula.missing, draft)
        case GatedCount():
            _open(formula, goal, draft)
        case CountActors():
            _invite(formula, goal, draft)
        case Percentage():
            _percentage(formula, goal, draft)
        case Mean():
            _mean(formula, goal, draft)
        case Input() | Sum() | FirstReported():
            _count(formula, goal, draft)


def _choose(formula: CountChoices, goal: Goal, draft: Draft) -> None:
    chosen = list(dict.fromkeys(draft.values[formula.input] or ()))
    codes = [code for code in fact_inputs()[formula.input].choices if code not in chosen]
    if goal.high is not None:
        kept = chosen[: goal.high]
        draft.put(formula.input, kept, max(len(chosen) - len(kept), 1))
        return
    more = max((goal.low or 0) - len(chosen), 0)
    if more > len(codes):
        raise Stuck("no_more_choices", formula.input)
    draft.put(formula.input, chosen + codes[:more], max(more, 1))


def _meet(conditions: Sequence[Condition], goal: Goal, missing: Missing, draft: Draft) -> None:
    """Answers that were not given come first: they may only have to be reported."""
    answers = [(condition, is_met(condition, draft.values)) for condition in conditions]
    gone = [condition for condition, answer in answers if answer is None]
    if goal.high is not None:
        met = [condition for condition, answer in answers if answer]
        for condition in met[goal.high :]:
            _answer(condition, draft, yes=False)
        needed = []
    else:
        open_ones = gone + [condition for condition, answer in answers if answer is False]
        needed = open_ones[: max((goal.low or 0) - sum(answer is True for _, answer in answers), 0)]
        for condition in needed:
            _answer(condition, draft, yes=True)
    if missing is Missing.PROPAGATE:
        for condition in gone:
            if condition not in needed:
                _answer(condition, draft, yes=False)
    elif missing is Missing.SKIP and len(gone) == len(conditions) and not needed and gone:
        _answer(gone[0], draft, yes=False)


def _answer(condition: Condition, draft: Draft, *, yes: bool) -> None:
    if condition.above is None:
        draft.put(condition.input, yes)
    else:
        draft.put(condition.input, condition.above + 1 if yes else min(draft.count(condition.input), condition.above))


def _open(formula: GatedCount, goal: Goal, draft: Draft) -> None:
    wanted = goal.low or 0
    if goal.high is not None or wanted < 1:
        _answer(formula.gate, draft, yes=False)
        return
    if not is_met(formula.gate, draft.values):
        _answer(formula.gate, draft, yes=True)
    _meet(formula.of, replace(goal, low=wanted - 1), formula.missing, draft)


def _invite(formula: CountActors, goal: Goal, draft: Draft) -> None:
    done = draft.values[formula.input] or []
    if goal.high is not None and done:
        raise Stuck("not_improvable", formula.input)
    away = actors_of(_counted(done, formula, draft)) | set(formula.exclude_actors)
    free = [actor.code for actor in ACTORS if actor.code not in away and actor.number not in away]
    more = max((goal.low or 0) - (value_of(formula, draft.values) or 0), 0)
    if value_of(formula, draft.values) is None and done:
        raise Stuck("not_improvable", formula.input)
    if more > len(free):
        raise Stuck("no_more_actors", formula.input)
    planned = [{"actors": free[:more], "date": draft.values.get(AS_OF)}] if more else []
    draft.put(formula.input, [*done, *planned], more)


def _counted(done: Sequence[Mapping[str, Any]], formula: CountActors, draft: Draft) -> list[Mapping[str, Any]]:
    """The interventions that count: those who took part only in others can be asked again."""
    months, day = formula.window_months, draft.values.get(AS_OF)
    return [one for one in done if months is None or is_recent(one.get("date"), day, months)]


def _percentage(formula: Percentage, goal: Goal, draft: Draft) -> None:
    unreported = value_of(formula.numerator, draft.values) is None
    if unreported:
        _report(formula.numerator, draft)
    lower = goal.indicator.direction is Direction.LOWER
    if not lower or formula.denominator_missing is Missing.PROPAGATE:
        _report(formula.denominator, draft)
    if formula.implausible is not None:
        _check(formula, draft)
    value = value_of(formula, draft.values)
    if goal.holds(value):
        if unreported and lower:
            _state_most(formula, goal, draft)
    elif lower:
        _win_over(formula, goal, draft)
    else:
        _raise(formula, goal, draft)


def _check(formula: Percentage, draft: Draft) -> None:
    """A part that exceeds its whole is for the reporter to put right; no path is built on it."""
    if is_implausible(value_of(formula.numerator, draft.values), value_of(formula.denominator, draft.values)):
        raise Stuck("implausible", _inputs(formula.denominator, draft)[0])


def _state_most(formula: Percentage, goal: Goal, draft: Draft) -> None:
    """Of a figure that was not reported, what may be reported at most; where anything may, what the worst band begins with."""
    divisor = value_of(formula.denominator, draft.values)
    if not divisor:
        return
    (path, *_) = _inputs(formula.numerator, draft)
    room, guess = min(_room(path, draft), divisor), _edge(goal, divisor, formula)
    if goal.high is not None:
        most = _largest(lambda number: goal.holds(percent(number, divisor, formula)), guess, room)
    else:
        first = _smallest(lambda number: percent(number, divisor, formula) >= (goal.worst or 0), guess, room, low=0)
        most = room if first is None else first
    draft.put(path, most, 0)


def _raise(formula: Percentage, goal: Goal, draft: Draft) -> None:
    divisor = value_of(formula.denominator, draft.values) or 0
    number = value_of(formula.numerator, draft.values) or 0
    inputs = _inputs(formula.numerator, draft)
    below = [path for path in _inputs(formula.denominator, draft) if path not in inputs]
    lever = _lever(inputs, draft)
    if len(below) < len(_inputs(formula.denominator, draft)):
        _raise_share(formula, goal, draft, lever, below)
        return
    if divisor == 0:
        raise Stuck("denominator_zero", _inputs(formula.denominator, draft)[0])
    room = min(divisor - number, _room(lever, draft))
    guess = _edge(goal, divisor, formula) - number
    more = _smallest(lambda x: goal.holds(percent(number + x, divisor, formula)), guess, room)
    if more is None:
        raise Stuck("too_few_people", _inputs(formula.denominator, draft)[0])
    _win(lever, more, divisor, draft)


def _raise_share(formula: Percentage, goal: Goal, draft: Draft, lever: str, below: list[str]) -> None:
    """A share of those who take part anyway (long-acting methods among all): some change over, or new ones are won."""
    divisor, number = value_of(formula.denominator, draft.values) or 0, value_of(formula.numerator, draft.values) or 0
    if divisor:
        guess = _edge(goal, divisor, formula) - number
        more = _smallest(lambda x: goal.holds(percent(number + x, divisor, formula)), guess, draft.total(below))
        if more is not None:
            draft.put(lever, draft.count(lever) + more, Fraction(TENTH * more, divisor))
            _take(below, more, draft)
            return
    more = _smallest(lambda x: goal.holds(percent(number + x, divisor + x, formula)), 1, _room(lever, draft))
    if more is None:
        raise Stuck("too_few_people", lever)
    _win(lever, more, divisor + more, draft)


def _win_over(formula: Percentage, goal: Goal, draft: Draft) -> None:
    """Fewer of whom there should be few: couples with unmet need become users, where users are reported."""
    divisor, number = value_of(formula.denominator, draft.values) or 0, value_of(formula.numerator, draft.values) or 0
    if divisor == 0:
        raise Stuck("denominator_zero", next(iter(_inputs(formula.denominator, draft))))
    inputs = _inputs(formula.numerator, draft)
    most = _largest(lambda n: goal.holds(percent(n, divisor, formula)), _edge(goal, divisor, formula), number)
    fewer = number - most
    _take(inputs, fewer, draft)
    draft.effort += Fraction(TENTH * fewer, divisor)
    group = GROUP_OF.get(inputs[0])
    if group is not None and inputs[0] not in group.members:
        members = [path for path in group.members if draft.values.get(path) is not None]
        if members:
            lever = _lever(members, draft)
            draft.put(lever, draft.count(lever) + fewer, 0)


def _mean(formula: Mean, goal: Goal, draft: Draft) -> None:
    if goal.high is not None:
        raise Stuck("not_improvable")
    _report_parts(formula, draft)
    try:
        _raise_mean(formula, goal, draft)
    except Stuck:
        unknown = [part for part in formula.of if value_of(part.denominator, draft.values) is None]
        if not unknown:
            raise
        for part in unknown:
            _report(part.denominator, draft)
        _raise_mean(formula, goal, draft)


def _report_parts(formula: Mean, draft: Draft) -> None:
    """What has to be reported for the mean to have a value at all."""
    gone = [part for part in formula.of if value_of(part, draft.values) is None]
    if formula.missing is Missing.SKIP and len(gone) < len(formula.of):
        return
    for part in gone:
        if value_of(formula, draft.values) is not None:
            return
        _report(part.numerator, draft)
        _report(part.denominator, draft)


def _raise_mean(formula: Mean, goal: Goal, draft: Draft) -> None:
    """Participants are added where the fewest are needed, over all parts together.

    On a grid of whole percents this is a small knapsack, solved exactly; on finer ones rounding hardly counts.
    """
    values = [value_of(part, draft.values) for part in formula.of]
    known = [value for value in values if value is not None]
    usable = [
        part for part, value in zip(formula.of, values, strict=True) if value is not None and _is_usable(part, draft)
    ]
    if value_of(formula, draft.values) is None or not usable:
        raise _no_divisor(formula, draft)
    parts = len(known) if formula.missing is Missing.SKIP else len(values)
    total = sum(known)
    guess = (goal.low or 0) * parts * 10 ** formula.of[0].rounding.decimals // 10**formula.rounding.decimals - total
    span = 100 * 10 ** formula.of[0].rounding.decimals * parts
    points = _smallest(lambda more: goal.holds(mean(total + more, parts, formula)), guess, span, low=0)
    if points is None:
        raise Stuck("not_improvable")
    people = sum(value_of(part.denominator, draft.values) or 0 for part in usable)
    chosen = _fewest(usable, points, draft) if points <= MOST_POINTS else _smallest_first(usable, points, draft)
    for part, more in chosen:
        _win(_lever(_inputs(part.numerator, draft), draft), more, people, draft)


def _no_divisor(formula: Mean, draft: Draft) -> Stuck:
    for each in formula.of:
        if each.implausible is not None:
            _check(each, draft)
    zero = (part for part in formula.of if value_of(part.denominator, draft.values) == 0)
    part = next(zero, None)
    return Stuck("not_improvable") if part is None else Stuck("denominator_zero", _inputs(part.denominator, draft)[0])


def _is_usable(part: Percentage, draft: Draft) -> bool:
    return bool(value_of(part.denominator, draft.values))


def _fewest(parts: Sequence[Percentage], points: int, draft: Draft) -> Iterator[tuple[Percentage, int]]:
    """How many people to add in which part, so that the parts rise by so many points together with the fewest people."""
    far = np.iinfo(np.int64).max // 4
    best = np.full(points + 1, far)
    best[0] = 0
    chosen: list[tuple[list[int], Any]] = []
    for part in parts:
        costs = _people_by_points(part, points, draft)
        gains = np.arange(len(costs))
        before = np.maximum(np.arange(points + 1)[:, None] - gains, 0)
        sums = np.minimum(best[before] + np.array(costs), far)
        gain = sums.argmin(axis=1)
        chosen.append((costs, gain))
        best = sums[np.arange(points + 1), gain]
    if best[points] >= far:
        raise Stuck("too_few_people", _inputs(parts[0].denominator, draft)[0] if parts else None)
    left = points
    for part, (costs, gain) in zip(reversed(parts), reversed(chosen), strict=True):
        step = int(gain[left])
        if costs[step]:
            yield part, costs[step]
        left = max(left - step, 0)


def _smallest_first(parts: Sequence[Percentage], points: int, draft: Draft) -> Iterator[tuple[Percentage, int]]:
    """As `_fewest`, filled from the smallest group on: there one person counts for most."""
    left = points
    chosen = []
    for part in sorted(parts, key=lambda one: value_of(one.denominator, draft.values) or 0):
        divisor, number = value_of(part.denominator, draft.values) or 0, value_of(part.numerator, draft.values) or 0
        room = min(divisor - number, _room(_lever(_inputs(part.numerator, draft), draft), draft))
        if left <= 0 or room <= 0:
            continue
        now = percent(number, divisor, part)
        wanted = now + min(left, percent(number + room, divisor, part) - now)
        guess = wanted * divisor // (100 * 10**part.rounding.decimals) - number
        more = _smallest(partial(_gives, number, divisor, part, wanted), guess, room) or 0
        chosen.append((part, more))
        left -= percent(number + more, divisor, part) - now
    if left > 0:
        raise Stuck("too_few_people", _inputs(parts[0].denominator, draft)[0])
    yield from chosen


def _gives(number: int, divisor: int, part: Percentage, wanted: int, more: int) -> bool:
    return percent(number + more, divisor, part) >= wanted


def _people_by_points(part: Percentage, points: int, draft: Draft) -> list[int]:
    """Fewest people to add for each number of points that the part is to rise by, as far as there are people."""
    divisor, number = value_of(part.denominator, draft.values) or 0, value_of(part.numerator, draft.values) or 0
    room = min(divisor - number, _room(_lever(_inputs(part.numerator, draft), draft), draft))
    costs = draft.tables.setdefault((id(part), number, divisor, room), [0])
    now = percent(number, divisor, part)
    for low in range(now + len(costs), now + points + 1):
        more = max(-(-(2 * low - 1) * divisor // (200 * 10**part.rounding.decimals)) - number, costs[-1])
        while more > costs[-1] and percent(number + more - 1, divisor, part) >= low:
            more -= 1
        while more <= room and percent(number + more, divisor, part) < low:
            more += 1
        if more > room:
            break
        costs.append(more)
    return costs[: points + 1]


def _count(formula: Input | Sum | FirstReported, goal: Goal, draft: Draft) -> None:
    if value_of(formula, draft.values) is None:
        _report(formula, draft)
    value = value_of(formula, draft.values) or 0
    inputs = _inputs(formula, draft)
    if goal.holds(value):
        return
    if any(path.startswith("population.") for path in inputs) and not all(path in draft.changed for path in inputs):
        raise Stuck("not_improvable", inputs[0])
    if goal.high is not None:
        fewer = value - goal.high
        if goal.high < 0:
            raise Stuck("not_improvable", inputs[0])
        _take(inputs, fewer, draft)
        draft.effort += Fraction(TENTH * fewer, value)
        return
    more = (goal.low or 0) - value
    lever = _lever(inputs, draft)
    if more > _room(lever, draft):
        raise Stuck("too_few_people", lever)
    _win(lever, more, value + more, draft)


def _inputs(formula: Number, draft: Draft) -> list[str]:
    """The counts that a number is made of now."""
    match formula:
        case FirstReported():
            used = (part for part in formula.of if value_of(part, draft.values) is not None)
            return _inputs(next(used, formula.of[0]), draft)
        case Sum():
            return [part.input for part in formula.of]
        case _:
            return [formula.input]


def _report(formula: Number, draft: Draft) -> None:
    """Suppose the least that gives a number a value: a population figure as large as what is known of it, else 0."""
    if value_of(formula, draft.values) is not None:
        return
    match formula:
        case FirstReported():
            _report(formula.of[0], draft)
        case Sum():
            gone = [part.input for part in formula.of if draft.values[part.input] is None]
            for path in gone if formula.missing is Missing.PROPAGATE else gone[:1]:
                draft.put(path, _assumed(path, draft))
        case Input():
            draft.put(formula.input, _assumed(formula.input, draft))


def _assumed(path: str, draft: Draft) -> int:
    """The least that fits what is known: people taking part, and that families of one kind are among all families."""
    if not path.startswith("population."):
        return 0
    group = _OF_WHOLE.get(path)
    known = 0 if group is None else draft.total((*group.members, *_willing(group, draft), *group.others))
    size = max(ASSUMED_SIZE, known)
    families = draft.values.get(_FAMILIES)
    if path == _FAMILIES:
        return max(size, *(draft.count(kind) for kind in _KINDS_OF_FAMILIES))
    return max(min(size, families), known) if path in _KINDS_OF_FAMILIES and families is not None else size


def _lever(paths: Sequence[str], draft: Draft) -> str:
    """The count to add to: the one that serves most indicators, of those the largest. Sterilisation is not proposed."""
    return max(paths, key=lambda path: (draft.pull.get(path, 0), path not in _PERMANENT, draft.count(path)))


def _willing(group: Group, draft: Draft) -> list[str]:
    """Counts of those to be won first: by reason where reasons were reported, else the total."""
    split = [path for path in group.willing if draft.values.get(path) is not None]
    if split or not group.willing:
        return split
    return [_UNMET_TOTAL] if draft.values.get(_UNMET_TOTAL) is not None else []


def _room(path: str, draft: Draft) -> int:
    """How many people a count can grow by."""
    group = GROUP_OF.get(path)
    whole = None if group is None else draft.values.get(group.whole)
    if group is None or whole is None:
        return MAX_COUNT - draft.count(path)
    taken = draft.total((*group.members, *group.others))
    if path not in group.members:
        taken += draft.total(_willing(group, draft))
    return max(int(whole) - taken, 0)


def _win(path: str, people: int, out_of: int, draft: Draft) -> None:
    """New people take part; those who wanted to are won first."""
    draft.put(path, draft.count(path) + people, Fraction(TENTH * people, max(out_of, 1)))
    group = GROUP_OF.get(path)
    if group is not None and path in group.members:
        willing = _willing(group, draft)
        _take(willing, min(people, draft.total(willing)), draft)


def _take(paths: Sequence[str], people: int, draft: Draft) -> None:
    """Fewer in these counts together, from the largest."""
    for path in sorted(paths, key=draft.count, reverse=True):
        fewer = min(people, draft.count(path))
        if fewer:
            draft.put(path, draft.count(path) - fewer, 0)
            people -= fewer


def _edge(goal: Goal, divisor: int, formula: Percentage) -> int:
    """About the number that gives the goal's edge."""
    units = next((edge for edge in (goal.low, goal.high, goal.worst) if edge is not None), 0)
    return int((2 * units - 1) * divisor // (200 * 10**formula.rounding.decimals) + 1)


def _smallest(holds: Callable[[int], bool], guess: int, most: int, low: int = 1) -> int | None:
    """The smallest number from `low` to `most` for which a rising condition holds; fast where the guess is near."""
    if most < low or not holds(most):
        return None
    high = min(max(guess, low), most)
    step = 1
    while not holds(high):
        low, high, step = high + 1, min(high + step, most), 2 * step
    below, step = high - 1, 1
    while below >= low and holds(below):
        high, below, step = below, below - step, 2 * step
    low = max(low, below + 1)
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high


def _largest(holds: Callable[[int], bool], guess: int, most: int) -> int:
    """The largest number from 0 to `most` for which a falling condition holds; 0 where it holds for none."""
    first = _smallest(lambda number: not holds(number), guess, most, low=0)
    return most if first is None else max(first - 1, 0)


def pull_of(engine: Engine) -> dict[str, int]:
    """How many indicators a count raises, less those that it lowers."""
    pull: dict[str, int] = {}
    for compiled in engine.indicators:
        better = 1 if compiled.indicator.direction is Direction.HIGHER else -1
        for percentage in _percentages(compiled.indicator.formula):
            above = {leaf.input for leaf in operands(percentage.numerator)}
            below = {leaf.input for leaf in operands(percentage.denominator)}
            for path in above:
                pull[path] = pull.get(path, 0) + better
            for path in below - above:
                pull[path] = pull.get(path, 0) - better
    return pull


def _percentages(formula: Formula) -> list[Percentage]:
    return formula.of if isinstance(formula, Mean) else [formula] if isinstance(formula, Percentage) else []


def touched_by(indicator: Indicator) -> set[str]:
    """Every fact that raising the indicator may read or change, population figures that were reported apart."""
    touched: set[str] = set()
    for leaf in operands(indicator.formula):
        touched.add(leaf.input)
        group = GROUP_OF.get(leaf.input)
        if group is not None:
            touched.update(
                (*group.members, *group.willing, _UNMET_TOTAL, group.whole)
                if group.willing
                else (*group.members, group.whole)
            )
    families = {_FAMILIES, *_KINDS_OF_FAMILIES}
    return touched | families if touched & families else touched


def watched() -> set[str]:
    """Paths beyond a ruleset's own that proposals look at."""
    return {path for group in GROUPS for path in (group.whole, *group.members, *group.willing, *group.others)} | {
        _UNMET_TOTAL
    }
