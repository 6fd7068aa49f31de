"""The smallest set of indicator improvements that gives a village a class: exact, and confirmed by the engine.

Smallest is: the fewest indicators to work on, then the fewest score steps, then the least effort. Indicators that share
facts form a component: every set of goals of a component is drafted together and scored by the engine, so what one does
to another is known, not assumed. Components do not touch each other, so costs and score totals add up, and the cheapest
way to every total of a dimension is found component by component.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from math import lcm
from operator import add
from typing import Any

import numpy as np

from services.scoring.paths.arithmetic import Bands, value_of
from services.scoring.paths.levers import (
    Change,
    Draft,
    Effort,
    Goal,
    Stuck,
    goals_of,
    pull_of,
    reach,
    touched_by,
    watched,
)
from services.scoring.rulesets.columns import AS_OF, PERIODS, VillageFacts, age_in_months
from services.scoring.rulesets.document import operands
from services.scoring.rulesets.engine import NOT_ASSESSABLE, Engine, rounded_quotient
from services.scoring.rulesets.telling import fact_at
from services.scoring.what_ifs.rules import suppose

KINDS = ("profile", "population", "family_planning")
MOST_TRIED = 4_000
"""Most sets of goals tried of one component; sets of few indicators come first."""
TOP_SCORE = 4
_ROUNDS = 4

Component = tuple[int, ...]
"""Places of indicators that share facts."""
Weighed = tuple[int, int, int]
"""A cost as it is compared: indicators, steps, effort in a common unit."""
_State = tuple[Weighed, Any]
"""The cheapest way to a total: its cost, and the options it is made of as a chain."""
_Pick = tuple[Component, "Option"]
_Step = tuple[tuple[int, ...], Weighed, _Pick]
"""What an option adds to a total, and its cost."""


@dataclass(frozen=True)
class Improvement:
    """One indicator to work on: its place in the ruleset, scores before and after (0 = none), the facts that change."""

    place: int
    before: int
    after: int
    changes: tuple[Change, ...]
    effort: Effort


@dataclass(frozen=True, order=True)
class Cost:
    """What makes one path smaller than another, most important first."""

    indicators: int
    steps: int
    effort: Effort


@dataclass(frozen=True)
class Path:
    """A way to a class: what to work on, and the reports to be made for the first time, or anew.

    `supposed` are the facts that would be different, by path, `told` those that a report made anew says again, and `facts` the village with them. `proven`: every
    smaller set was tried; only where very many indicators share facts some are not.
    """

    cost: Cost
    improvements: tuple[Improvement, ...]
    reports: tuple[str, ...]
    told: Mapping[str, Any]
    supposed: Mapping[str, Any]
    facts: VillageFacts
    proven: bool


@dataclass(frozen=True)
class Obstacle:
    """Why an indicator scores no higher than its best: a code, and the fact that stands in the way."""

    place: int
    best: int
    code: str
    path: str | None


@dataclass(frozen=True)
class Blocked:
    """A dimension that stays below its threshold whatever is done: its highest index in units (0 = none), and why."""

    dimension: int
    highest: int
    obstacles: tuple[Obstacle, ...]


@dataclass(frozen=True)
class NoPath:
    """A class that cannot be reached. No dimension is named where each could be met, but not all together.

    `proven` as of a path: where not every set was tried, there may be a path all the same.
    """

    blocked: tuple[Blocked, ...]
    proven: bool


@dataclass(frozen=True)
class Drafted:
    """One goal of a set, with what was changed for it."""

    goal: Goal
    changes: Mapping[str, Change]
    effort: Effort


@dataclass(frozen=True)
class Tried:
    """A set of goals that can be brought about together, and the facts with it."""

    goals: tuple[Drafted, ...]
    draft: Draft

    @property
    def supposed(self) -> dict[str, Any]:
        """The facts that would be different, by path."""
        return {path: self.draft.values[path] for one in self.goals for path in one.changes}

    def with_goal(self, goal: Goal) -> Tried:
        """The set with one goal more; all are looked at again until nothing has to be changed. Raises Stuck."""
        draft = self.draft.copy()
        goals = (*self.goals, _worked_on(Drafted(goal, {}, 0), draft))
        for _ in range(_ROUNDS):
            again = tuple(_worked_on(one, draft) for one in goals) if self.goals else goals
            if all(one is other for one, other in zip(goals, again, strict=True)):
                return Tried(goals, draft)
            goals = again
        raise Stuck("not_improvable")


def _worked_on(drafted: Drafted, draft: Draft) -> Drafted:
    before, effort = dict(draft.values), draft.effort
    draft.changed.clear()
    reach(drafted.goal, draft)
    if not draft.changed:
        return drafted
    changes = dict(drafted.changes)
    for path in draft.changed:
        first = changes[path].before if path in changes else before[path]
        changes[path] = Change(path, first, draft.values[path])
    return Drafted(drafted.goal, changes, drafted.effort + draft.effort - effort)


@dataclass(frozen=True)
class Option:
    """A set of goals of one component (or no goal): the scores its indicators then have, and what it takes."""

    scores: tuple[int, ...]
    improvements: tuple[Improvement, ...] = ()
    supposed: Mapping[str, Any] = field(default_factory=dict)
    reports: int = 0
    """Bits of the reports to be made in which something is worked on."""
    effort: Effort = 0


@dataclass(frozen=True)
class _Choice:
    """The cheapest options that meet exactly these dimensions, and work on these reports (bits)."""

    cost: Weighed
    met: int
    reports: int
    options: tuple[tuple[Component, Option], ...]

    def with_other(self, other: _Choice) -> _Choice:
        """Both: they are about different dimensions."""
        cost, options = _sum(self.cost, other.cost), (*self.options, *other.options)
        return _Choice(cost, self.met | other.met, self.reports | other.reports, options)


def find_path(engine: Engine, village: VillageFacts, to: int, now: Sequence[int] | None = None) -> Path | NoPath:
    """The smallest path to a class or a better one, `to` being its place in the ruleset's order of classes.

    `now` are the village's scores (0 = none) where they are known already.
    """
    before = _scores(engine, village) if now is None else now
    searches = [Search(engine, village, before, made) for made in reports_to_make(engine, village)]
    found = [path for path in (search.path(to) for search in searches) if path is not None]
    if found:
        return min(found, key=lambda path: path.cost)
    return NoPath(
        _blocked(engine, searches, to), all(search.proven_to == len(engine.indicators) for search in searches)
    )


def _scores(engine: Engine, village: VillageFacts) -> list[int]:
    scores: list[int] = engine.evaluate([village]).scores[0].tolist()
    return scores


def reports_to_make(engine: Engine, village: VillageFacts) -> Iterator[tuple[str, ...]]:
    """Which reports could be made, for the first time or anew, where that counts; none of them first."""
    absent = _to_make(engine, village)
    for size in range(len(absent) + 1):
        yield from combinations(absent, size)


def _to_make(engine: Engine, village: VillageFacts) -> list[str]:
    """Kinds of report whose absence counts, and those of which an answer is older than the ruleset allows."""
    required = plan_of(engine).required
    return [
        kind
        for kind in KINDS
        if (kind in required and village.get(kind) is None)
        or (kind in engine.limits and _is_old(engine, village, kind))
    ]


def _is_old(engine: Engine, village: VillageFacts, kind: str) -> bool:
    if village.get(kind) is None:
        return False
    ages = [age_in_months(village, path) for path in (kind, *engine.paths) if path.partition(".")[0] == kind]
    return any(age is None or age > engine.limits[kind] for age in ages)


def _with_reports(village: VillageFacts, made: tuple[str, ...]) -> dict[str, Any]:
    """The village with reports made this month: empty for the first time, or with the answers that there are."""
    if not made:
        return dict(village)
    facts = {**village, **{kind: village.get(kind) or {} for kind in made}}
    day = village.get(AS_OF)
    if day is not None:
        kept = {
            path: month for path, month in (village.get(PERIODS) or {}).items() if path.partition(".")[0] not in made
        }
        facts[PERIODS] = kept | dict.fromkeys(made, day[:7])
    return facts


def _told(engine: Engine, village: VillageFacts, made: tuple[str, ...]) -> dict[str, Any]:
    """What a report that is made anew says: its answers as they are, those that were not given among them."""
    anew = {kind for kind in made if village.get(kind) is not None}
    return {path: fact_at(village, path) for path in engine.paths if path.partition(".")[0] in anew}


def class_places(engine: Engine) -> list[int]:
    """Place of the class for every combination of met thresholds; bit k stands for dimension k."""
    bits = {dimension.code: 1 << place for place, dimension in enumerate(engine.dimensions)}
    places = [0] * (1 << len(bits))
    for row in engine.ruleset.class_matrix:
        places[sum(bits[code] for code in row.met)] = engine.classes.index(row.village_class)
    return places


class Plan:
    """What the search needs to know of a ruleset, whatever the village."""

    def __init__(self, engine: Engine) -> None:
        self.pull = pull_of(engine)
        self.paths = sorted({*engine.paths, *watched()})
        self.places = class_places(engine)
        self.required = {kind.value for compiled in engine.indicators for kind in compiled.indicator.requires}
        self.bands = [Bands(compiled) for compiled in engine.indicators]
        self.goals = [goals_of(compiled, place) for place, compiled in enumerate(engine.indicators)]
        self.touched = [touched_by(compiled.indicator) for compiled in engine.indicators]
        self.reads = [
            {kind.value for kind in compiled.indicator.requires}
            | {leaf.input.partition(".")[0] for leaf in operands(compiled.indicator.formula)}
            for compiled in engine.indicators
        ]
        self.dimension_of = {at: place for place, one in enumerate(engine.dimensions) for at in one.columns}
        self.weight_of: dict[int, int] = {}
        for one in engine.dimensions:
            self.weight_of.update(zip(one.columns, one.weights.tolist(), strict=True))


@lru_cache(maxsize=32)
def plan_of(engine: Engine) -> Plan:
    """The plan of a ruleset; engines live as long as the process keeps their ruleset."""
    return Plan(engine)


class Search:
    """All ways of one village with certain reports made for the first time."""

    def __init__(
        self, engine: Engine, village: VillageFacts, before: Sequence[int], made: tuple[str, ...] = ()
    ) -> None:
        self.engine = engine
        self.plan = plan_of(engine)
        self.made = made
        self.before = before
        self.told = _told(engine, village, made)
        self.village = _with_reports(village, made)
        self.now = _scores(engine, self.village) if made else before
        closed = set(_to_make(engine, self.village))
        values = {path: fact_at(self.village, path) for path in self.plan.paths}
        self.blank = Draft({**values, AS_OF: self.village.get(AS_OF)}, self.plan.pull, frozenset(closed))
        self.blind = {place for place, reads in enumerate(self.plan.reads) if reads & closed}
        self.highest = [NOT_ASSESSABLE] * len(engine.dimensions)
        self.stuck: dict[int, Stuck] = {}
        self.proven_to = len(engine.indicators)
        self.options: dict[Component, list[Option]] = {}
        # Plain arithmetic is many times faster for one village, but what counts is the engine's.
        self.plain = all(self._plain_score(place, self.blank) == score for place, score in enumerate(self.now))
        if not self._is_hopeless():
            self._score(self._components())

    def _is_hopeless(self) -> bool:
        """Whether some index has no value whatever is done, because a report is not made."""
        propagating = {at for one in self.engine.dimensions if one.propagate for at in one.columns}
        return any(self.now[place] == NOT_ASSESSABLE for place in self.blind & propagating)

    def path(self, to: int) -> Path | None:
        """The smallest path that the engine confirms, or None."""
        places, all_made = self.plan.places, (1 << len(self.made)) - 1
        while self.options:
            choices = [one for one in self._choices() if places[one.met] >= to and one.reports == all_made]
            if not choices:
                break
            best = min(choices, key=lambda choice: choice.cost)
            supposed = {path: value for _, option in best.options for path, value in option.supposed.items()}
            facts = suppose(self.village, nested(supposed))
            evaluation = self.engine.evaluate([facts])
            if evaluation.scores[0].tolist() == self._expected(best) and int(evaluation.classes[0]) >= to:
                return self._path(best, supposed, facts)
            self._correct(best)
        return None

    def _expected(self, best: _Choice) -> list[int]:
        scores = list(self.now)
        for component, option in best.options:
            for place, score in zip(component, option.scores, strict=True):
                scores[place] = score
        return scores

    def _correct(self, best: _Choice) -> None:
        """The engine says otherwise: let it score every set, and if it did, try together what disturbed each other."""
        if self.plain:
            self.plain, self.options = False, {}
            self._score(self._components())
        else:
            self._join([[place for component, _ in best.options for place in component]])

    def _path(self, best: _Choice, supposed: dict[str, Any], facts: VillageFacts) -> Path:
        improvements = sorted(
            (one for _, option in best.options for one in option.improvements), key=lambda one: one.place
        )
        effort = len(self.made) + sum(option.effort for _, option in best.options)
        cost = Cost(best.cost[0], best.cost[1], effort)
        proven = best.cost[0] <= self.proven_to
        return Path(cost, tuple(improvements), self.made, self.told, supposed, facts, proven)

    def _components(self) -> list[Component]:
        """Indicators that touch a common fact, directly or through others. Figures that stay as they are join nobody."""
        groups: list[tuple[set[int], set[str]]] = []
        for place, paths in enumerate(self.plan.touched):
            mine, touched = {place}, {path for path in paths if not self._is_fixed(path)}
            for group in [group for group in groups if group[1] & touched]:
                groups.remove(group)
                mine |= group[0]
                touched |= group[1]
            groups.append((mine, touched))
        return sorted(tuple(sorted(mine)) for mine, _ in groups)

    def _is_fixed(self, path: str) -> bool:
        return path.startswith("population.") and self.blank.values.get(path) is not None

    def _join(self, together: Iterable[Iterable[int]]) -> None:
        """Indicators that turned out to disturb each other (each a set of places) are tried together from now on."""
        groups = [set(component) for component in self.options]
        for places in map(set, together):
            joined = [group for group in groups if group & places]
            groups = [group for group in groups if group not in joined] + [set().union(*joined)]
        components = [tuple(sorted(group)) for group in groups]
        self.options = {component: own for component, own in self.options.items() if component in components}
        self._score([component for component in components if component not in self.options])

    def _score(self, components: list[Component]) -> None:
        """Try every set of goals of the components, and score what comes of each."""
        tries = [(component, self._tries(component)) for component in components]
        scored = self._plainly(tries) if self.plain else self._by_engine([one for _, some in tries for one in some])
        strangers: list[Component] = []
        for component, some in tries:
            options = [Option(tuple(self.now[place] for place in component))]
            for tried, scores in zip(some, scored, strict=False):
                others = [place for place, score in enumerate(scores) if score != self.now[place]]
                if not set(others) <= set(component):
                    strangers.append((*component, *others))
                elif all(scores[one.goal.place] >= one.goal.score for one in tried.goals):
                    options.append(self._option(tried, scores, component))
            self.options[component] = options
        if strangers:
            self._join(strangers)

    def _plainly(self, tries: list[tuple[Component, list[Tried]]]) -> Iterator[list[int]]:
        """Scores of each set by plain arithmetic, the component's own indicators anew."""
        for component, some in tries:
            for tried in some:
                scores = list(self.now)
                for place in component:
                    scores[place] = self._plain_score(place, tried.draft)
                yield scores

    def _plain_score(self, place: int, draft: Draft) -> int:
        if place in self.blind:
            return self.now[place]
        formula = self.engine.indicators[place].indicator.formula
        return self.plan.bands[place].score_of(value_of(formula, draft.values))

    def _by_engine(self, tries: list[Tried]) -> Iterator[list[int]]:
        """Scores of each set by the engine, in one batch."""
        batch = [suppose(self.village, nested(tried.supposed)) for tried in tries]
        return iter(self.engine.evaluate(batch).scores.tolist() if batch else [])

    def _tries(self, component: Component) -> list[Tried]:
        """Every set of goals of a component that can be brought about, sets of few indicators first."""
        sets, tries, number = [Tried((), self.blank)], list[Tried](), 0
        for size in range(1, len(component) + 1):
            steps = [(one, goal) for one in sets for place in component for goal in self._goals(place, one)]
            number += len(steps)
            if number > MOST_TRIED:
                self.proven_to = min(self.proven_to, size - 1)
                break
            sets = [longer for one, goal in steps if (longer := self._try(one, goal)) is not None]
            tries += sets
        return tries

    def _goals(self, place: int, others: Tried) -> list[Goal]:
        """Scores worth reaching: better than before, and not less than what making the reports gives already."""
        if place in self.blind or (others.goals and others.goals[-1].goal.place >= place):
            return []
        goals = self.plan.goals[place]
        return [goal for goal in goals if goal.score > self.before[place] and goal.score >= self.now[place]]

    def _try(self, others: Tried, goal: Goal) -> Tried | None:
        try:
            return others.with_goal(goal)
        except Stuck as stuck:
            if not others.goals:
                self.stuck.setdefault(goal.place, stuck)
            return None

    def _option(self, tried: Tried, scores: Sequence[int], own: Component) -> Option:
        improvements = tuple(
            Improvement(
                place=one.goal.place,
                before=self.before[one.goal.place],
                after=scores[one.goal.place],
                changes=tuple(one.changes.values()),
                effort=one.effort,
            )
            for one in tried.goals
        )
        reports = 0
        for one in tried.goals:
            reports |= self._reports_of(one.goal)
        effort = sum(one.effort for one in tried.goals)
        return Option(tuple(scores[place] for place in own), improvements, tried.supposed, reports, effort)

    def _reports_of(self, goal: Goal) -> int:
        """Bits of the reports made for the first time that an indicator rests on."""
        return sum(1 << bit for bit, kind in enumerate(self.made) if kind in self.plan.reads[goal.place])

    def _choices(self) -> list[_Choice]:
        """For every combination of dimensions met, and reports worked on, the cheapest options."""
        unit = lcm(*(one.effort.denominator for options in self.options.values() for one in options))
        choices = [_Choice((0, 0, 0), 0, 0, ())]
        for block in self._blocks():
            own = self._block_choices(*block, unit)
            choices = _cheapest(one.with_other(other) for one in choices for other in own)
        return choices

    def _blocks(self) -> list[tuple[list[int], list[Component]]]:
        """Dimensions that components tie together, with their components; usually each dimension by itself."""
        blocks: list[tuple[set[int], list[Component]]] = []
        for component in self.options:
            dimensions, own = {self.plan.dimension_of[place] for place in component}, [component]
            for block in [block for block in blocks if block[0] & dimensions]:
                blocks.remove(block)
                dimensions |= block[0]
                own = block[1] + own
            blocks.append((dimensions, own))
        return [(sorted(dimensions), own) for dimensions, own in blocks]

    def _block_choices(self, dimensions: list[int], components: list[Component], unit: int) -> list[_Choice]:
        """The cheapest way to every total of scores and weights, component by component, then what each total meets."""
        states: dict[tuple[int, ...], _State] = {(0,) * (2 * len(dimensions) + 1): ((0, 0, 0), None)}
        for component in components:
            steps = [
                step for option in self.options[component] if (step := self._step(dimensions, component, option, unit))
            ]
            states = _advanced(states, steps)
        if not states:
            return []
        met = self._met(dimensions, list(states))
        return _cheapest(
            _Choice(cost, bits, key[-1], _unrolled(picks))
            for (key, (cost, picks)), bits in zip(states.items(), met, strict=True)
            if bits is not None
        )

    def _step(self, dimensions: list[int], component: Component, option: Option, unit: int) -> _Step | None:
        """What an option adds to totals and weights of a block's dimensions; None where an index would have no value."""
        added = [0] * (2 * len(dimensions) + 1)
        for place, score in zip(component, option.scores, strict=True):
            at = dimensions.index(self.plan.dimension_of[place])
            if score != NOT_ASSESSABLE:
                added[2 * at] += self.plan.weight_of[place] * score
                added[2 * at + 1] += self.plan.weight_of[place]
            elif self.engine.dimensions[dimensions[at]].propagate:
                return None
        added[-1] = option.reports
        steps = sum(one.after - one.before for one in option.improvements)
        effort = int(option.effort * unit)
        return tuple(added), (len(option.improvements), steps, effort), (component, option)

    def _met(self, dimensions: list[int], keys: list[tuple[int, ...]]) -> list[int | None]:
        """Bits of the thresholds that totals reach, by the engine's own division; None where an index has no value."""
        table = np.array(keys, dtype=np.int64)
        bits, whole = np.zeros(len(keys), dtype=np.int64), np.ones(len(keys), dtype=np.bool_)
        for at, place in enumerate(dimensions):
            dimension = self.engine.dimensions[place]
            total, weight = table[:, 2 * at] * 10**dimension.decimals, table[:, 2 * at + 1]
            index = np.where(weight > 0, rounded_quotient(total, np.maximum(weight, 1), dimension.mode), NOT_ASSESSABLE)
            whole &= index != NOT_ASSESSABLE
            bits |= (index >= dimension.threshold).astype(np.int64) << place
            self.highest[place] = max(self.highest[place], int(index.max()))
        return [int(one) if known else None for one, known in zip(bits, whole, strict=True)]

    def obstacles(self, dimension: int) -> tuple[Obstacle, ...]:
        """Why the indicators of a dimension score no higher."""
        return tuple(
            obstacle
            for place in self.engine.dimensions[dimension].columns
            if (obstacle := self._obstacle(place)) is not None
        )

    def _obstacle(self, place: int) -> Obstacle | None:
        component = next((component for component in self.options if place in component), None)
        if component is None:
            return None
        best = max(option.scores[component.index(place)] for option in self.options[component])
        stuck = self.stuck.get(place)
        if stuck is not None:
            return Obstacle(place, best, stuck.code, stuck.path)
        top = int(self.engine.indicators[place].scores.max())
        return Obstacle(place, best, "top_of_ruleset", None) if best == top < TOP_SCORE else None


