"""Were answers nonsense when they were given? Versions never go back, and what they show was so at that version.

One database holds each thing, so a request that is sent after another was answered must see what that one saw: versions
only grow along the history, over all clients and all processes of a service.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.history import model
from tests.faults.history.evidence import Evidence
from tests.faults.history.model import Entity, World, canonical
from tests.faults.history.record import Attempt, History, Operation

Found = tuple[str, str, tuple[str, ...]]
"""Check, what, operations."""


class _Floors:
    """The newest version of each thing that anybody had been told of, at every place in the history."""

    def __init__(self) -> None:
        self._places: dict[Entity, list[int]] = defaultdict(list)
        self._numbers: dict[Entity, list[int]] = defaultdict(list)

    def add(self, entity: Entity, place: int, number: int) -> None:
        """Somebody was told of a version; in the order of the history."""
        highest = self._numbers[entity][-1] if self._numbers[entity] else 0
        self._places[entity].append(place)
        self._numbers[entity].append(max(number, highest))

    def before(self, entity: Entity, place: int) -> int:
        """The newest version told of before a place; 0 where nobody knew of the thing."""
        known = bisect_left(self._places[entity], place)
        return self._numbers[entity][known - 1] if known else 0


class _Counts:
    """How many writes on each thing there had been, at every place in the history."""

    def __init__(self) -> None:
        self._places: dict[str, list[int]] = defaultdict(list)

    def add(self, name: str, place: int) -> None:
        """A write on it."""
        insort(self._places[name], place)

    def before(self, name: str, place: int) -> int:
        """Writes before a place."""
        return bisect_left(self._places[name], place)


def check_reads(history: History, evidence: Evidence, world: World) -> Iterator[Found]:
    """Everything that was read and could not be."""
    floors = _Floors()
    for place, completed, operation, attempt in history.timeline():
        if completed:
            for entity, number in _told(operation, attempt):
                floors.add(entity, place, number)
    done, begun = _writes_on_villages(history)
    told = _told_classes(evidence)
    for _, completed, operation, attempt in history.timeline():
        if not completed:
            continue
        for entity, number in _told(operation, attempt):
            # an answer that is repeated is as old as the first request
            since = operation.invoked if operation.writes else attempt.invoked
            floor = floors.before(entity, since)
            if number < floor + (1 if _makes(operation, attempt, entity) else 0):
                what = f"{operation.action}: version {number} of {'/'.join(entity)} after {floor} was known"
                yield "read", what, (operation.id,)
        if attempt.outcome == "acknowledged":
            yield from _content(operation, attempt, world, told)
            if operation.action == "read village":
                yield from _counts(operation, attempt, done, begun)
        yield from _absence(operation, attempt, floors)


def _makes(operation: Operation, attempt: Attempt, entity: Entity) -> bool:
    """Whether the version that is named was made by this very write."""
    if not operation.writes or attempt.outcome != "acknowledged" or entity[0] == "followed":
        return False
    return operation.action != "report" or not attempt.body["unchanged"]


def _told(operation: Operation, attempt: Attempt) -> Iterator[tuple[Entity, int]]:
    """Versions that an answer names."""
    if attempt.outcome == "refused":
        if attempt.status == 412:
            yield from _told_by_refusal(operation, attempt)
        return
    if attempt.outcome != "acknowledged":
        return
    body = attempt.body
    match operation.action:
        case "register" | "change" | "read village":
            yield ("village", body["id"]), body["version"]
        case "report":
            yield model.report_entity(body["report"]), body["report"]["revision"]
        case "read report":
            for item in body["items"]:
                yield model.report_entity(item), item["revision"]
        case "read class":
            yield ("assessment", body["village"]), body["version"]
        case "record":
            yield ("followed", body["village"]["id"]), 1
            yield ("intervention", body["id"]), body["version"]
        case _:
            yield ("intervention", body["id"]), body["version"]


def _told_by_refusal(operation: Operation, attempt: Attempt) -> Iterator[tuple[Entity, int]]:
    number = int(attempt.body["current_etag"].strip('"'))
    if operation.action in {"correct", "withdraw"}:
        yield ("intervention", operation.about["intervention"]), number
    elif operation.action == "report":
        yield ("report", *operation.about.values()), number
    elif operation.about["village"]:
        yield ("village", operation.about["village"]), number


def _writes_on_villages(history: History) -> tuple[_Counts, _Counts]:
    """Writes that were acknowledged by a place, by village; writes that may have begun by then, by village or desa."""
    done, begun = _Counts(), _Counts()
    for operation in history.operations.values():
        if operation.action not in {"register", "change", "report"} or operation.outcome == "refused":
            continue
        change = model.acknowledged(operation) if operation.outcome == "acknowledged" else None
        if change is not None and operation.answer is not None and operation.answer.completed is not None:
            done.add(change.entity[1], operation.answer.completed)
        target = change.entity[1] if change else operation.about.get("village") or operation.about["desa"]
        if change is not None or operation.outcome == "unknown":
            begun.add(target, operation.invoked)
    return done, begun


def _counts(operation: Operation, attempt: Attempt, done: _Counts, begun: _Counts) -> Iterator[Found]:
    """Every change of a village makes its version one more: it is no less than those done, no more than those begun."""
    body = attempt.body
    least = done.before(body["id"], attempt.invoked)
    most = sum(begun.before(name, attempt.completed or 0) for name in (body["id"], body["region_code"]))
    if not least <= body["version"] <= most:
        what = f"village/{body['id']} version {body['version']} after {least} to {most} changes"
        yield "read", what, (operation.id,)


def _content(
    operation: Operation, attempt: Attempt, world: World, told: Mapping[tuple[str, int], Mapping[str, Any]]
) -> Iterator[Found]:
    """What a version shows is what that version's change said."""
    body = attempt.body
    if operation.action == "read village":
        yield from _shows(operation, world, ("village", body["id"]), body["version"], model.village_state(body))
    elif operation.action == "read intervention":
        state = model.intervention_state(body, body["village"]["id"], body["withdrawal_reason"])
        yield from _shows(operation, world, ("intervention", body["id"]), body["version"], state, exactly=True)
    elif operation.action == "read report":
        for item in body["items"]:
            state = model.report_state(item)
            yield from _shows(operation, world, model.report_entity(item), item["revision"], state, exactly=True)
    elif operation.action == "report":
        report, about = body["report"], operation.about
        if canonical(about["kind"], operation.body["facts"]) != canonical(report["kind"], report["facts"]):
            yield "read", "the answer to a report shows another", (operation.id,)
        state = model.report_state(report)
        yield from _shows(operation, world, model.report_entity(report), report["revision"], state, exactly=True)
    elif operation.action == "read class":
        event = told.get((body["village"], body["version"]))
        names = ("scores", "indexes", "answered", "simulated")
        shown = {name: body[name] for name in names} | {"village_class": body["class"]}
        if event is None:
            what = f"assessment/{body['village']} version {body['version']} was read and never told"
            yield "read", what, (operation.id,)
        elif shown != {name: event[name] for name in shown}:
            differing = [name for name in shown if shown[name] != event[name]]
            what = f"assessment/{body['village']} version {body['version']}: {differing} are of another version"
            yield "read", what, (operation.id,)


