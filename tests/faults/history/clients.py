"""Clients: each walks through its own intents, sends requests, repeats what has no answer, and writes it all down."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import httpx

from contracts.facts import ReportKind
from tests.callers import caller
from tests.faults.history.intents import Intent, intents
from tests.faults.history.record import Action, History, Operation

SERVICE_OF: dict[Action, str] = {
    "record": "interventions",
    "correct": "interventions",
    "withdraw": "interventions",
    "read intervention": "interventions",
    "read class": "scoring",
}
"""Which service an action is asked of; all others are the registry's."""
PATH_OF = {
    ReportKind.PROFILE: "profiles",
    ReportKind.POPULATION: "population-reports",
    ReportKind.FAMILY_PLANNING: "family-planning-reports",
}
_REPEAT_AFTER_SECONDS = 0.4


@dataclass
class Board:
    """What the clients tell each other: which villages and interventions there are."""

    villages: dict[str, list[str]] = field(default_factory=dict)
    """Ids by desa, in the order in which they became known."""
    interventions: list[str] = field(default_factory=list)
    """Ids of those that are not known to be withdrawn."""

    def add_village(self, desa: str, village: str) -> None:
        """A village of a desa is known from now on."""
        known = self.villages.setdefault(desa, [])
        if village not in known:
            known.append(village)


