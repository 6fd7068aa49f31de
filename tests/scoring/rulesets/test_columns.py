"""What the engine reads: for every fact the columns of a batch say what reading village by village says."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.rulesets.columns import Columns, age_in_months, is_recent
from services.scoring.rulesets.inputs import INTERVENTIONS, InputKind, fact_inputs

DAYS = [None, "2025-03-31", "2025-04-01", "2026-03-31", "2026-04-01"]
KINDS = ("profile", "population", "family_planning")


@st.composite
def villages(draw: st.DrawFn) -> dict[str, Any]:
    """A village of which any section, group and answer may be absent, blank or there."""
    dice = draw(st.randoms(use_true_random=False))
    found: dict[str, Any] = {}
    for path, item in fact_inputs().items():
        if path == INTERVENTIONS or dice.random() < 0.3:
            continue
        groups, own = path.split("."), found
        for group in groups[:-1]:
            own = own.setdefault(group, {})
        value = _value(dice, item.kind)
        own[groups[-1]] = None if dice.random() < 0.2 else value
    for kind in KINDS:
        if dice.random() < 0.1:
            found[kind] = dice.choice([None, {}])
    if dice.random() < 0.9:
        done = [
            {"actors": dice.choice([None, [], [1, "media"], [2, 3, 3]]), "date": dice.choice(DAYS)}
            for _ in range(dice.randint(0, 3))
        ]
        found[INTERVENTIONS] = dice.choice([None, done, done, done])
    found["as_of"] = dice.choice([None, "2026-03-31"])
    groups = ("profile", "population", "population.pus", "family_planning.methods")
    found["periods"] = {
        group: dice.choice(["2024-12", "2025-09", "2026-03"]) for group in groups if dice.random() < 0.7
    }
    return found


def _value(dice: Any, kind: InputKind) -> Any:
    match kind:
        case InputKind.ANSWER:
            return dice.random() < 0.5
        case InputKind.COUNT:
            return dice.choice([0, 1, 7, 2_147_483_647])
        case _:
            return dice.choices(["a", "b", "c"], k=dice.randint(0, 4))


def plain(village: dict[str, Any], path: str) -> Any:
    """The fact, None where it was not reported."""
    found: Any = village
    for name in path.split("."):
        found = (found or {}).get(name)
    return found


@given(st.lists(villages(), max_size=5))
@settings(deadline=None, max_examples=25)
def test_columns_say_what_each_village_says(batch: list[dict[str, Any]]) -> None:
    columns = Columns(batch, fact_inputs())
    assert columns.size == len(batch)
    for kind in KINDS:
        assert columns.present(kind).tolist() == [village.get(kind) is not None for village in batch]
    for path, item in fact_inputs().items():
        told = [plain(village, path) for village in batch]
        assert columns.reported(path).tolist() == [value is not None for value in told]
        if item.kind in {InputKind.ANSWER, InputKind.COUNT}:
            assert columns.numbers(path).values.tolist() == [int(value or 0) for value in told]
        elif item.kind is InputKind.CHOICES:
            assert columns.distinct_choices(path)[0].tolist() == [len(set(value or ())) for value in told]
    for excluded in (frozenset(), frozenset({1, "media"})):
        counts = [
            len({actor for done in village.get(INTERVENTIONS) or () for actor in done["actors"] or ()} - excluded)
            for village in batch
        ]
        assert columns.distinct_actors(excluded)[0].tolist() == counts


@given(st.lists(villages(), max_size=5))
@settings(deadline=None, max_examples=25)
def test_ages_and_windows_are_what_each_village_says(batch: list[dict[str, Any]]) -> None:
    columns = Columns(batch, fact_inputs())
    for path in ("profile", "population.families", "population.pus", "family_planning.methods.iud"):
        ages = [age_in_months(village, path) for village in batch]
        there = [village.get(path.partition(".")[0]) is not None for village in batch]
        expected = [own and (age is None or age > 6) for own, age in zip(there, ages, strict=True)]
        assert columns.stale(path, 6).tolist() == expected
    excluded = frozenset({2})
    recent = [
        {
            actor
            for done in village.get(INTERVENTIONS) or ()
            if is_recent(done["date"], village["as_of"], 12)
            for actor in done["actors"] or ()
        }
        for village in batch
    ]
    counts, known = columns.recent_actors(excluded, 12)
    assert counts.tolist() == [len(actors - excluded) for actors in recent]
    assert known.tolist() == [
        done is not None and (not done or (village["as_of"] is not None and all(one["date"] for one in done)))
        for village in batch
        for done in [village.get(INTERVENTIONS)]
    ]