def _shows(
    operation: Operation, world: World, entity: Entity, number: int, state: Mapping[str, Any], *, exactly: bool = False
) -> Iterator[Found]:
    change = world.at(entity, number)
    where = f"{operation.action}: {'/'.join(entity)} version {number}"
    if change is None or (exactly and change.number != number):
        yield "read", f"{where} was seen and nobody made it", (operation.id,)
    elif change.state != state:
        names = [name for name in state if state[name] != change.state.get(name)]
        yield "read", f"{where}: {names} are not what was written", (operation.id, change.operation)


def _told_classes(evidence: Evidence) -> dict[tuple[str, int], Mapping[str, Any]]:
    found = {}
    for row in evidence.traffic["scoring"].outbox:
        data = row["event"]["data"]
        found[data["village"]["id"], data["village"]["version"]] = data
    return found


def _absence(operation: Operation, attempt: Attempt, floors: _Floors) -> Iterator[Found]:
    """Nothing that somebody has seen is ever gone. (A desa's code names its active village only, and there may be none.)"""
    gone: Entity | None = None
    if operation.action == "read report" and attempt.outcome == "acknowledged" and not attempt.body["items"]:
        gone = ("report", *operation.about.values())
    elif attempt.status == 404 and operation.path.count(".") == 0:
        village = operation.about.get("village") or operation.path.rpartition("/")[2]
        kind = {"record": "followed", "read class": "assessment"}.get(operation.action, "village")
        gone = (kind, village)
    if gone is not None and floors.before(gone, attempt.invoked):
        yield "read", f"{operation.action}: {'/'.join(gone)} was there before and is gone", (operation.id,)
