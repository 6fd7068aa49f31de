"""What must be true, told without any database: plain values folded from what was acknowledged.

A write of unknown outcome is either of two things, and the final state says which: it counts if it is found there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.facts import FACTS_OF, ReportKind
from services.interventions.actors.reference import actors_by_code
from services.scoring.facts.rules import Report, facts_in_force
from services.scoring.rulesets.library import first_in_force
from tests.faults.history.record import Operation

Entity = tuple[str, ...]
"""("village", id), ("report", village, kind, period, source) or ("intervention", id)."""


@dataclass(frozen=True)
class Change:
    """What one write made of one thing; `number` is its version (of a report: its revision)."""

    operation: str
    entity: Entity
    number: int
    state: Mapping[str, Any]


def canonical(kind: str, facts: Mapping[str, Any]) -> Any:
    """Facts as every part of the platform must have them: what was not reported is left out, however it was written."""
    return said(FACTS_OF[ReportKind(kind)].model_validate(facts).model_dump(mode="json"))


def said(value: Any) -> Any:
    """A value without what says nothing: nulls, and groups of nothing but nulls."""
    if isinstance(value, dict):
        kept = {name: said(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner is not None and inner != {}}
    return [said(inner) for inner in value] if isinstance(value, list) else value


def moment(text: str) -> datetime:
    """A time as it is compared."""
    return datetime.fromisoformat(text)


def wanted(operation: Operation) -> dict[str, Any]:
    """The part of the state that a write asked for."""
    body = operation.body
    match operation.action:
        case "register":
            return body | {"status": "active"}
        case "change":
            return dict(body)
        case "report":
            return {"facts": canonical(operation.about["kind"], body["facts"]), "simulated": body["simulated"]}
        case "record":
            kept = {name: body[name] for name in ("date", "title", "participants", "simulated")}
            return kept | {"actors": [actor["code"] for actor in body["actors"]], "withdrawn": False}
        case "correct":
            kept = {name: body[name] for name in ("date", "title", "participants")}
            return kept | {"actors": [actor["code"] for actor in body["actors"]], "withdrawn": False}
        case "withdraw":
            return {"reason": body["reason"], "withdrawn": True}
        case _:
            raise ValueError(f"{operation.action} changes nothing")


def village_state(row: Mapping[str, Any]) -> dict[str, Any]:
    """A village's own state, from its row, its answer or (there the code is in the key) its event."""
    return {name: row[name] for name in ("region_code", "name", "status", "simulated", "source_system")}


def report_state(row: Mapping[str, Any]) -> dict[str, Any]:
    """A report's state, from its row or its answer."""
    return {
        "id": row["id"],
        "facts": canonical(row["kind"], row["facts"]),
        "simulated": row["simulated"],
        "reported_at": moment(row["reported_at"]),
    }


def report_entity(row: Mapping[str, Any]) -> Entity:
    """Which report a row, an answer or a projection's row is of."""
    return ("report", row["village_id"], row["kind"], row["period"], row["source_system"])


def intervention_state(row: Mapping[str, Any], village: str, reason: str | None) -> dict[str, Any]:
    """An intervention's state, from its answer or a revision."""
    return {
        "village": village,
        **{name: row[name] for name in ("date", "title", "participants", "simulated")},
        "actors": [actor["code"] for actor in row["actors"]],
        "withdrawn": reason is not None,
        "reason": reason,
    }


def acknowledged(operation: Operation) -> Change | None:
    """The change that an answer says was made; None if none was (the same report was there already)."""
    assert operation.answer is not None
    body = operation.answer.body
    if operation.action in {"register", "change"}:
        return Change(operation.id, ("village", body["id"]), body["version"], village_state(body))
    if operation.action == "report":
        report = body["report"]
        if body["unchanged"]:
            return None
        return Change(operation.id, report_entity(report), report["revision"], report_state(report))
    state = intervention_state(body, body["village"]["id"], body["withdrawal_reason"])
    return Change(operation.id, ("intervention", body["id"]), body["version"], state)


@dataclass
class World:
    """Every thing with every state it had, by version (of a report: by revision)."""

    changes: dict[Entity, dict[int, Change]] = field(default_factory=dict)
    clashes: list[tuple[Change, Change]] = field(default_factory=list)
    """Two writes that were both told the same version: one of them is overwritten."""

    @classmethod
    def of(cls, changes: Iterable[Change]) -> World:
        """Fold changes, in any order."""
        world = cls()
        for change in changes:
            versions = world.changes.setdefault(change.entity, {})
            other = versions.setdefault(change.number, change)
            if other.operation != change.operation:
                world.clashes.append((other, change))
        return world

    def of_kind(self, kind: str) -> dict[Entity, dict[int, Change]]:
        """All villages, reports or interventions."""
        return {entity: versions for entity, versions in self.changes.items() if entity[0] == kind}

    def current(self, entity: Entity) -> Change:
        """The newest state of a thing."""
        versions = self.changes[entity]
        return versions[max(versions)]

    def at(self, entity: Entity, number: int) -> Change | None:
        """The state at a version: the newest that is not newer."""
        versions = self.changes.get(entity, {})
        known = [version for version in versions if version <= number]
        return versions[max(known)] if known else None

    def classes(self) -> dict[str, dict[str, Any]]:
        """What every village must be classed as in the end, by its id."""
        engine = first_in_force()
        reports, done = self._reports(), self._done()
        villages = {entity[1]: self.current(entity).state for entity in self.of_kind("village")}
        in_force = {village: facts_in_force(reports.get(village, ())) for village in villages}
        facts = [
            {**in_force[village].facts, "interventions": [{"actors": one["actors"]} for one in done.get(village, [])]}
            for village in villages
        ]
        evaluation = engine.evaluate(facts) if facts else None
        return {
            village: {
                "region_code": state["region_code"],
                "active": state["status"] == "active",
                "without_reports": not in_force[village].facts,
                "ruleset": engine.ruleset.id,
                "ruleset_digest": engine.digest,
                "village_class": evaluation.village_class(place),
                "scores": {code: score for code, score in evaluation.scores_of(place).items() if score is not None},
                "indexes": {code: index for code, index in evaluation.indexes_of(place).items() if index is not None},
                "answered": int(evaluation.answered[place]),
                "asked": len(engine.asked),
                "simulated": state["simulated"]
                or any(report.simulated for report in in_force[village].sources.values())
                or any(one["simulated"] for one in done.get(village, [])),
            }
            for place, (village, state) in enumerate(villages.items())
            if evaluation is not None
        }

    def _reports(self) -> dict[str, list[Report]]:
        found: dict[str, list[Report]] = {}
        for entity in self.of_kind("report"):
            _, village, kind, period, source = entity
            newest = self.current(entity)
            report = Report(
                report_id=UUID(newest.state["id"]),
                kind=kind,
                source_system=source,
                period=period,
                revision=newest.number,
                simulated=newest.state["simulated"],
                reported_at=newest.state["reported_at"],
                facts=newest.state["facts"],
            )
            found.setdefault(village, []).append(report)
        return found

    def _done(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for entity in self.of_kind("intervention"):
            state = self.current(entity).state
            if not state["withdrawn"]:
                counts = {"actors": [counted_as(code) for code in state["actors"]], "simulated": state["simulated"]}
                found.setdefault(state["village"], []).append(counts)
        return found


def counted_as(code: str) -> int | str:
    """What an actor is counted by: its number in the predecessor's list, or its code where that list has none."""
    number = actors_by_code()[code].web_kkb_number
    return code if number is None else number
