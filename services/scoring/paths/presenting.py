"""Turns a path into what the API answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from contracts.classes import VillageClass
from kit.problems import Invalid
from services.scoring.assessments.actions import VillageInputs
from services.scoring.assessments.presenting import ruleset_used, village_of
from services.scoring.assessments.schemas import Texts, texts
from services.scoring.paths import wording
from services.scoring.paths.levers import Change, Effort
from services.scoring.paths.rules import Blocked, Improvement, NoPath, Path, find_path, nested
from services.scoring.paths.schemas import (
    Action,
    Because,
    PathOut,
    PathStatus,
    SideEffect,
    Supposed,
    SupposedChange,
    WhyNot,
)
from services.scoring.paths.serving import serving
from services.scoring.rulesets.columns import VillageFacts
from services.scoring.rulesets.document import Direction, operands
from services.scoring.rulesets.engine import NOT_ASSESSABLE, Engine, as_decimal
from services.scoring.rulesets.explanation import VillageExplanation, explain
from services.scoring.rulesets.inputs import INTERVENTIONS
from services.scoring.villages.tables import Village
from services.scoring.what_ifs.presenting import outcome


def path_to(village: Village, inputs: VillageInputs, engine: Engine, to: VillageClass | None) -> PathOut:
    """The village's path to a class, by default the next higher one. Long for a request's loop: run it in a thread.

    Raises:
        Invalid: the ruleset has no such class.
    """
    facts = inputs.facts
    now = explain(engine, facts)
    place = -1 if now.village_class is None else engine.classes.index(now.village_class)
    if to is not None and to not in engine.classes:
        detail = f"the ruleset {engine.ruleset.id} has no class {to}"
        raise Invalid(detail, errors=[{"pointer": "query:to", "detail": detail}])
    if to is None and place == len(engine.classes) - 1:
        return _answer(village, inputs, engine, now, None, PathStatus.HIGHEST)
    wanted = place + 1 if to is None else engine.classes.index(to)
    to = engine.classes[wanted]
    if wanted <= place:
        return _answer(village, inputs, engine, now, to, PathStatus.REACHED)
    found = find_path(engine, facts, wanted, [one.score or NOT_ASSESSABLE for one in now.indicators])
    if isinstance(found, NoPath) and not found.proven:
        return _answer(village, inputs, engine, now, to, PathStatus.NOT_FOUND, proven=False)
    if isinstance(found, NoPath):
        because = [_because(engine, one) for one in found.blocked]
        return _answer(village, inputs, engine, now, to, PathStatus.UNREACHABLE, because=because)
    then = explain(engine, found.facts)
    return _answer(village, inputs, engine, now, to, PathStatus.FOUND, **_path(engine, facts, found, now, then))


def _answer(
    village: Village,
    inputs: VillageInputs,
    engine: Engine,
    now: VillageExplanation,
    to: VillageClass | None,
    status: PathStatus,
    **path: Any,
) -> PathOut:
    nothing: dict[str, Any] = {
        "improvements": 0,
        "steps": 0,
        "effort": Decimal(0),
        "proven": True,
        "reports": [],
        "actions": [],
        "side_effects": [],
        "then": None,
        "suppose": None,
        "because": [],
    }
    said = nothing | path
    return PathOut(
        village=village_of(village),
        ruleset=ruleset_used(engine),
        village_class=now.village_class,
        to=to,
        status=status,
        text=_text(_labels(engine, village), now.village_class, to, status, said),
        simulated=inputs.simulated,
        **said,
    )


def _path(
    engine: Engine, facts: VillageFacts, found: Path, now: VillageExplanation, then: VillageExplanation
) -> dict[str, Any]:
    worked_on = {one.place for one in found.improvements}
    pairs = list(zip(now.indicators, then.indicators, strict=True))
    return {
        "improvements": found.cost.indicators,
        "steps": found.cost.steps,
        "effort": _shown(found.cost.effort),
        "proven": found.proven,
        "reports": list(found.reports),
        "actions": [_action(engine, facts, found, one, now) for one in found.improvements],
        "side_effects": [
            SideEffect(indicator=one.code, labels=texts(one.labels), score_now=one.score, score_then=other.score)
            for place, (one, other) in enumerate(pairs)
            if place not in worked_on and one.score != other.score
        ],
        "then": outcome(then),
        "suppose": _suppose(engine, facts, {**found.told, **found.supposed}, found.reports),
    }


def _action(
    engine: Engine, facts: VillageFacts, found: Path, improvement: Improvement, now: VillageExplanation
) -> Action:
    compiled = engine.indicators[improvement.place]
    indicator, reads = compiled.indicator, _reads(engine, improvement.place)
    reports = [kind for kind in found.reports if kind in reads]
    paths = [change.path for change in improvement.changes if change.path in engine.inputs_of[indicator.code]]
    serves = serving(paths or reports)
    edge = next(edge for edge in compiled.edges if edge.score == improvement.after)
    needed = edge.low if indicator.direction is Direction.HIGHER else edge.high
    told = {path: value for path, value in found.told.items() if path.partition(".")[0] in reports}
    own = {change.path: found.supposed[change.path] for change in improvement.changes}
    return Action(
        indicator=indicator.code,
        dimension=indicator.dimension,
        labels=texts(indicator.labels),
        score_now=improvement.before or None,
        score_then=improvement.after,
        value_now=now.indicators[improvement.place].value,
        value_needed=None if needed is None else Decimal(needed).scaleb(-compiled.span.decimals),
        unit=texts(indicator.unit),
        text=texts(wording.action(engine, improvement, reports)),
        changes=[_change(engine, change) for change in improvement.changes],
        reports=reports,
        effort=_shown(improvement.effort),
        suppose=_suppose(engine, facts, told | own, reports),
        kegiatan=list(serves.kegiatan),
        actors=list(serves.actors),
    )


def _reads(engine: Engine, place: int) -> set[str]:
    indicator = engine.indicators[place].indicator
    kinds = {kind.value for kind in indicator.requires}
    return kinds | {leaf.input.partition(".")[0] for leaf in operands(indicator.formula)}


def _change(engine: Engine, change: Change) -> SupposedChange:
    labels = {label.path: label.labels for label in engine.ruleset.inputs}
    own = labels.get(change.path)
    before, after = change.before, change.after
    if change.path == INTERVENTIONS:
        before, after = None if before is None else len(before), len(after)
    return SupposedChange(
        input=change.path,
        labels=Texts(id=change.path, en=change.path) if own is None else texts(own),
        before=before,
        after=after,
        assumed=before is None,
    )


def _suppose(engine: Engine, facts: VillageFacts, supposed: Mapping[str, Any], reports: Iterable[str]) -> Supposed:
    told = {kind: {} for kind in reports} | nested({p: v for p, v in supposed.items() if p != INTERVENTIONS})
    known = len(facts.get(INTERVENTIONS) or ())
    planned = supposed.get(INTERVENTIONS, [])[known:]
    return Supposed(facts=told, interventions=planned, ruleset=engine.ruleset.id)


def _because(engine: Engine, blocked: Blocked) -> Because:
    dimension = engine.ruleset.dimensions[blocked.dimension]
    return Because(
        dimension=dimension.code,
        highest=as_decimal(blocked.highest, dimension.rounding.decimals),
        threshold=str(dimension.threshold),
        text=texts(wording.because(engine, blocked)),
        indicators=[
            WhyNot(indicator=engine.codes[one.place], best=one.best or None, code=one.code, input=one.path)
            for one in blocked.obstacles
        ],
    )


def _shown(effort: Effort) -> Decimal:
    """Two decimals, halves up; compared it is exact."""
    exact = Decimal(effort.numerator) / Decimal(effort.denominator)
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _labels(engine: Engine, village: Village) -> dict[VillageClass, Texts]:
    """What the classes are called in the village's region."""
    return {one.code: texts(one.local(village.region_code) or one.labels) for one in engine.ruleset.classes}


