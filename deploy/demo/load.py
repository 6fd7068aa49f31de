"""Load the demonstration district: `python -m deploy.demo.load --url http://127.0.0.1:8080 --key-file FILE`.

A client of the gateway like any other: all that it says goes the way of real reports. It can be run again at any time;
what is there already stays as it is.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import httpx

from contracts.classes import VillageClass
from contracts.facts import ReportKind
from deploy.demo.district import DemoVillage, make_district
from deploy.demo.gateway import CONCURRENCY, Gateway, LoadFailure, problem_type, refused
from deploy.demo.plan import (
    DECREE_DATE,
    DECREE_NUMBER,
    PERIOD,
    REGENCY,
    RULESET,
    SOURCE_SYSTEM,
    WrongDistrict,
    planned_counts,
)

_PATHS = {
    ReportKind.PROFILE: "profiles",
    ReportKind.POPULATION: "population-reports",
    ReportKind.FAMILY_PLANNING: "family-planning-reports",
}
_PRECONDITION = "urn:kampungkb:problem:precondition-required"
_DETERMINED = "urn:kampungkb:problem:already-determined"
_DETERMINED_FROM = frozenset({"report", "intervention"})
_NOTE = "Data simulasi untuk peragaan; bukan penetapan siapa pun."
_ASK_SECONDS = 0.2
_SETTLED_SECONDS = 10.0
_PATIENCE_SECONDS = 120.0

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Loaded:
    """What a load did (by what was stored, or was there already), and the classes as scoring answers them.

    A determination is issued only where the classes are the plan's.
    """

    done: Counter[str]
    classes: dict[str, int]
    seconds: float

    @property
    def as_planned(self) -> bool:
        """Whether the classes are the plan's; not so where somebody has changed demonstration data since."""
        return self.classes == _planned()


@dataclass(frozen=True)
class _Registered:
    """A village with its id, and the (date, title) of what another caller has recorded there already."""

    village: DemoVillage
    number: str
    recorded: frozenset[tuple[str, str]]
    is_new: bool


def load(url: str, key: str) -> Loaded:
    """Register, report and record everything, wait until the classes follow, then determine them.

    Raises:
        LoadFailure: the gateway is away or refuses something, or a village is not the demonstration's.
        WrongDistrict: the code list does not hold the villages of the plan.
    """
    began = time.monotonic()
    with Gateway(url, key) as gateway:
        regions = gateway.items("/regions", within=REGENCY, level="village")
        district = make_district({region["code"]: region["name"] for region in regions})
        # All villages first: news of them has reached the other services by the time more is said about them.
        villages = _many(lambda village: _register(gateway, village), district)
        told = _many(lambda village: (_report(gateway, village), _record(gateway, village)), villages)
        active = sum(1 for _ in gateway.items("/villages", region=REGENCY, status="active"))
        classes = _settled_classes(gateway, active)
        determined = [_determine(gateway)] if classes == _planned() else []
    done = _counted("villages", [village.is_new for village in villages])
    done += _counted("reports", chain.from_iterable(reports for reports, _ in told))
    done += _counted("interventions", chain.from_iterable(interventions for _, interventions in told))
    done += _counted("determinations", determined)
    return Loaded(done, classes, time.monotonic() - began)


def _counted(what: str, news: Iterable[bool]) -> Counter[str]:
    return Counter(what if is_new else f"{what} there" for is_new in news)


