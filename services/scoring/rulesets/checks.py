"""The checks that make a ruleset document safe to publish: references, bands, class matrix, what can be reached.

Every problem has a JSON pointer and a sentence that a programme officer understands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from services.scoring.rulesets.document import (
    Condition,
    CountActors,
    CountChoices,
    CountMet,
    Direction,
    FirstReported,
    FixedScore,
    Formula,
    GatedCount,
    Indicator,
    Input,
    Labels,
    Mean,
    Missing,
    Percentage,
    RoundingMode,
    Ruleset,
    RulesetInvalid,
    Sum,
    band_edges,
    can_be_missing,
    operands,
    span_of,
)
from services.scoring.rulesets.inputs import InputKind, fact_inputs
from services.scoring.rulesets.rules import (
    Problem,
    ScoreRange,
    Span,
    as_written,
    band_problems,
    direction_problems,
    in_units,
    index_range,
    matrix_problems,
    reach_problems,
    repeated,
    threshold_problem,
    too_many_digits,
)


def read_ruleset(raw: bytes) -> Ruleset:
    """Read and check a ruleset document (UTF-8 JSON). Raises RulesetInvalid with every problem found."""
    ruleset = Ruleset.parse(raw)
    problems = list(_problems(ruleset))
    if problems:
        raise RulesetInvalid(problems)
    return ruleset


def _problems(ruleset: Ruleset) -> Iterator[Problem]:
    found = list(_single_problems(ruleset))
    yield from found
    if not found:
        # What can be reached is only worth reckoning of parts that hold.
        yield from _reach_problems(ruleset)


def _single_problems(ruleset: Ruleset) -> Iterator[Problem]:
    yield from _naming_problems(ruleset)
    yield from _input_problems(ruleset)
    yield from _local_label_problems(ruleset)
    yield from _freshness_problems(ruleset)
    choices = _choice_counts()
    for place, indicator in enumerate(ruleset.indicators):
        yield from _under(f"/indicators/{place}", _indicator_problems(ruleset, indicator, choices))
    for place, item in enumerate(ruleset.readiness):
        yield from _under(f"/readiness/{place}/condition", _operand_problems(ruleset, item.condition))
    for place, dimension in enumerate(ruleset.dimensions):
        if in_units(dimension.threshold, dimension.rounding.decimals) is None:
            detail = f"Ambang {as_written(dimension.threshold)} lebih halus daripada pembulatan indeks"
            yield Problem(f"/dimensions/{place}/threshold", f"{detail} ({dimension.rounding.decimals} desimal)")
    rows = [(row.met, row.village_class.value) for row in ruleset.class_matrix]
    dimensions = [dimension.code for dimension in ruleset.dimensions]
    classes = [label.code.value for label in ruleset.classes]
    yield from _under("/class_matrix", matrix_problems(rows, dimensions, classes))


def _choice_counts() -> dict[str, int]:
    return {path: len(item.choices) for path, item in fact_inputs().items()}


def _naming_problems(ruleset: Ruleset) -> Iterator[Problem]:
    begin, end = ruleset.effective_from, ruleset.effective_to
    if begin is not None and end is not None and end < begin:
        yield Problem("/effective_to", "Akhir masa berlaku lebih awal daripada awalnya")
    lists = {
        "/classes": [label.code.value for label in ruleset.classes],
        "/dimensions": [dimension.code for dimension in ruleset.dimensions],
        "/inputs": [label.path for label in ruleset.inputs],
        "/indicators": [indicator.code for indicator in ruleset.indicators],
        "/freshness": [limit.report.value for limit in ruleset.freshness],
        "/readiness": [item.code for item in ruleset.readiness],
    }
    for pointer, names in lists.items():
        for name in repeated(names):
            yield Problem(pointer, f"Nama dipakai dua kali: {name}")
    for place, dimension in enumerate(ruleset.dimensions):
        indicators = ruleset.indicators_of(dimension.code)
        if not indicators:
            yield Problem(f"/dimensions/{place}", "Dimensi tanpa indikator")
        elif too_many_digits([indicator.weight for indicator in indicators]):
            yield Problem(f"/dimensions/{place}", "Bobot indikator dimensi ini terlalu besar atau terlalu halus")


def _input_problems(ruleset: Ruleset) -> Iterator[Problem]:
    known = fact_inputs()
    used = {leaf.input for indicator in ruleset.indicators for leaf in operands(indicator.formula)}
    used |= {item.condition.input for item in ruleset.readiness}
    for place, label in enumerate(ruleset.inputs):
        fact = known.get(label.path)
        if fact is None:
            yield Problem(f"/inputs/{place}/path", f"Masukan tidak dikenal: {label.path}")
        elif sorted(fact.choices) != sorted(label.choices or {}):
            yield Problem(f"/inputs/{place}/choices", "Pilihan tidak sama dengan pilihan pada formulir")
        if label.path not in used:
            yield Problem(f"/inputs/{place}", f"Masukan tidak dipakai indikator mana pun: {label.path}")


def _local_label_problems(ruleset: Ruleset) -> Iterator[Problem]:
    for place, label in enumerate(ruleset.classes):
        for region in repeated(one.region for one in label.local_labels):
            yield Problem(f"/classes/{place}/local_labels", f"Wilayah {region} memberi dua nama untuk kelas ini")


def _freshness_problems(ruleset: Ruleset) -> Iterator[Problem]:
    """A limit nothing is held against would look like a promise."""
    used = {kind for indicator in ruleset.indicators for kind in indicator.reports}
    for place, limit in enumerate(ruleset.freshness):
        if limit.report not in used:
            detail = f"Batas umur untuk laporan yang tidak dipakai indikator mana pun: {limit.report.value}"
            yield Problem(f"/freshness/{place}/report", detail)


def _indicator_problems(ruleset: Ruleset, indicator: Indicator, choices: dict[str, int]) -> Iterator[Problem]:
    if indicator.dimension not in {dimension.code for dimension in ruleset.dimensions}:
        yield Problem("/dimension", f"Dimensi tidak dikenal: {indicator.dimension}")
    for leaf in operands(indicator.formula):
        yield from _operand_problems(ruleset, leaf)
    yield from _under("/formula", _formula_problems(indicator.formula))
    yield from _under("/bands", _bands_problems(indicator, span_of(indicator.formula, choices)))


def _operand_problems(ruleset: Ruleset, leaf: Condition | Input | CountChoices | CountActors) -> Iterator[Problem]:
    fact = fact_inputs().get(leaf.input)
    if fact is None or leaf.input not in {label.path for label in ruleset.inputs}:
        yield Problem("/formula", f"Masukan tidak dikenal: {leaf.input}")
        return
    match leaf:
        case Condition():
            wanted = InputKind.ANSWER if leaf.above is None else InputKind.COUNT
        case Input():
            wanted = InputKind.COUNT
        case CountChoices():
            wanted = InputKind.CHOICES
        case CountActors():
            wanted = InputKind.INTERVENTIONS
    if fact.kind is not wanted:
        yield Problem("/formula", f"Masukan {leaf.input} tidak dapat dipakai dengan operasi ini")


def _formula_problems(formula: Formula) -> Iterator[Problem]:
    match formula:
        case Mean():
            # A mean needs its parts on one grid, otherwise their sum has no unit.
            if len({part.rounding.decimals for part in formula.of}) > 1:
                yield Problem("/of", "Bagian rata-rata dibulatkan ke jumlah desimal yang berbeda")
            yield from _parts_problems({f"/of/{place}": part for place, part in enumerate(formula.of)})
        case Percentage():
            if formula.sentence is not None:
                yield from _under("/sentence", _sentence_problems(formula.sentence))
            yield from _parts_problems({"/numerator": formula.numerator, "/denominator": formula.denominator})
        case FirstReported():
            yield from _parts_problems({f"/of/{place}": part for place, part in enumerate(formula.of)})
        case Sum() | CountMet() | GatedCount():
            for name in repeated(leaf.input for leaf in operands(formula)):
                yield Problem("/of", f"Masukan dihitung dua kali: {name}")
        case CountActors():
            for name in repeated(str(actor) for actor in formula.exclude_actors):
                yield Problem("/exclude_actors", f"Pelaksana disebut dua kali: {name}")
        case _:
            pass


def _parts_problems(parts: Mapping[str, Formula]) -> Iterator[Problem]:
    for pointer, part in parts.items():
        yield from _under(pointer, _formula_problems(part))


def _sentence_problems(sentence: Labels) -> Iterator[Problem]:
    for language in ("id", "en"):
        text: str = getattr(sentence, language)
        rest = text
        for name in ("{numerator}", "{denominator}"):
            if text.count(name) != 1:
                yield Problem(f"/{language}", f"Kalimat harus memuat {name} tepat satu kali")
            rest = rest.replace(name, "")
        if "{" in rest or "}" in rest:
            yield Problem(
                f"/{language}", "Kalimat hanya boleh memuat {numerator} dan {denominator} dalam kurung kurawal"
            )


def _bands_problems(indicator: Indicator, span: Span) -> Iterator[Problem]:
    try:
        edges = band_edges(indicator.bands, span.decimals)
    except ValueError as error:
        yield Problem("", str(error))
        return
    yield from band_problems(edges, span)
    yield from direction_problems(edges, higher_is_better=indicator.direction is Direction.HIGHER)


def _reach_problems(ruleset: Ruleset) -> Iterator[Problem]:
    """Thresholds and classes held against the indexes that scores can really give, dimension by dimension."""
    reached: dict[str, tuple[bool, bool]] = {}
    for place, dimension in enumerate(ruleset.dimensions):
        lowest, highest = index_range(
            [_score_range(indicator) for indicator in ruleset.indicators_of(dimension.code)],
            dimension.rounding.decimals,
            half_up=dimension.rounding.mode is RoundingMode.HALF_UP,
            skipping=dimension.when_not_assessable is Missing.SKIP,
        )
        reached[dimension.code] = (lowest < dimension.threshold, highest >= dimension.threshold)
        problem = threshold_problem(dimension.threshold, lowest, highest)
        if problem is not None:
            yield Problem(f"/dimensions/{place}/threshold", problem)
    rows = [(row.met, row.village_class.value) for row in ruleset.class_matrix]
    classes = [label.code.value for label in ruleset.classes]
    yield from _under("/class_matrix", reach_problems(rows, reached, classes))


def _score_range(indicator: Indicator) -> ScoreRange:
    scores = [band.score for band in indicator.bands]
    optional = bool(indicator.requires) or can_be_missing(indicator.formula)
    if optional and isinstance(indicator.when_missing, FixedScore):
        scores.append(indicator.when_missing.score)
    left_out = optional and indicator.when_missing == "not_assessable"
    return ScoreRange(min(scores), max(scores), indicator.weight, left_out=left_out)


def _under(prefix: str, problems: Iterator[Problem]) -> Iterator[Problem]:
    for problem in problems:
        yield Problem(prefix + problem.pointer, problem.detail)