def _text(
    labels: dict[VillageClass, Texts],
    now: VillageClass | None,
    to: VillageClass | None,
    status: PathStatus,
    said: dict[str, Any],
) -> Texts:
    here = Texts(id="tidak dapat dinilai", en="not assessable") if now is None else labels[now]
    there = here if to is None else labels[to]
    match status:
        case PathStatus.HIGHEST:
            return Texts(id=f"Sudah di kelas tertinggi: {here.id}.", en=f"In the highest class already: {here.en}.")
        case PathStatus.REACHED:
            return Texts(
                id=f"Kelasnya sekarang {here.id}; {there.id} tidak lebih tinggi.",
                en=f"The class is {here.en} now; {there.en} is no higher.",
            )
        case PathStatus.NOT_FOUND:
            return Texts(
                id=f"Jalan ke {there.id} tidak ditemukan; tidak semua gabungan dicoba.",
                en=f"No path to {there.en} was found; not every set of improvements was tried.",
            )
        case PathStatus.UNREACHABLE:
            together = Texts(
                id="setiap dimensi dapat terpenuhi, tetapi tidak bersama-sama.",
                en="every dimension could be met, but not all of them together.",
            )
            why = [one.text for one in said["because"]] or [together]
            return Texts(
                id=f"{there.id} tidak dapat dicapai. {' '.join(one.id for one in why)}",
                en=f"{there.en} cannot be reached. {' '.join(one.en for one in why)}",
            )
        case PathStatus.FOUND:
            count, steps = said["improvements"], said["steps"]
            return Texts(
                id=f"Dari {here.id} ke {there.id}: {count} indikator, {steps} langkah skor.",
                en=f"From {here.en} to {there.en}: indicators {count}, score steps {steps}.",
            )