@dataclass
class Client:
    """One client of all three services; it asks a service's processes in turn, as a load balancer would."""

    number: int
    history: History
    board: Board
    urls: Mapping[str, Sequence[str]]
    http: httpx.AsyncClient
    seen: dict[str, int] = field(default_factory=dict)
    """The newest version or revision this client has seen, by what it was of."""
    done: int = 0
    least_patience: float = 0.0
    """Seconds to wait for an answer at least, whatever the intent says."""

    async def run(self, seed: str, ending: asyncio.Event) -> None:
        """Go on until told to end; what is in hand is finished."""
        for intent in islice(intents(seed, self.number), self.done, None):
            await asyncio.sleep(intent.pause)
            if ending.is_set():
                return
            self.done += 1
            await self._do(intent)

    async def _do(self, intent: Intent) -> None:
        known = self.board.villages.get(intent.desa)
        if intent.action == "register" or not known:
            await self._register(intent)
        elif intent.action in {"correct", "withdraw", "read intervention"}:
            if not self.board.interventions:
                await self._record(intent, known[-1])
            else:
                of = self.board.interventions[int(intent.pick * len(self.board.interventions))]
                await self._on_intervention(intent, of)
        elif intent.action == "record":
            await self._record(intent, known[-1])
        elif intent.action in {"report", "read report"}:
            await self._on_report(intent, known[-1])
        else:
            await self._on_village(intent, known[-1])

    def _operation(self, intent: Intent, action: Action, method: str, path: str, **more: Any) -> Operation:
        return Operation(
            self._id(action), self.number, action, SERVICE_OF.get(action, "registry"), method, path, **more
        )

    def _id(self, action: Action) -> str:
        # the read before a correction is an operation of its own beside the intent's
        return f"c{self.number}-{self.done}{'r' if action.startswith('read') else ''}"

    async def _register(self, intent: Intent) -> None:
        operation = self._operation(intent, "register", "POST", "/villages", about={"desa": intent.desa})
        operation.key = operation.id + "-key"
        operation.body = {
            "region_code": intent.desa,
            "name": operation.id,
            "simulated": intent.simulated,
            "source_system": intent.source,
        }
        await self._send(operation, intent)
        if operation.answer is not None:
            self.board.add_village(intent.desa, operation.answer.body["id"])
        for attempt in operation.attempts:
            if attempt.status == httpx.codes.CONFLICT:
                self.board.add_village(intent.desa, attempt.body["existing_id"])

    async def _on_village(self, intent: Intent, village: str) -> None:
        named = intent.desa if intent.by_code else village
        if intent.action == "read class":
            await self._read(intent, "read class", f"/assessments/{named}", desa=intent.desa)
            return
        found = None
        if intent.action == "read village" or intent.if_match == "right":
            found = await self._read(intent, "read village", f"/villages/{named}", desa=intent.desa)
        if intent.action == "change":
            about = {"village": None if intent.by_code else village, "desa": intent.desa}
            operation = self._operation(intent, "change", "PATCH", f"/villages/{named}", about=about)
            operation.body = {"name": operation.id} | ({"status": intent.status} if intent.status else {})
            operation.if_match = self._tag(intent, f"village/{village}", found and found["version"])
            await self._send(operation, intent)

    async def _on_report(self, intent: Intent, village: str) -> None:
        path = f"/villages/{village}/{PATH_OF[intent.kind]}"
        about = {"village": village, "kind": intent.kind.value, "period": intent.period, "source": intent.source}
        revision = None
        if intent.action == "read report" or intent.if_match == "right":
            query = f"?period={intent.period}&source_system={intent.source}"
            found = await self._read(intent, "read report", path + query, **about)
            revision = found["items"][0]["revision"] if found and found["items"] else None
        if intent.action == "report":
            operation = self._operation(intent, "report", "POST", path, about=about)
            operation.key = operation.id + "-key"
            operation.if_match = self._tag(intent, "/".join(["report", *about.values()]), revision)
            operation.body = {
                "period": intent.period,
                "facts": intent.facts,
                "simulated": intent.simulated,
                "source_system": intent.source,
                "source_reference": operation.id,
            }
            await self._send(operation, intent)

    async def _record(self, intent: Intent, village: str) -> None:
        about = {"village": None if intent.by_code else village, "desa": intent.desa}
        operation = self._operation(intent, "record", "POST", "/interventions", about=about)
        operation.key = operation.id + "-key"
        operation.body = {
            "village": intent.desa if intent.by_code else village,
            "date": intent.day,
            "place": "Balai desa",
            "title": operation.id,
            "description": "Kegiatan uji",
            "family_function": intent.function,
            "target_groups": ["pus"],
            "actors": [{"code": code} for code in intent.actors],
            "participants": intent.participants,
            "simulated": intent.simulated,
            "source_system": intent.source,
        }
        await self._send(operation, intent)
        if operation.answer is not None:
            self.board.interventions.append(operation.answer.body["id"])

    async def _on_intervention(self, intent: Intent, intervention: str) -> None:
        path, about = f"/interventions/{intervention}", {"intervention": intervention}
        found = None
        if intent.action == "read intervention" or intent.if_match == "right":
            found = await self._read(intent, "read intervention", path, **about)
        if intent.action == "read intervention":
            return
        tag = self._tag(intent, f"intervention/{intervention}", found and found["version"])
        if intent.action == "correct":
            operation = self._operation(intent, "correct", "PATCH", path, about=about, if_match=tag)
            operation.body = {
                "title": operation.id,
                "date": intent.day,
                "actors": [{"code": code} for code in intent.actors],
                "participants": intent.participants,
            }
        else:
            operation = self._operation(intent, "withdraw", "POST", f"{path}/withdrawal", about=about, if_match=tag)
            operation.key = operation.id + "-key"
            operation.body = {"reason": operation.id}
        await self._send(operation, intent)
        if operation.action == "withdraw" and operation.answer and intervention in self.board.interventions:
            self.board.interventions.remove(intervention)

    def _tag(self, intent: Intent, of: str, current: int | None) -> str | None:
        """The If-Match of a change: the version just read, one from before, or none."""
        if current is not None:
            self.seen[of] = current
        match intent.if_match:
            case "right":
                return None if current is None else f'"{current}"'
            case "stale":
                return f'"{max(self.seen.get(of, 1) - 1, 0)}"'
            case "missing":
                return None

    async def _read(self, intent: Intent, action: Action, path: str, **about: Any) -> Any:
        operation = self._operation(intent, action, "GET", path, about=about)
        await self._send_once(operation, intent, intent.replica)
        return operation.answer.body if operation.answer else None

    async def _send(self, operation: Operation, intent: Intent) -> None:
        """Send it, at once a second time if the intent says so, and again while nobody knows what became of it."""
        replicas = range(intent.replica, intent.replica + (2 if intent.twice else 1))
        await asyncio.gather(*(self._send_once(operation, intent, replica) for replica in replicas))
        for repeat in range(1, intent.repeats + 1):
            if operation.outcome != "unknown":
                return
            await asyncio.sleep(_REPEAT_AFTER_SECONDS)
            await self._send_once(operation, intent, intent.replica + repeat)

    async def _send_once(self, operation: Operation, intent: Intent, replica: int) -> None:
        urls = self.urls[operation.service]
        headers = caller("officer", name=f"client-{self.number}")
        headers |= {"Idempotency-Key": operation.key} if operation.key else {}
        headers |= {"If-Match": operation.if_match} if operation.if_match else {}
        attempt = self.history.invoke(operation, replica % len(urls))
        try:
            async with asyncio.timeout(max(intent.patience, self.least_patience)):
                url = urls[replica % len(urls)] + operation.path
                answer = await self.http.request(operation.method, url, json=operation.body, headers=headers)
            attempt.status, attempt.body = answer.status_code, _essence(operation.action, answer)
            attempt.etag = answer.headers.get("ETag")
            attempt.replayed = "Idempotency-Replayed" in answer.headers
            attempt.retry_after = answer.headers.get("Retry-After")
        except (httpx.HTTPError, TimeoutError) as error:
            attempt.error = type(error).__name__
        self.history.complete(operation, attempt)


def _essence(action: Action, answer: httpx.Response) -> Any:
    """The answer; of a class what can be compared with its event, and not its explanation."""
    try:
        body = answer.json()
    except ValueError:
        return answer.text[:500]
    if action != "read class" or answer.status_code != httpx.codes.OK:
        return body
    return {
        "village": body["village"]["id"],
        "version": body["version"],
        "class": body["class"],
        "scores": {one["code"]: one["score"] for one in body["indicators"]},
        "indexes": {one["code"]: one["index"] for one in body["dimensions"]},
        "answered": body["completeness"]["answered"],
        "simulated": body["simulated"],
    }
