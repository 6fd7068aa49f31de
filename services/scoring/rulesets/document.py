"""The ruleset document: its strict shape. What a shape cannot say, `checks` does.

Formulas are trees of a small closed set of operations. Whatever differs between rulesets (excluded actors, rounding,
what a missing answer means) is a field without default, so a document always says it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.classes import VillageClass
from contracts.facts import ReportKind
from contracts.regions import is_within
from services.scoring.rulesets import sentences
from services.scoring.rulesets.rules import BandEdges, Problem, Span, as_written, canonical_digest, in_units


class RulesetInvalid(Exception):
    """A ruleset document that must not be used; `problems` says where and why."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{problem.pointer}: {problem.detail}" for problem in problems))


class Part(BaseModel):
    """Base of all parts: strict types, unknown fields refused, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
InputPath = Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_]+){0,2}$")]
ActorNumber = Annotated[int, Field(strict=True, ge=1, le=37, description="Number of the predecessor's instansi list")]
ActorCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$", description="Code of the actor list")]
Decimals = Annotated[int, Field(ge=0, le=4)]
Months = Annotated[int, Field(ge=1, le=120)]
Region = Annotated[
    str, Field(pattern=r"^\d{2}(\.\d{2}(\.\d{2}(\.[123]\d{3})?)?)?$", description="Kemendagri code, dotted")
]


class Labels(Part):
    """One text in both languages."""

    id: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


class RoundingMode(StrEnum):
    """How a value half-way between two grid points is rounded."""

    HALF_EVEN = "half_even"
    HALF_UP = "half_up"


class Rounding(Part):
    """To how many decimals, and where halves go."""

    mode: RoundingMode
    decimals: Decimals


class Arithmetic(StrEnum):
    """`double` divides in IEEE double precision as the predecessor's SQL did; `exact` in whole numbers."""

    DOUBLE = "double"
    EXACT = "exact"


class Missing(StrEnum):
    """What an unreported (or impossible) operand does to the result."""

    ZERO = "zero"
    """It counts as nothing: no, none, 0."""
    SKIP = "skip"
    """It is left out; where nothing is left the result is missing."""
    PROPAGATE = "propagate"
    """The result is missing."""


ZeroOrPropagate = Literal[Missing.ZERO, Missing.PROPAGATE]


class Condition(Part):
    """An answer that is yes or, with `above`, a count greater than that."""

    input: InputPath
    above: Annotated[int, Field(ge=0)] | None = None


class Input(Part):
    """A reported count."""

    op: Literal["input"]
    input: InputPath


class Sum(Part):
    """Sum of whole numbers."""

    op: Literal["sum"]
    of: Annotated[list[Input], Field(min_length=1)]
    missing: Missing


class FirstReported(Part):
    """The first of several ways to state the same whole number that was reported."""

    op: Literal["first_reported"]
    of: Annotated[list[Annotated[Input | Sum, Field(discriminator="op")]], Field(min_length=2)]


Number = Annotated[Input | Sum | FirstReported, Field(discriminator="op")]


class Percentage(Part):
    """100 x numerator / denominator, rounded."""

    op: Literal["percentage"]
    numerator: Number
    denominator: Number
    arithmetic: Arithmetic
    rounding: Rounding
    numerator_missing: ZeroOrPropagate
    denominator_missing: ZeroOrPropagate
    denominator_zero: ZeroOrPropagate
    implausible: Literal[Missing.PROPAGATE] | None = Field(
        None,
        description="The numerator is a part of the denominator: where it exceeds it, or either is below 0, the result "
        "is missing. Left out: whatever comes of it counts",
    )
    sentence: Labels | None = Field(
        None, description="How it is said: a sentence with {numerator} and {denominator}, each once"
    )
    counted: Labels | None = Field(None, description="What the numerator counts: couples, families")


class Mean(Part):
    """Sum of percentages divided by how many there are, rounded."""

    op: Literal["mean"]
    of: Annotated[list[Percentage], Field(min_length=1)]
    missing: Missing
    arithmetic: Arithmetic
    rounding: Rounding


class CountMet(Part):
    """How many of the conditions are met."""

    op: Literal["count_met"]
    of: Annotated[list[Condition], Field(min_length=1)]
    missing: Missing


class GatedCount(Part):
    """0 while the gate is not met, then 1 and one more for each further condition that is met."""

    op: Literal["gated_count"]
    gate: Condition
    of: list[Condition]
    missing: Missing


class CountChoices(Part):
    """How many different codes were chosen."""

    op: Literal["count_choices"]
    input: InputPath
    missing: ZeroOrPropagate


class CountActors(Part):
    """How many different actors took part in all interventions together, those excluded left out."""

    op: Literal["count_actors"]
    input: InputPath
    exclude_actors: list[ActorNumber | ActorCode]
    missing: ZeroOrPropagate
    window_months: Months | None = Field(
        None,
        description="Only interventions of so many months up to the day of the assessment count; one without a date is "
        "missing. Left out: all ever recorded",
    )


