"""Two rulesets over random villages: what a batch says is what each village alone says, by plain arithmetic."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import orjson
import pytest

from benchmarks.evaluation import village as random_village
from contracts.regions import RegionLevel
from services.scoring.comparisons.comparing import CLASSES, Pair, Summary
from services.scoring.comparisons.presenting import comparison
from services.scoring.rulesets.checks import read_ruleset
from services.scoring.rulesets.document import Ruleset
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import shipped_rulesets
from tests.scoring.rulesets.made_rulesets import made, stricter
from tests.scoring.rulesets.made_villages import family_planning, profile, village

REPORTS = ("profile", "population", "family_planning", "interventions")


def compiled(document: dict[str, Any]) -> Engine:
    return Engine(read_ruleset(orjson.dumps(document)))


def renamed() -> dict[str, Any]:
    """One indicator has another code, so that each side has one that the other lacks."""
    document = made()
    document["indicators"][0]["code"] = "input_working_group"
    return document


def laxer() -> dict[str, Any]:
    """No score differs; the threshold does."""
    document = made()
    for dimension in document["dimensions"]:
        dimension["threshold"] = "2.50"
    return document


PAIRS = {
    "another band": (shipped_rulesets()["web-2021"], compiled(stricter())),
    "not assessable": (shipped_rulesets()["web-2021"], shipped_rulesets()["web-2021-intended"]),
    "from not assessable": (shipped_rulesets()["web-2021-intended"], compiled(stricter())),
    "another indicator": (shipped_rulesets()["web-2021"], compiled(renamed())),
    "another threshold": (shipped_rulesets()["web-2021"], compiled(laxer())),
}


@pytest.fixture(scope="module")
def villages() -> list[dict[str, Any]]:
    """Villages of all kinds, some without a report; strong ones among them, so that thresholds are near."""
    dice = random.Random(20240701)
    found = [random_village(dice) for _ in range(150)]
    strong = [
        village(
            profile=profile(funds=dice.randint(1, 5), groups=4, pokja_trained=dice.random() < 0.3),
            family_planning=family_planning(participation=dice.randint(0, 40), unmet=dice.randint(0, 15)),
        )
        for _ in range(150)
    ]
    return [
        {name: None if dice.random() < 0.05 and name in REPORTS else value for name, value in one.items()}
        for one in [*found, *strong]
    ]


def class_of(ruleset: Ruleset, scores: Mapping[str, int | None]) -> str | None:
    """The class out of scores by plain arithmetic."""
    met = set()
    for dimension in ruleset.dimensions:
        own = [(one.weight, scores[one.code]) for one in ruleset.indicators_of(dimension.code)]
        if any(score is None for _, score in own):
            return None
        total = sum(weight * Decimal(score or 0) for weight, score in own)
        index = (total / sum(weight for weight, _ in own)).quantize(Decimal("0.01"), ROUND_HALF_UP)
        if index >= dimension.threshold:
            met.add(dimension.code)
    return next(row.village_class for row in ruleset.class_matrix if set(row.met) == met)


@pytest.mark.parametrize("name", PAIRS)
class TestCompare:
    def test_a_batch_is_what_each_village_alone_is(self, name: str, villages: list[dict[str, Any]]) -> None:
        pair = Pair(*PAIRS[name])
        compared = pair.compare(villages)
        for row, facts in enumerate(villages):
            one, other = (engine.evaluate([facts]) for engine in PAIRS[name])
            assert CLASSES[compared.classes_a[row]] == one.village_class(0)
            assert CLASSES[compared.classes_b[row]] == other.village_class(0)
            a, b = one.scores_of(0), other.scores_of(0)
            differ = [(code, a.get(code), b.get(code)) for code in pair.codes if a.get(code) != b.get(code)]
            assert list(compared.differences(row)) == differ

    def test_who_decides_alone(self, name: str, villages: list[dict[str, Any]]) -> None:
        pair = Pair(*PAIRS[name])
        compared = pair.compare(villages)
        for row, facts in enumerate(villages):
            one, other = (engine.evaluate([facts]) for engine in PAIRS[name])
            a, b, goal = one.scores_of(0), other.scores_of(0), other.village_class(0)
            expected = [
                code
                for code in pair.codes
                if code in a and code in b and a[code] != b[code] and one.village_class(0) != goal
                if class_of(pair.a.ruleset, {**a, code: b[code]}) == goal
            ]
            assert [code for code, does in zip(pair.codes, compared.alone[row], strict=True) if does] == expected

    def test_parts_add_up_and_batches_do_not_matter(self, name: str, villages: list[dict[str, Any]]) -> None:
        pair = Pair(*PAIRS[name])
        parts = [f"33.{26 + place % 3}" for place in range(len(villages))]
        made_up = [place % 7 == 0 for place in range(len(villages))]
        whole, pieces = Summary(pair), Summary(pair)
        whole.add(pair.compare(villages), parts, made_up)
        for start in range(0, len(villages), 37):
            piece = slice(start, start + 37)
            pieces.add(pair.compare(villages[piece]), parts[piece], made_up[piece])
        shown = comparison(whole, "33", RegionLevel.REGENCY, {"33": "Jawa Tengah"})
        assert comparison(pieces, "33", RegionLevel.REGENCY, {"33": "Jawa Tengah"}) == shown
        assert [item.region_code for item in shown.items] == ["33.26", "33.27", "33.28"]
        for total in ("villages", "changed", "simulated"):
            assert sum(getattr(item, total) for item in shown.items) == getattr(shown.total, total)
        moves: Counter[Any] = Counter()
        for item in shown.items:
            moves.update({(one.from_class, one.to_class): one.villages for one in item.transitions})
        assert moves == {(one.from_class, one.to_class): one.villages for one in shown.total.transitions}
        assert moves.total() == len(villages)
        alone = pair.compare(villages)
        changed = alone.changed
        assert shown.total.changed == int(changed.sum())
        assert shown.decided_by_none == sum(
            bool(changed[row]) and not alone.alone[row].any() for row in range(len(villages))
        )


def test_what_one_band_does(villages: list[dict[str, Any]]) -> None:
    """There is something to see at all: villages fall, and the one indicator that differs does it alone."""
    pair = Pair(*PAIRS["another band"])
    summary = Summary(pair)
    summary.add(pair.compare(villages), ["33"] * len(villages), [False] * len(villages))
    (funds,) = [one for one in summary.indicators if one.differs]
    assert funds.code == "input_sumber_dana"
    assert 0 < funds.decided_alone == funds.differs_where_changed < funds.differs
    assert summary.decided_by_none == 0


def test_an_indicator_of_one_ruleset_only(villages: list[dict[str, Any]]) -> None:
    pair = Pair(*PAIRS["another indicator"])
    summary = Summary(pair)
    summary.add(pair.compare(villages), ["33"] * len(villages), [False] * len(villages))
    shown = {one.code: one for one in comparison(summary, None, RegionLevel.PROVINCE, {}).indicators}
    assert [(shown[code].in_a, shown[code].in_b) for code in ("input_pokja", "input_working_group")] == [
        (True, False),
        (False, True),
    ]
    assert shown["input_pokja"].differs == len(villages)
    assert shown["input_pokja"].decided_alone is None


def test_a_threshold_changes_classes_and_no_indicator_does(villages: list[dict[str, Any]]) -> None:
    pair = Pair(*PAIRS["another threshold"])
    summary = Summary(pair)
    summary.add(pair.compare(villages), ["33"] * len(villages), [False] * len(villages))
    assert not any(one.differs for one in summary.indicators)
    assert summary.decided_by_none == comparison(summary, None, RegionLevel.PROVINCE, {}).total.changed > 0
