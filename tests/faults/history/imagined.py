"""A platform that exists on paper only and does everything right: a history and the evidence that belongs to it.

The checker's own tests break the paper in one place and look whether the checker sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from contracts.facts import FACTS_OF, ReportKind
from tests.faults.history.checker import EVENT_OF
from tests.faults.history.evidence import CONSUMERS, Evidence, Row, Traffic
from tests.faults.history.follow import PART, REGION
from tests.faults.history.model import Change, World, acknowledged, counted_as
from tests.faults.history.record import Action, Attempt, History, Operation

_VILLAGE_EVENTS = {1: "id.kampungkb.registry.village-registered.v1"}
_CHANGED = "id.kampungkb.registry.village-changed.v1"
_CLASSIFIED = "id.kampungkb.scoring.village-classified.v1"
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def _sum(rows: Sequence[Row]) -> dict[str, Any]:
    return {"count": len(rows), "digest": f"{len(rows):016x}"}


class Imagined:
    """Does what is asked, tells the history, and keeps rows, events and projections in step."""

    def __init__(self) -> None:
        self.history = History("imagined")
        self.evidence = Evidence(traffic={name: Traffic() for name in ("registry", "interventions", "scoring")})
        self._numbers = count(1)
        self._changes: list[Change] = []

    def register(self, desa: str, **how: Any) -> str:
        """Register a village; its id."""
        operation = self._operation("register", "POST", "/villages", about={"desa": desa})
        operation.body = {"region_code": desa, "name": operation.id, "simulated": False, "source_system": "manual"}
        village = {"id": self._id(), **operation.body, "status": "active", "version": 1}
        self.evidence.villages.append(village)
        self._village_event(village)
        self._answered(operation, 201, village, **how)
        return str(village["id"])

    def change(self, village: str, status: str | None = None, **how: Any) -> Operation:
        """Change a village."""
        row = self.village(village)
        operation = self._operation("change", "PATCH", f"/villages/{village}", about={"village": village, "desa": ""})
        operation.if_match = f'"{row["version"]}"'
        operation.body = {"name": operation.id} | ({"status": status} if status else {})
        row |= {**operation.body, "version": row["version"] + 1}
        self._village_event(row)
        return self._answered(operation, 200, row, **how)

    def report(
        self, village: str, kind: str, facts: Mapping[str, Any], period: str = "2025-09", **how: Any
    ) -> Operation:
        """Report on a village, or correct what was reported."""
        about = {"village": village, "kind": kind, "period": period, "source": "manual"}
        operation = self._operation("report", "POST", f"/villages/{village}/{kind}", about=about)
        places = ("village_id", "kind", "period", "source_system")
        before = [row for row in self.evidence.reports if [row[name] for name in places] == list(about.values())]
        operation.if_match = f'"{len(before)}"' if before else None
        operation.body = {"facts": dict(facts), "simulated": False, "source_reference": operation.id}
        now = self._now()
        for row in before:
            row["superseded_at"] = row["superseded_at"] or now
        report = {
            "id": self._id(),
            **dict(zip(places, about.values(), strict=True)),
            "revision": len(before) + 1,
            "facts": FACTS_OF[ReportKind(kind)].model_validate(facts).model_dump(mode="json"),
            "simulated": False,
            "source_reference": operation.id,
            "reported_at": now,
            "superseded_at": None,
        }
        self.evidence.reports.append(report)
        row = self.village(village)
        row["version"] += 1
        data = {name: report[name] for name in ("revision", "period", "source_system", "simulated", "reported_at")}
        data |= {"village": self._key(row), "report_id": report["id"], "facts": report["facts"]}
        entity = "/".join(["report", *about.values()])
        self._event("registry", EVENT_OF[kind], entity, row["region_code"], data)
        facts_row = {name: report[name] for name in (*places, "revision", "simulated", "reported_at", "facts")}
        self.evidence.reported_facts = [
            one for one in self.evidence.reported_facts if [one[name] for name in places] != list(about.values())
        ] + [facts_row | {"report_id": report["id"]}]
        return self._answered(operation, 201, {"report": dict(report), "unchanged": False}, **how)

    def record(self, village: str, *actors: str, **how: Any) -> str:
        """Record an intervention; its id."""
        about = {"village": village, "desa": ""}
        operation = self._operation("record", "POST", "/interventions", about=about, service="interventions")
        fields = {"date": "2025-09-01", "title": operation.id, "participants": None}
        fields |= {"actors": [{"code": code} for code in actors]}
        operation.body = {**fields, "simulated": False}
        row = {"id": self._id(), "village_id": village, "version": 1, **operation.body}
        row |= {"withdrawn_at": None, "withdrawal_reason": None}
        self.evidence.interventions.append(row)
        self._intervened(operation, row, "recorded", 201, **how)
        return str(row["id"])

    def correct(self, intervention: str, *actors: str, **how: Any) -> Operation:
        """Correct an intervention."""
        row = self.intervention(intervention)
        path, about = f"/interventions/{intervention}", {"intervention": intervention}
        operation = self._operation("correct", "PATCH", path, about=about, service="interventions")
        operation.body = {"date": "2025-09-02", "title": operation.id, "participants": 9}
        operation.body |= {"actors": [{"code": code} for code in actors]}
        operation.if_match = f'"{row["version"]}"'
        row |= {**operation.body, "version": row["version"] + 1}
        return self._intervened(operation, row, "corrected", 200, **how)

    def withdraw(self, intervention: str, **how: Any) -> Operation:
        """Withdraw an intervention."""
        row = self.intervention(intervention)
        path, about = f"/interventions/{intervention}/withdrawal", {"intervention": intervention}
        operation = self._operation("withdraw", "POST", path, about=about, service="interventions")
        operation.body = {"reason": operation.id}
        operation.if_match = f'"{row["version"]}"'
        row |= {"withdrawn_at": self._now(), "withdrawal_reason": operation.id, "version": row["version"] + 1}
        return self._intervened(operation, row, "withdrawn", 200, **how)

    def read_village(self, village: str) -> Operation:
        """Read a village."""
        operation = self._operation("read village", "GET", f"/villages/{village}", about={"desa": ""})
        return self._answered(operation, 200, self.village(village))

    def read_report(self, village: str, kind: str, period: str = "2025-09") -> Operation:
        """Read a village's current report."""
        about = {"village": village, "kind": kind, "period": period, "source": "manual"}
        operation = self._operation("read report", "GET", f"/villages/{village}/{kind}", about=about)
        found = [row for row in self.evidence.reports if row["village_id"] == village and row["kind"] == kind]
        items = [dict(row) for row in found if row["period"] == period and row["superseded_at"] is None]
        return self._answered(operation, 200, {"items": items})

    def read_class(self, village: str) -> Operation:
        """Read a village's class."""
        operation = self._operation("read class", "GET", f"/assessments/{village}", service="scoring")
        row = next(row for row in self.evidence.assessments if row["village_id"] == village)
        body = {name: row[name] for name in ("version", "scores", "indexes", "answered", "simulated")}
        return self._answered(operation, 200, body | {"village": village, "class": row["village_class"]})

    def settled(self) -> tuple[History, Evidence]:
        """The history, and everything as it is once all has followed."""
        for village in self.evidence.villages:
            version = max(
                row["event"]["data"]["village"]["version"]
                for row in self.evidence.traffic["registry"].outbox
                if row["entity"] == f"village/{village['id']}"
            )
            for known in (self.evidence.followed, self.evidence.told):
                known.append(village | {"version": version})
        self.evidence.counted = [
            {
                **{name: row[name] for name in ("id", "village_id", "version", "date", "simulated")},
                "actors": [counted_as(actor["code"]) for actor in row["actors"]],
                "withdrawn": row["withdrawn_at"] is not None,
            }
            for row in self.evidence.interventions
        ]
        for traffic in self.evidence.traffic.values():
            traffic.position = traffic.published = len(traffic.outbox)
            traffic.stream = [
                {"sequence": row["position"], "id": row["event_id"], "position": row["position"], "event": row["event"]}
                for row in traffic.outbox
            ]
        self._say_of_itself()
        for consumer, (service, owner, what) in CONSUMERS.items():
            self.evidence.traffic[service].inbox += [
                {"consumer": consumer, "event_id": row["event_id"]}
                for row in self.evidence.traffic[owner].outbox
                if f".{what}" in row["type"]
            ]
        return self.history, self.evidence

    def _say_of_itself(self) -> None:
        """Feeds and checksums; a digest need only be the same for all."""
        kinds = {
            "village": self.evidence.villages,
            "report": [row for row in self.evidence.reports if row["superseded_at"] is None],
            "intervention": self.evidence.interventions,
            "assessment": self.evidence.assessments,
        }
        for service, traffic in self.evidence.traffic.items():
            items = [
                {
                    **{name: row[name] for name in ("position", "entity", "event")},
                    "tombstone": row["type"] == EVENT_OF["withdrawn"],
                }
                for row in traffic.outbox
            ]
            district = [row["position"] for row in traffic.outbox if row["region_code"].startswith(f"{PART}.")]
            traffic.followed = [dict(item) for item in items]
            self.evidence.feeds[service] = [dict(item) for item in items]
            self.evidence.district_feeds[service] = [dict(item) for item in items if item["position"] in district]
            sums = [
                {"kind": kind, **_sum(rows), "parts": [{"region_code": REGION, **_sum(rows)}]}
                for kind, rows in kinds.items()
            ]
            self.evidence.checksums[service] = {"kinds": sums, "settled": True, "as_of": len(traffic.outbox)}

    def village(self, village: str) -> Row:
        """The owner's row."""
        return next(row for row in self.evidence.villages if row["id"] == village)

    def intervention(self, intervention: str) -> Row:
        """The owner's row."""
        return next(row for row in self.evidence.interventions if row["id"] == intervention)

    def refuse(self, operation: Operation, status: int = 412) -> None:
        """Say that what was done was refused."""
        self.history.operations[operation.id].attempts = [
            Attempt(self.history.next_place(), 0, self.history.next_place(), status, {"current_etag": '"99999"'})
        ]

    def _intervened(self, operation: Operation, row: Row, change: str, status: int, **how: Any) -> Operation:
        fields = {name: row[name] for name in ("date", "title", "participants", "actors")}
        self.evidence.revisions.append(
            {
                "intervention_id": row["id"],
                "version": row["version"],
                "change": change,
                "reason": row["withdrawal_reason"],
                "fields": fields,
            }
        )
        code = self.village(row["village_id"])["region_code"]
        data = fields | {"intervention_id": row["id"], "version": row["version"], "withdrawn": change == "withdrawn"}
        data |= {"village": {"id": row["village_id"], "region_code": code}}
        self._event("interventions", EVENT_OF[change], f"intervention/{row['id']}", code, data)
        return self._answered(operation, status, row | {"village": {"id": row["village_id"]}}, **how)

    def _village_event(self, row: Row) -> None:
        kind = _VILLAGE_EVENTS.get(row["version"], _CHANGED)
        data = {name: row[name] for name in ("name", "status", "simulated", "source_system")}
        data["village"] = self._key(row)
        self._event("registry", kind, f"village/{row['id']}", row["region_code"], data)

    def _classify(self) -> None:
        for village, verdict in World.of(self._changes).classes().items():
            before = next((row for row in self.evidence.assessments if row["village_id"] == village), None)
            row = {"village_id": village, **verdict, "version": before["version"] + 1 if before else 1}
            said = {name: value for name, value in verdict.items() if name not in {"active", "without_reports"}}
            if before is not None and all(before[name] == value for name, value in said.items()):
                before |= verdict
                continue
            data = {**said, "village": self._key({**row, "id": village})}
            data["previous_class"] = before["village_class"] if before else None
            self._event("scoring", _CLASSIFIED, f"assessment/{village}", row["region_code"], data)
            self.evidence.assessments = [one for one in self.evidence.assessments if one is not before] + [row]

    def _event(self, service: str, kind: str, entity: str, code: str, data: Mapping[str, Any]) -> None:
        outbox = self.evidence.traffic[service].outbox
        event = {"id": self._id(), "type": kind, "data": dict(data)}
        row = {"id": len(outbox) + 1, "event_id": event["id"], "type": kind, "region_code": code}
        outbox.append({**row, "entity": entity, "position": len(outbox) + 1, "event": event})

    def _operation(self, action: Action, method: str, path: str, service: str = "registry", **more: Any) -> Operation:
        return Operation(f"c1-{next(self._numbers)}", 1, action, service, method, path, **more)

    def _answered(
        self, operation: Operation, status: int, body: Mapping[str, Any], *, unknown: bool = False
    ) -> Operation:
        attempt = self.history.invoke(operation, 0)
        if unknown:
            attempt.error = "ReadTimeout"
        else:
            attempt.status, attempt.body = status, dict(body)
        self.history.complete(operation, attempt)
        if operation.writes:
            told = Attempt(0, 0, 0, status, dict(body))
            shown = Operation(**{**vars(operation), "attempts": [told]})
            change = acknowledged(shown)
            assert change is not None
            self._changes.append(change)
            self._classify()
        return operation

    def _key(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {"id": row["id"], "region_code": row["region_code"], "version": row["version"]}

    def _id(self) -> str:
        return str(UUID(int=0x01980000_0000_7000_8000_000000000000 + next(self._numbers)))

    def _now(self) -> str:
        return (_BEGAN + timedelta(seconds=next(self._numbers))).isoformat()