Formula = Annotated[
    Input | Sum | FirstReported | Percentage | Mean | CountMet | GatedCount | CountChoices | CountActors,
    Field(discriminator="op"),
]


class Band(Part):
    """Values from `from` to `to`, both included, give `score`. Null is an open end."""

    score: Annotated[int, Field(ge=1, le=4)]
    low: int | Decimal | None = Field(alias="from")
    high: int | Decimal | None = Field(alias="to")


class Direction(StrEnum):
    """Which way better is."""

    HIGHER = "higher_is_better"
    LOWER = "lower_is_better"


class FixedScore(Part):
    """A score given without a value."""

    score: Annotated[int, Field(ge=1, le=4)]


class Indicator(Part):
    """One of the scores: formula, bands, and what happens without the reports or answers it needs."""

    code: Code
    dimension: Code
    weight: Annotated[Decimal, Field(gt=0)]
    labels: Labels
    unit: Labels
    direction: Direction
    requires: list[ReportKind] = Field(description="Reports that must exist for a value to be computed at all")
    formula: Formula
    when_missing: FixedScore | Literal["not_assessable"]
    bands: Annotated[list[Band], Field(min_length=1)]
    note: str | None = None

    @property
    def reports(self) -> set[ReportKind]:
        """Kinds of reports that the value rests on."""
        kinds = {leaf.input.partition(".")[0] for leaf in operands(self.formula)}
        return {*self.requires, *(kind for kind in ReportKind if kind.value in kinds)}


class Dimension(Part):
    """An index: weighted mean of its indicators' scores, rounded, held against the threshold (met from it on)."""

    code: Code
    labels: Labels
    rounding: Rounding
    threshold: Annotated[Decimal, Field(gt=0)]
    when_not_assessable: Literal[Missing.SKIP, Missing.PROPAGATE] = Field(
        description="An indicator without a score is left out of the mean, or leaves the index without a value"
    )


class InputLabel(Part):
    """An input the ruleset uses: what it is called and whether it counts into completeness."""

    path: InputPath
    labels: Labels
    asked: bool
    choices: dict[str, Labels] | None = None


class LocalLabel(Part):
    """What a class is called inside one region; of several that contain a village the smallest counts."""

    region: Region
    labels: Labels


class ClassLabel(Part):
    """A class and what it is called."""

    code: VillageClass
    labels: Labels
    local_labels: list[LocalLabel] = []

    def local(self, region_code: str) -> Labels | None:
        """What a village's region calls the class, None where nothing else."""
        containing = [one for one in self.local_labels if is_within(region_code, one.region)]
        return max(containing, key=lambda one: len(one.region)).labels if containing else None


class Freshness(Part):
    """How old answers of one kind of report may be; older ones leave an indicator that uses them without a value."""

    report: ReportKind
    max_age_months: Annotated[int, Field(ge=0, le=120)]


class Readiness(Part):
    """Something a village should have that is shown beside the score and never enters it."""

    code: Code
    labels: Labels
    condition: Condition


class MatrixRow(Part):
    """The class where exactly these dimensions reach their threshold."""

    met: list[Code]
    village_class: VillageClass = Field(alias="class")


class Certainty(StrEnum):
    """How sure it is that the ruleset is the legal one."""

    LEGAL_TEXT_SIGHTED = "legal_text_sighted"
    AS_IMPLEMENTED = "as_implemented"
    PROPOSAL = "proposal"


class LegalBasis(Part):
    """What the ruleset rests on."""

    text: Labels
    certainty: Certainty


class Status(StrEnum):
    """Life of a ruleset; a published document never changes."""

    DRAFT = "draft"
    PUBLISHED = "published"
    RETIRED = "retired"