def _many(action: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The action on all items, many at once. The first failure ends it: the others would fail for the same reason."""
    with ThreadPoolExecutor(CONCURRENCY) as threads:
        started = [threads.submit(action, item) for item in items]
        try:
            return [one.result() for one in started]
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _register(gateway: Gateway, village: DemoVillage) -> _Registered:
    """The village with its id. What is recorded goes to the id: the desa may have another, real Kampung KB by now.

    An Idempotency-Key is known to its caller only. Villages and reports are recognised anyway, interventions are not.

    Raises:
        LoadFailure: the desa has a Kampung KB that is not the demonstration's; the two are never mixed.
    """
    response = gateway.post("/villages", village.registration)
    if response.status_code == HTTPStatus.CREATED:
        return _Registered(village, response.json()["id"], frozenset(), is_new=not _is_replay(response))
    if response.status_code != HTTPStatus.CONFLICT:
        raise refused(response)
    code = village.planned.code
    existing = gateway.get(f"/villages/{code}")
    if not existing["simulated"] or existing["source_system"] != SOURCE_SYSTEM:
        raise LoadFailure(f"{code} has a Kampung KB that is not of the demonstration: nothing is added to it.")
    recorded = gateway.items("/interventions", village=existing["id"])
    known = frozenset((one["date"], one["title"]) for one in recorded)
    return _Registered(village, existing["id"], known, is_new=False)


def _report(gateway: Gateway, registered: _Registered) -> list[bool]:
    """Whether each report is new; one that somebody has revised since stays as it is."""
    news = []
    for kind in registered.village.reports:
        path = f"/villages/{registered.number}/{_PATHS[kind]}"
        response = gateway.post(path, registered.village.report_body(kind))
        if not response.is_success and problem_type(response) != _PRECONDITION:
            raise refused(response)
        news.append(response.status_code == HTTPStatus.CREATED and not _is_replay(response))
    return news


def _record(gateway: Gateway, registered: _Registered) -> list[bool]:
    """Whether each intervention is new."""
    return [
        (body["date"], body["title"]) not in registered.recorded and _record_one(gateway, registered, body)
        for body in registered.village.interventions
    ]


def _record_one(gateway: Gateway, registered: _Registered, body: dict[str, Any]) -> bool:
    """Record an intervention; whether it is new."""
    response = gateway.post("/interventions", {**body, "village": registered.number}, await_news=True)
    if response.status_code != HTTPStatus.CREATED:
        raise refused(response)
    return not _is_replay(response)


def _is_replay(response: httpx.Response) -> bool:
    return "Idempotency-Replayed" in response.headers


def _planned() -> dict[str, int]:
    return {kind.value: count for kind, count in planned_counts().items()}


def _settled_classes(gateway: Gateway, villages: int) -> dict[str, int]:
    """The counts by class once every village is assessed and they are as planned, or have not changed for a while."""
    until, since = time.monotonic() + _PATIENCE_SECONDS, time.monotonic()
    last: dict[str, int] = {}
    while True:
        counts = gateway.get("/class-counts", region=REGENCY)["total"]
        classes = {kind: share["count"] for kind, share in counts["classes"].items()}
        if classes != last:
            last, since = classes, time.monotonic()
        settled = classes == _planned() or time.monotonic() > since + _SETTLED_SECONDS
        if counts["total"] == villages and settled:
            return classes
        if time.monotonic() > until:
            raise LoadFailure(f"Only {counts['total']} of {villages} villages were assessed: see scoring's log.")
        time.sleep(_ASK_SECONDS)


def _determine(gateway: Gateway) -> bool:
    """Determine the classes of the demonstration's month once scoring holds all that was said; whether that is new."""
    _wait_for_everything(gateway)
    asked = {"region_code": REGENCY, "period": PERIOD, "ruleset": RULESET}
    decree = {"number": DECREE_NUMBER, "date": DECREE_DATE}
    response = gateway.post("/determinations", {**asked, "decree": decree, "note": _NOTE})
    if problem_type(response) == _DETERMINED:
        return False
    if response.status_code != HTTPStatus.CREATED:
        raise refused(response)
    return not _is_replay(response)


def _wait_for_everything(gateway: Gateway) -> None:
    """Wait until scoring holds the same reports and interventions as their owners: what is determined never changes.

    Raises:
        LoadFailure: they still differ after a while.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while _held(gateway, "scoring") != _held(gateway, "registry") | _held(gateway, "interventions"):
        if time.monotonic() > until:
            raise LoadFailure("Scoring does not hold what the other services hold: see its log.")
        time.sleep(_ASK_SECONDS)


def _held(gateway: Gateway, service: str) -> dict[str, str]:
    """What a service holds of the reports and interventions of the district, as digests."""
    kinds = gateway.get(f"/checksums/{service}", region=REGENCY)["kinds"]
    return {one["kind"]: one["digest"] for one in kinds if one["kind"] in _DETERMINED_FROM}


def _told(loaded: Loaded) -> str:
    done = ", ".join(f"{count} {what}" for what, count in sorted(loaded.done.items()))
    classes = ", ".join(f"{kind} {loaded.classes[kind]}" for kind in VillageClass)
    note = "" if loaded.as_planned else " (not as planned: demonstration data were changed since)"
    return f"{done} in {loaded.seconds:.1f} s.\nKabupaten Pekalongan (SIMULASI): {classes}{note}"


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 when the district is there, 1 with one line on standard error when it could not be loaded."""
    parser = argparse.ArgumentParser(description="Load the demonstration district (33.26, simulated).")
    parser.add_argument("--url", default=os.environ.get("KKB_URL", "http://127.0.0.1:8080"), help="the gateway")
    parser.add_argument("--key-file", type=Path, required=True, help="file that holds an administrator's key")
    given = parser.parse_args(arguments)
    try:
        loaded = load(given.url, given.key_file.read_text(encoding="ascii").strip())
    except (LoadFailure, WrongDistrict, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    print(_told(loaded))
    return 0


if __name__ == "__main__":
    sys.exit(main())