def nested(supposed: Mapping[str, Any]) -> dict[str, Any]:
    """Facts by path as the nested facts that a supposition takes."""
    facts: dict[str, Any] = {}
    for path, value in supposed.items():
        *groups, name = path.split(".")
        inner = facts
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[name] = value
    return facts


def _advanced(states: dict[tuple[int, ...], _State], steps: list[_Step]) -> dict[tuple[int, ...], _State]:
    """Every state with every step, the cheapest way to each total kept."""
    last = len(next(iter(states))) - 1 if states else 0
    reached: dict[tuple[int, ...], _State] = {}
    for key, (cost, picks) in states.items():
        for added, own, pick in steps:
            total = (*map(add, key[:last], added), key[last] | added[last])
            summed = _sum(cost, own)
            known = reached.get(total)
            if known is None or summed < known[0]:
                reached[total] = (summed, (picks, pick))
    return reached


def _sum(one: Weighed, other: Weighed) -> Weighed:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _unrolled(picks: Any) -> tuple[_Pick, ...]:
    """The options of a chain that work on something."""
    chosen: list[_Pick] = []
    while picks is not None:
        picks, pick = picks
        if pick[1].improvements:
            chosen.append(pick)
    return tuple(chosen)


def _cheapest(choices: Iterable[_Choice]) -> list[_Choice]:
    """Of choices that meet the same dimensions with the same reports, the cheapest."""
    best: dict[tuple[int, int], _Choice] = {}
    for choice in choices:
        key = (choice.met, choice.reports)
        if key not in best or choice.cost < best[key].cost:
            best[key] = choice
    return list(best.values())


def _blocked(engine: Engine, searches: list[Search], to: int) -> tuple[Blocked, ...]:
    """The dimensions that keep the village from the nearest combination that gives the class."""
    highest = [max(search.highest[place] for search in searches) for place in range(len(engine.dimensions))]
    low = {place for place, dimension in enumerate(engine.dimensions) if highest[place] < dimension.threshold}
    blank = {place for place in low if highest[place] == NOT_ASSESSABLE}
    rows = [
        [place for place in low if met >> place & 1 or place in blank]
        for met, reached in enumerate(plan_of(engine).places)
        if reached >= to
    ]
    nearest = min(rows, key=len)
    return tuple(Blocked(place, highest[place], searches[-1].obstacles(place)) for place in sorted(nearest))