class Ruleset(Part):
    """A whole ruleset document. Make one with `checks.read_ruleset`, which also checks what a shape cannot say."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,63}$")]
    version: Annotated[int, Field(ge=1)]
    status: Status
    effective_from: dt.date | None = Field(description="Null where no legal act that says so was sighted")
    effective_to: dt.date | None
    labels: Labels
    legal_basis: LegalBasis
    classes: Annotated[list[ClassLabel], Field(min_length=1)]
    dimensions: Annotated[list[Dimension], Field(min_length=1, max_length=8)]
    inputs: list[InputLabel]
    indicators: Annotated[list[Indicator], Field(min_length=1)]
    class_matrix: list[MatrixRow]
    freshness: list[Freshness] = []
    readiness: list[Readiness] = []

    @property
    def digest(self) -> str:
        """SHA-256 of the document as canonical JSON."""
        return canonical_digest(self.as_json())

    @property
    def windows(self) -> frozenset[int]:
        """The time windows of interventions, in months."""
        leaves = (leaf for indicator in self.indicators for leaf in operands(indicator.formula))
        return frozenset(leaf.window_months for leaf in leaves if isinstance(leaf, CountActors) and leaf.window_months)

    @property
    def looks_at_time(self) -> bool:
        """Whether its answers may change though no fact does."""
        return bool(self.windows or self.freshness)

    @property
    def may_give_no_class(self) -> bool:
        """Whether a village may be not assessable; otherwise every indicator always has a score."""
        return any(indicator.when_missing == "not_assessable" for indicator in self.indicators)

    def as_json(self) -> dict[str, Any]:
        """The document as it is published: plain JSON values."""
        document: dict[str, Any] = orjson.loads(self.model_dump_json(by_alias=True, exclude_unset=True))
        return document

    def indicators_of(self, dimension: str) -> list[Indicator]:
        return [indicator for indicator in self.indicators if indicator.dimension == dimension]

    def class_label(self, code: VillageClass) -> ClassLabel:
        return next(label for label in self.classes if label.code == code)

    def input_label(self, path: str) -> InputLabel:
        return next(label for label in self.inputs if label.path == path)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The document's shape only; unfit shapes raise RulesetInvalid."""
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            problems = [Problem(_pointer(raw, e["loc"]), sentences.told(e)) for e in error.errors()]
            raise RulesetInvalid(list(dict.fromkeys(problems))) from error


def json_schema() -> dict[str, Any]:
    """JSON Schema of a ruleset document. What a schema cannot say (gaps, overlaps, references) `checks.read_ruleset` checks."""
    schema = Ruleset.model_json_schema(by_alias=True)
    named = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:kampungkb:schema:ruleset",
        "title": "Ruleset",
        "description": "A whole ruleset document: how facts become scores, indexes and a class.",
    }
    return named | {name: value for name, value in schema.items() if name not in named}


def operands(formula: Formula | Condition) -> Iterator[Condition | Input | CountChoices | CountActors]:
    """The leaves of a formula, from left to right: what it asks for."""
    match formula:
        case Sum() | FirstReported() | Mean() | CountMet():
            for part in formula.of:
                yield from operands(part)
        case Percentage():
            yield from operands(formula.numerator)
            yield from operands(formula.denominator)
        case GatedCount():
            yield formula.gate
            yield from formula.of
        case _:
            yield formula


def span_of(formula: Formula, choices: dict[str, int]) -> Span:
    """The values a formula can reach; `choices` gives the number of codes of each choice input."""
    match formula:
        case Percentage() | Mean():
            decimals = formula.rounding.decimals
            parts = formula.of if isinstance(formula, Mean) else [formula]
            whole = all(part.implausible is Missing.PROPAGATE for part in parts)
            return Span(0, 100 * 10**decimals if whole else None, decimals)
        case CountMet():
            return Span(0, len(formula.of))
        case GatedCount():
            return Span(0, 1 + len(formula.of))
        case CountChoices():
            return Span(0, choices.get(formula.input, 0))
        case _:
            return Span(0, None)


def can_be_missing(formula: Formula) -> bool:
    """Whether some facts leave the formula without a value."""
    match formula:
        case Input():
            possible = True
        case FirstReported():
            possible = all(can_be_missing(part) for part in formula.of)
        case Percentage():
            policies = (formula.numerator_missing, formula.denominator_missing, formula.denominator_zero)
            possible = Missing.PROPAGATE in (*policies, formula.implausible)
        case Mean():
            possible = formula.missing is not Missing.ZERO and any(can_be_missing(part) for part in formula.of)
        case _:
            possible = formula.missing is not Missing.ZERO
    return possible


def band_edges(bands: list[Band], decimals: int) -> list[BandEdges]:
    """Bands in units of the value's grid. Raises ValueError where an edge lies between two grid points."""
    return [BandEdges(_edge(band.low, decimals), _edge(band.high, decimals), band.score) for band in bands]


def _edge(value: int | Decimal | None, decimals: int) -> int | None:
    if value is None:
        return None
    units = in_units(Decimal(value), decimals)
    if units is None:
        raise ValueError(
            f"Batas pita {as_written(Decimal(value))} lebih halus daripada pembulatan nilai ({decimals} desimal)"
        )
    return units


def _pointer(raw: bytes, location: tuple[int | str, ...]) -> str:
    """JSON pointer of a pydantic location, without the names of union members that pydantic puts in between."""
    try:
        here = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ""
    pointer = ""
    for last, part in enumerate(location, start=1 - len(location)):
        inside = part in here if isinstance(here, dict) else isinstance(here, list) and isinstance(part, int)
        if inside:
            here = here[part]
        if inside or last == 0:
            pointer += "/" + str(part).replace("~", "~0").replace("/", "~1")
    return pointer
