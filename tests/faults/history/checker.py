"""Compares what was acknowledged with what there is in the end. Pure: a history and evidence go in, violations come out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any, Literal

from tests.faults.history import model
from tests.faults.history.evidence import CONSUMERS, Evidence, Row
from tests.faults.history.follow import PART
from tests.faults.history.model import Change, Entity, World, canonical, moment
from tests.faults.history.reads import check_reads
from tests.faults.history.record import History, Operation

Check = Literal[
    "lost",
    "phantom",
    "doubled",
    "altered",
    "overwritten",
    "gap",
    "event",
    "stream",
    "inbox",
    "projection",
    "class",
    "checksum",
    "feed",
    "read",
    "answer",
    "dead letter",
    "unquiet",
]
"""lost: acknowledged and not there. phantom: there, and neither acknowledged nor of unknown outcome. doubled: an effect
that happened more than once. altered: there, but not as it was asked or answered. overwritten: a change that did not
know what it replaced. gap: versions or positions that are missing or repeated. event: state and events disagree.
stream, inbox: an event was not delivered, or not taken, or came from nowhere. projection: another service knows it
otherwise than its owner. class: not what the rules say. checksum: two that should hold the same say otherwise. feed: who
follows the changes misses or is told something else. read: an answer that was nonsense when it was given. answer:
not one that the contract or the faults explain. unquiet: not everything followed in the end."""

EVENT_OF = {
    "profile": "id.kampungkb.registry.profile-reported.v1",
    "population": "id.kampungkb.registry.population-reported.v1",
    "family_planning": "id.kampungkb.registry.family-planning-reported.v1",
    "recorded": "id.kampungkb.interventions.intervention-recorded.v1",
    "corrected": "id.kampungkb.interventions.intervention-corrected.v1",
    "withdrawn": "id.kampungkb.interventions.intervention-withdrawn.v1",
}
_VERDICT = ("ruleset", "ruleset_digest", "village_class", "scores", "indexes", "answered", "asked", "simulated")


@dataclass(frozen=True)
class Violation:
    """Something that must not be, with the operations it concerns."""

    check: str
    what: str
    operations: tuple[str, ...] = ()


def check(history: History, evidence: Evidence) -> list[Violation]:
    """Everything that is wrong, each once."""
    seen = _Seen(history, evidence)
    checks: tuple[Callable[[_Seen], Iterable[Violation]], ...] = (
        _unquiet,
        _dead_letters,
        _answers,
        _acknowledged_are_there,
        _nothing_else_is_there,
        _nothing_twice,
        _as_asked,
        _nothing_overwritten,
        _revisions,
        _village_versions,
        _positions,
        _events_of_the_registry,
        _events_of_interventions,
        _events_of_scoring,
        _streams,
        _inboxes,
        _villages_elsewhere,
        _facts_elsewhere,
        _interventions_elsewhere,
        _classes,
        _feeds,
        _checksums,
    )
    found = [violation for one in checks for violation in one(seen)]
    found += [
        Violation(kind, what, operations) for kind, what, operations in check_reads(history, evidence, seen.world)
    ]
    return list(dict.fromkeys(found))


class _Seen:
    """History and evidence, put in order once."""

    def __init__(self, history: History, evidence: Evidence) -> None:
        self.history = history
        self.evidence = evidence
        self.operations = history.operations
        self.acknowledged = _acknowledged(history.operations.values())
        self.stored = [*_stored_reports(evidence), *_stored_interventions(evidence)]
        self.told = list(_told_villages(evidence))
        """Villages' own changes as the registry's events tell them: the rows keep only the newest."""
        self.found: dict[str, list[Change]] = defaultdict(list)
        for change in [*self.stored, *self.told]:
            self.found[change.operation].append(change)
        self.village_rows = {row["id"]: row for row in evidence.villages}
        unknown = [
            change
            for change in [*self.stored, *self.told]
            if change.operation in self.operations and self.operations[change.operation].outcome == "unknown"
        ]
        self.world = World.of([*self.acknowledged.values(), *unknown])


def _acknowledged(operations: Iterable[Operation]) -> dict[str, Change]:
    changes = {one.id: model.acknowledged(one) for one in operations if one.writes and one.outcome == "acknowledged"}
    return {name: change for name, change in changes.items() if change is not None}


def _stored_reports(evidence: Evidence) -> Iterator[Change]:
    for row in evidence.reports:
        state = model.report_state(row)
        yield Change(row["source_reference"], model.report_entity(row), row["revision"], state)


def _stored_interventions(evidence: Evidence) -> Iterator[Change]:
    owners = {row["id"]: row for row in evidence.interventions}
    for row in evidence.revisions:
        owner = owners[row["intervention_id"]]
        fields = row["fields"] | {"simulated": owner["simulated"]}
        state = model.intervention_state(fields, owner["village_id"], row["reason"])
        operation = row["reason"] if row["change"] == "withdrawn" else fields["title"]
        yield Change(operation, ("intervention", row["intervention_id"]), row["version"], state)


def _told_villages(evidence: Evidence) -> Iterator[Change]:
    for row in evidence.traffic["registry"].outbox:
        data = row["event"]["data"]
        if "status" in data:
            key = data["village"]
            state = model.village_state(data | {"region_code": key["region_code"]})
            yield Change(data["name"], ("village", key["id"]), key["version"], state)


def _named(entity: Entity) -> str:
    return "/".join(entity)


# what is over and how it was answered


def _unquiet(seen: _Seen) -> Iterator[Violation]:
    for what in seen.evidence.unquiet:
        yield Violation("unquiet", what)


def _dead_letters(seen: _Seen) -> Iterator[Violation]:
    for service, traffic in seen.evidence.traffic.items():
        for row in traffic.dead_letters:
            what = f"{service}: {row['consumer']} put {row['subject']} aside after {row['attempts']}: {row['reason']}"
            yield Violation("dead letter", what)


_REFUSALS: dict[str, set[int]] = {
    "register": {409},
    "change": {404, 409, 412, 428},
    "report": {412, 428},
    "record": {404, 409},
    "correct": {409, 412, 428},
    "withdraw": {409, 412, 428},
    "read village": {404},
    "read report": set(),
    "read intervention": set(),
    "read class": {404},
}
"""What can be refused: what is not there (yet), is there already, or was changed meanwhile."""


def _answers(seen: _Seen) -> Iterator[Violation]:
    for operation in seen.operations.values():
        for attempt in operation.attempts:
            if attempt.completed is not None and attempt.status is not None:
                problem = _answer_problem(operation, attempt.status, attempt.body, attempt.retry_after)
                if problem:
                    yield Violation("answer", f"{operation.action}: {problem}", (operation.id,))
                if operation.action == "register" and attempt.status == 409:
                    taken = seen.village_rows.get(attempt.body["existing_id"])
                    if taken is None or taken["region_code"] != operation.about["desa"]:
                        yield Violation("answer", "register: refused for a village that is not there", (operation.id,))
        bodies = [attempt.body for attempt in operation.attempts if attempt.outcome == "acknowledged"]
        if any(body != bodies[0] for body in bodies[1:]):
            yield Violation("answer", f"{operation.action}: repeated, and answered otherwise", (operation.id,))


def _answer_problem(operation: Operation, status: int, body: Any, retry_after: str | None) -> str | None:
    if status >= 500:
        return None if status == 503 and retry_after else f"answered {status}, Retry-After {retry_after}: {body}"
    if status < 300:
        return None
    if status not in _REFUSALS[operation.action]:
        return f"refused with {status}: {body}"
    if status == 412 and body.get("current_etag") == operation.if_match:
        return f"If-Match {operation.if_match} is the current ETag and was refused as stale"
    if status == 428 and operation.if_match is not None:
        return "If-Match was sent and asked for"
    return None


# acknowledged, and there; there, and acknowledged


def _acknowledged_are_there(seen: _Seen) -> Iterator[Violation]:
    for name, change in seen.acknowledged.items():
        twins = [other for other in seen.found[name] if (other.entity, other.number) == (change.entity, change.number)]
        if change.entity[0] == "village" and change.entity[1] not in seen.village_rows:
            yield Violation("lost", f"{_named(change.entity)} was acknowledged and is not there", (name,))
        elif not twins:
            yield Violation("lost", f"{_named(change.entity)} version {change.number} is not there", (name,))
        elif twins[0].state != change.state:
            what = f"{_named(change.entity)} version {change.number}: {_difference(change.state, twins[0].state)}"
            yield Violation("altered", what, (name,))


def _nothing_else_is_there(seen: _Seen) -> Iterator[Violation]:
    for name, changes in seen.found.items():
        outcome = seen.operations[name].outcome if name in seen.operations else "nobody's"
        if outcome not in {"acknowledged", "unknown"}:
            for change in changes:
                yield Violation("phantom", f"{_named(change.entity)} version {change.number} is {outcome}", (name,))
        if outcome == "acknowledged" and name not in seen.acknowledged:
            yield Violation("phantom", f"{_named(changes[0].entity)}: answered as no change, and is one", (name,))
    known = {entity[1] for entity in seen.world.of_kind("village")}
    for village, row in seen.village_rows.items():
        if village not in known and seen.operations.get(row["name"]) is None:
            yield Violation("phantom", f"village/{village} named {row['name']} is nobody's")


def _nothing_twice(seen: _Seen) -> Iterator[Violation]:
    for name, changes in seen.found.items():
        places = {(change.entity, change.number) for change in changes}
        if len(changes) > 1:
            where = ", ".join(sorted(f"{_named(entity)} version {number}" for entity, number in places))
            yield Violation("doubled", f"one request, {len(changes)} effects: {where}", (name,))
    for one, other in seen.world.clashes:
        what = f"{_named(one.entity)} version {one.number} was given to two writes"
        yield Violation("overwritten", what, (one.operation, other.operation))


def _as_asked(seen: _Seen) -> Iterator[Violation]:
    changes = [*seen.acknowledged.values(), *(change for found in seen.found.values() for change in found)]
    for change in changes:
        operation = seen.operations.get(change.operation)
        if operation is None or not operation.writes:
            continue
        asked = model.wanted(operation)
        got = {name: change.state.get(name) for name in asked}
        if got != asked:
            yield Violation("altered", f"{_named(change.entity)}: {_difference(asked, got)}", (operation.id,))
        if operation.action == "report" and change.entity[1:] != tuple(operation.about.values()):
            yield Violation("altered", f"{_named(change.entity)} is not what was reported on", (operation.id,))


def _nothing_overwritten(seen: _Seen) -> Iterator[Violation]:
    """Whoever changes something has seen what it was before."""
    for versions in seen.world.changes.values():
        for change in versions.values():
            operation = seen.operations[change.operation]
            first = operation.action in {"register", "record"} or (operation.action == "report" and change.number == 1)
            if not first and operation.if_match != f'"{change.number - 1}"':
                what = f"{_named(change.entity)} version {change.number} was made by If-Match {operation.if_match}"
                yield Violation("overwritten", what, (operation.id,))


# versions


def _revisions(seen: _Seen) -> Iterator[Violation]:
    """Revisions of reports and versions of interventions go 1, 2, 3 ..., and the newest is the one that counts."""
    numbers: dict[Entity, list[int]] = defaultdict(list)
    for change in seen.stored:
        numbers[change.entity].append(change.number)
    for entity, found in numbers.items():
        yield from _counted(_named(entity), found)
    current: dict[Entity, list[int]] = defaultdict(list)
    for row in seen.evidence.reports:
        if row["superseded_at"] is None:
            current[model.report_entity(row)].append(row["revision"])
    for row in seen.evidence.interventions:
        current["intervention", row["id"]].append(row["version"])
    for entity, found in numbers.items():
        if current[entity] != [max(found)]:
            yield Violation("gap", f"{_named(entity)}: current is {current[entity]}, the newest is {max(found)}")


def _counted(name: str, numbers: Iterable[int]) -> Iterator[Violation]:
    found = sorted(numbers)
    if found != list(range(1, len(found) + 1)):
        repeated = [number for number, times in Counter(found).items() if times > 1]
        missing = sorted(set(range(1, max(found) + 1)) - set(found))
        yield Violation("gap", f"{name}: of {len(found)} versions {missing} are missing, {repeated} repeated")


def _village_versions(seen: _Seen) -> Iterator[Violation]:
    """A village's version counts its changes and its reports' revisions."""
    reports = Counter(change.entity[1] for change in seen.stored if change.entity[0] == "report")
    own = Counter(change.entity[1] for change in seen.told)
    for village, row in seen.village_rows.items():
        if row["version"] != reports[village] + own[village]:
            what = f"{own[village]} changes and {reports[village]} reports, but version {row['version']}"
            yield Violation("gap", f"village/{village}: {what}")
        newest = max((c for c in seen.told if c.entity[1] == village), key=lambda c: c.number, default=None)
        if newest is not None and newest.state != model.village_state(row):
            what = f"village/{village}: {_difference(newest.state, model.village_state(row))}"
            yield Violation("event", f"the newest event and the row differ: {what}", (newest.operation,))
    active = Counter(row["region_code"] for row in seen.village_rows.values() if row["status"] == "active")
    for code, number in active.items():
        if number > 1:
            yield Violation("doubled", f"{code} has {number} active villages")


def _positions(seen: _Seen) -> Iterator[Violation]:
    for service, traffic in seen.evidence.traffic.items():
        places = [row["position"] for row in traffic.outbox]
        if None in places:
            yield Violation("gap", f"{service}: {places.count(None)} events have no position")
        yield from _counted(f"{service}: positions of the outbox", [place for place in places if place is not None])
        if not traffic.position == traffic.published == len(places):
            what = f"{len(places)} events, position {traffic.position}, published {traffic.published}"
            yield Violation("gap", f"{service}: {what}")


# one event per change


def _events_of_the_registry(seen: _Seen) -> Iterator[Violation]:
    outbox = seen.evidence.traffic["registry"].outbox
    versions: dict[str, list[int]] = defaultdict(list)
    for row in outbox:
        versions[row["event"]["data"]["village"]["id"]].append(row["event"]["data"]["village"]["version"])
    for village, found in versions.items():
        yield from _counted(f"events of village/{village}", found)
        yield from _in_order(f"events of village/{village}", found)
        if village not in seen.village_rows:
            yield Violation("phantom", f"events of village/{village}, which is not there")
    events = _once((row for row in outbox if "report_id" in row["event"]["data"]), lambda data: data["report_id"])
    yield from _one_each(
        "report",
        {row["id"]: (EVENT_OF[row["kind"]], _report_key(row)) for row in seen.evidence.reports},
        {name: [(row["type"], _report_key_of_event(row)) for row in rows] for name, rows in events.items()},
        {row["id"]: row["source_reference"] for row in seen.evidence.reports},
    )
    yield from _entities(outbox, "registry")


def _events_of_interventions(seen: _Seen) -> Iterator[Violation]:
    outbox = seen.evidence.traffic["interventions"].outbox
    events = _once(outbox, lambda data: (data["intervention_id"], data["version"]))
    owners = {row["id"]: row for row in seen.evidence.interventions}
    wanted, operations = {}, {}
    for row in seen.evidence.revisions:
        place = (row["intervention_id"], row["version"])
        owner, fields = owners[row["intervention_id"]], row["fields"]
        wanted[place] = (
            EVENT_OF[row["change"]],
            (
                owner["village_id"],
                fields["title"],
                fields["date"],
                fields["participants"],
                row["change"] == "withdrawn",
            ),
        )
        operations[place] = row["reason"] if row["change"] == "withdrawn" else fields["title"]
    found = {
        place: [
            (row["type"], (data["village"]["id"], data["title"], data["date"], data["participants"], data["withdrawn"]))
            for row in rows
            for data in [row["event"]["data"]]
        ]
        for place, rows in events.items()
    }
    yield from _one_each("intervention", wanted, found, operations)
    order: dict[str, list[int]] = defaultdict(list)
    for row in outbox:
        order[row["event"]["data"]["intervention_id"]].append(row["event"]["data"]["version"])
    for intervention, versions in order.items():
        yield from _in_order(f"events of intervention/{intervention}", versions)
    yield from _entities(outbox, "interventions")


def _events_of_scoring(seen: _Seen) -> Iterator[Violation]:
    """Assessments are told once for every version, and each says something else than the one before."""
    events: dict[str, list[Row]] = defaultdict(list)
    outbox = seen.evidence.traffic["scoring"].outbox
    for row in outbox:
        events[row["event"]["data"]["village"]["id"]].append(row["event"]["data"])
    assessments = {row["village_id"]: row for row in seen.evidence.assessments}
    for village in sorted(assessments.keys() | events.keys()):
        told, row = events[village], assessments.get(village)
        versions = [data["village"]["version"] for data in told]
        yield from _counted(f"events of assessment/{village}", versions)
        yield from _in_order(f"events of assessment/{village}", versions)
        if row is None or not told or row["version"] != max(versions):
            stands = None if row is None else row["version"]
            yield Violation("event", f"assessment/{village}: version {stands}, events {versions[-3:]}")
        elif _verdict(told[-1]) != _verdict(row):
            what = _difference(_verdict(row), _verdict(told[-1]))
            yield Violation("event", f"assessment/{village}: the newest event differs from the row: {what}")
        for before, after in pairwise(told):
            if _verdict(before) == _verdict(after):
                number = after["village"]["version"]
                yield Violation("doubled", f"assessment/{village} version {number} says what the one before said")
            if after["previous_class"] != before["village_class"]:
                number = after["village"]["version"]
                yield Violation("event", f"assessment/{village} version {number} names another class before it")
    yield from _entities(outbox, "scoring")


def _once(rows: Iterable[Row], name: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[name(row["event"]["data"])].append(row)
    return found


def _one_each(
    what: str, wanted: Mapping[Any, Any], found: Mapping[Any, list[Any]], operations: Mapping[Any, str]
) -> Iterator[Violation]:
    """Every change has exactly one event, which says what the change says."""
    for name, state in wanted.items():
        events = found.get(name, [])
        if len(events) != 1:
            yield Violation("event", f"{what} {name} has {len(events)} events", (operations[name],))
        elif events[0] != state:
            yield Violation("event", f"{what} {name}: event {events[0]}, row {state}", (operations[name],))
    for name in found.keys() - wanted.keys():
        yield Violation("phantom", f"an event of {what} {name}, which is not there")


def _report_key(row: Row) -> tuple[Any, ...]:
    return (
        row["village_id"],
        row["period"],
        row["source_system"],
        row["revision"],
        row["simulated"],
        moment(row["reported_at"]),
        repr(canonical(row["kind"], row["facts"])),
    )


def _report_key_of_event(row: Row) -> tuple[Any, ...]:
    data = row["event"]["data"]
    kind = next((kind for kind, name in EVENT_OF.items() if name == row["type"]), "")
    return _report_key(data | {"village_id": data["village"]["id"], "kind": kind})


def _in_order(name: str, numbers: list[int]) -> Iterator[Violation]:
    if numbers != sorted(numbers):
        yield Violation("event", f"{name} are not in the order of their versions")


def _entities(outbox: Iterable[Row], service: str) -> Iterator[Violation]:
    for row in outbox:
        if row["entity"] != _entity_of(row["event"]) or row["event_id"] != row["event"]["id"]:
            yield Violation("event", f"{service}: position {row['position']} is kept under {row['entity']}")


def _entity_of(event: Mapping[str, Any]) -> str:
    data = event["data"]
    if "intervention_id" in data:
        return f"intervention/{data['intervention_id']}"
    village = data["village"]["id"]
    if "report_id" in data:
        kind = next(kind for kind, name in EVENT_OF.items() if name == event["type"])
        return f"report/{village}/{kind}/{data['period']}/{data['source_system']}"
    return f"{'village' if 'status' in data else 'assessment'}/{village}"


# delivered, and taken once


def _streams(seen: _Seen) -> Iterator[Violation]:
    """The stream has every event of the outbox at least once, and nothing else."""
    for service, traffic in seen.evidence.traffic.items():
        sent = {row["event_id"]: row["event"] for row in traffic.outbox}
        positions = {row["event_id"]: row["position"] for row in traffic.outbox}
        for event in traffic.missing_on_stream:
            yield Violation("stream", f"{service}: {event} ({sent[event]['type']}) is not on the stream")
        for message in traffic.stream:
            if message["id"] not in sent:
                yield Violation("stream", f"{service}: {message['id']} on the stream is not of the outbox")
            elif message["event"] != sent[message["id"]]:
                yield Violation("stream", f"{service}: {message['id']} says something else on the stream")
            elif message["position"] != positions[message["id"]]:
                yield Violation(
                    "stream", f"{service}: {message['id']} has position {message['position']} on the stream"
                )


def _inboxes(seen: _Seen) -> Iterator[Violation]:
    """Every consumer has taken every event meant for it exactly once, and nothing else."""
    for consumer, (service, owner, what) in CONSUMERS.items():
        taken = Counter(row["event_id"] for row in seen.evidence.traffic[service].inbox if row["consumer"] == consumer)
        meant = {row["event_id"] for row in seen.evidence.traffic[owner].outbox if f".{what}" in row["type"]}
        for event in meant - taken.keys():
            yield Violation("inbox", f"{consumer} has not taken {event}")
        for event in taken.keys() - meant:
            yield Violation("inbox", f"{consumer} has taken {event}, which {owner} did not send")
        for event in (event for event, times in taken.items() if times > 1):
            yield Violation("inbox", f"{consumer} has taken {event} more than once")


# what the others know is what its owner says


def _villages_elsewhere(seen: _Seen) -> Iterator[Violation]:
    told = defaultdict(list)
    for change in seen.told:
        told[change.entity[1]].append(change.number)
    for where, found in (("interventions", seen.evidence.followed), ("scoring", seen.evidence.told)):
        rows = {row["id"]: row for row in found}
        yield from _same_keys(f"villages of {where}", seen.village_rows, rows)
        for village in seen.village_rows.keys() & rows.keys():
            names = ["region_code", "name", "status"] + (["simulated"] if where == "scoring" else [])
            own = {name: seen.village_rows[village][name] for name in names}
            others = {name: rows[village][name] for name in names}
            if own != others:
                yield Violation("projection", f"{where}: village/{village}: {_difference(own, others)}")
            if told[village] and rows[village]["version"] != max(told[village]):
                what = f"version {rows[village]['version']}, told {max(told[village])}"
                yield Violation("projection", f"{where}: village/{village}: {what}")


def _facts_elsewhere(seen: _Seen) -> Iterator[Violation]:
    current = [row for row in seen.evidence.reports if row["superseded_at"] is None]
    own = {model.report_entity(row): row | {"report_id": row["id"]} for row in current}
    others = {model.report_entity(row): row for row in seen.evidence.reported_facts}
    yield from _same_keys("reports of scoring", own, others)
    for entity in own.keys() & others.keys():
        one, other = (_fact(row) for row in (own[entity], others[entity]))
        if one != other:
            what = f"scoring: {_named(entity)}: {_difference(one, other)}"
            yield Violation("projection", what, (own[entity]["source_reference"],))


def _fact(row: Row) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("report_id", "revision", "simulated")},
        "reported_at": moment(row["reported_at"]),
        "facts": canonical(row["kind"], row["facts"]),
    }


def _interventions_elsewhere(seen: _Seen) -> Iterator[Violation]:
    own = {row["id"]: row for row in seen.evidence.interventions}
    others = {row["id"]: row for row in seen.evidence.counted}
    yield from _same_keys("interventions of scoring", own, others)
    for intervention in own.keys() & others.keys():
        names = ("village_id", "version", "date", "simulated")
        row, known = own[intervention], others[intervention]
        one = {name: row[name] for name in names}
        one |= {"actors": [model.counted_as(actor["code"]) for actor in row["actors"]]}
        one |= {"withdrawn": row["withdrawn_at"] is not None}
        other = {name: known[name] for name in (*names, "actors", "withdrawn")}
        if one != other:
            yield Violation("projection", f"scoring: intervention/{intervention}: {_difference(one, other)}")


def _same_keys(what: str, own: Mapping[Any, Any], others: Mapping[Any, Any]) -> Iterator[Violation]:
    for name in own.keys() - others.keys():
        yield Violation("projection", f"{what}: {name} is missing")
    for name in others.keys() - own.keys():
        yield Violation("projection", f"{what}: {name} is not its owner's")


def _classes(seen: _Seen) -> Iterator[Violation]:
    """Classes are what the ruleset says of the facts that were accepted, told by the model alone."""
    expected = seen.world.classes()
    found = {row["village_id"]: row for row in seen.evidence.assessments}
    for village in sorted(expected.keys() | found.keys()):
        one, row = expected.get(village), found.get(village)
        if one is None or row is None:
            there = "is missing" if row is None else "is of no village that was acknowledged"
            yield Violation("class", f"assessment/{village} {there}")
            continue
        other = {name: row[name] for name in one}
        if one != other:
            yield Violation("class", f"assessment/{village}: {_difference(one, other)}", _behind(seen, village))


def _behind(seen: _Seen, village: str) -> tuple[str, ...]:
    """The writes that the class rests on."""
    entities = [entity for entity in seen.world.changes if village in entity]
    entities += [e for e in seen.world.of_kind("intervention") if seen.world.current(e).state["village"] == village]
    return tuple(seen.world.current(entity).operation for entity in entities)


# what the platform says of itself


def _feeds(seen: _Seen) -> Iterator[Violation]:
    """The feeds are the outboxes in the order of commits: for who followed all the time, and for who begins now."""
    for service, traffic in seen.evidence.traffic.items():
        for refusal in traffic.refusals:
            yield Violation("feed", f"{service}: who followed was refused: {refusal}")
        events = [(row["position"], row["entity"], row["event"]) for row in traffic.outbox]
        inside = [
            (row["position"], row["entity"], row["event"])
            for row in traffic.outbox
            if row["region_code"].startswith(f"{PART}.")
        ]
        for who, told, wanted in (
            ("who followed", traffic.followed, events),
            ("who begins", seen.evidence.feeds[service], events),
            ("a district", seen.evidence.district_feeds[service], inside),
        ):
            got = [(item["position"], item["entity"], item["event"]) for item in told]
            if got != wanted:
                yield Violation("feed", f"{service}: {who}: {_first_difference(wanted, got)}")
            for item in told:
                if item["tombstone"] != item["event"]["type"].endswith("-withdrawn.v1"):
                    yield Violation("feed", f"{service}: {who}: tombstone is wrong at {item['position']}")


def _first_difference(wanted: Sequence[Any], got: Sequence[Any]) -> str:
    for place, (one, other) in enumerate(zip_longest(wanted, got)):
        if one != other:
            return f"{len(got)} of {len(wanted)} events; item {place} should be {_short(one)} and is {_short(other)}"
    return "no difference"


def _short(item: tuple[Any, ...] | None) -> str:
    return "nothing" if item is None else f"{item[0]} {item[1]}"


_HOLDERS = {
    "village": ("registry", "interventions", "scoring"),
    "report": ("registry", "scoring"),
    "intervention": ("interventions", "scoring"),
    "assessment": ("scoring",),
}


def _checksums(seen: _Seen) -> Iterator[Violation]:
    """All that hold one kind of thing say the same of it, parts add up, and the counts are those of the rows."""
    evidence = seen.evidence
    counts = {
        "village": len(evidence.villages),
        "report": sum(row["superseded_at"] is None for row in evidence.reports),
        "intervention": len(evidence.interventions),
        "assessment": len(evidence.villages),
    }
    for kind, holders in _HOLDERS.items():
        said = {}
        for holder in holders:
            one = next(one for one in evidence.checksums[holder]["kinds"] if one["kind"] == kind)
            said[holder] = one
            digest = sum(int(part["digest"], 16) for part in one["parts"]) % 2**64
            if (digest, sum(part["count"] for part in one["parts"])) != (int(one["digest"], 16), one["count"]):
                yield Violation("checksum", f"{holder}: the parts of {kind} do not add up to the whole")
            if one["count"] != counts[kind]:
                yield Violation("checksum", f"{holder}: {one['count']} of {kind}, there are {counts[kind]}")
        if any(one != said[holders[0]] for one in said.values()):
            digests = {holder: (one["count"], one["digest"]) for holder, one in said.items()}
            yield Violation("checksum", f"{kind}: {digests}")
    for service, traffic in evidence.traffic.items():
        checksums = evidence.checksums[service]
        if not checksums["settled"] or checksums["as_of"] != traffic.position:
            what = f"as of {checksums['as_of']} (settled: {checksums['settled']}), position {traffic.position}"
            yield Violation("checksum", f"{service}: {what}")


def _verdict(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in _VERDICT}


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    names = [name for name in wanted if wanted[name] != found.get(name)]
    return "; ".join(f"{name} should be {wanted[name]!r} and is {found.get(name)!r}" for name in names)
