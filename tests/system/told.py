"""A small platform of real processes with villages, reports and interventions, and rows of its databases to compare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

from tests.callers import caller
from tests.faults.facts import free_desa, register, until, wait_until_settled
from tests.faults.platform import Platform, ServiceName

OPERATOR = ("operator",)
PROFILE = {"pokja": True, "pokja_members": 20, "poktan": {"bkb": True, "bkr": True}, "secretariat": True}
POPULATION = {"pus": 400, "families": 700}


class Told:
    """What was told to a platform, and how more is told."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.villages: list[str] = []
        self._desa: Iterator[str] = free_desa(platform)

    @property
    def region(self) -> str:
        """The province of the first village."""
        query = f"SELECT region_code FROM villages WHERE id = '{self.villages[0]}'"
        return self.platform.sql("registry", query)[0][0][:2]

    def url(self, service: ServiceName) -> str:
        return self.platform.processes[service, 0].url

    def post(self, service: ServiceName, path: str, body: Any, *roles: str, **headers: str) -> httpx.Response:
        region = headers.pop("region", None)
        url = f"{self.url(service)}{path}"
        return httpx.post(
            url, json=body, headers={**caller(*(roles or OPERATOR), region=region), **headers}, timeout=30
        )

    def get(
        self, service: ServiceName, path: str, *roles: str, region: str | None = None, **query: Any
    ) -> httpx.Response:
        headers = caller(*(roles or OPERATOR), region=region)
        return httpx.get(f"{self.url(service)}{path}", params=query, headers=headers, timeout=30)

    def village(self) -> str:
        """Register one more village."""
        answer = register(self.platform.processes["registry", 0], next(self._desa))
        assert answer.status_code == 201, answer.text
        self.villages.append(answer.json()["id"])
        return self.villages[-1]

    def report(self, village: str, kind: str, facts: dict[str, Any], period: str = "2025-09", **headers: str) -> None:
        body = {"period": period, "facts": facts}
        answer = self.post("registry", f"/villages/{village}/{kind}", body, "reporter", **headers)
        assert answer.status_code in {200, 201}, answer.text

    def intervene(self, village: str) -> str:
        """Record an intervention, as soon as the service knows the village."""
        body = {
            "village": village,
            "date": "2025-09-12",
            "place": "Balai desa",
            "title": "Penyuluhan",
            "description": "Penyuluhan bersama",
            "family_function": "ekonomi",
            "target_groups": ["pus"],
            "actors": [{"code": "dinas-kesehatan"}, {"code": "media"}],
        }

        def recorded() -> str | None:
            answer = self.post("interventions", "/interventions", body, "officer")
            assert answer.status_code in {201, 404}, answer.text
            return str(answer.json()["id"]) if answer.status_code == 201 else None

        return str(until(recorded, 30, "the village is known"))

    def correct(self, intervention: str, version: int) -> None:
        headers = {**caller("officer"), "If-Match": f'"{version}"'}
        url = f"{self.url('interventions')}/interventions/{intervention}"
        answer = httpx.patch(url, json={"title": f"Penyuluhan {version}"}, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text

    def withdraw(self, intervention: str, version: int) -> None:
        body, path = {"reason": "tercatat dua kali"}, f"/interventions/{intervention}/withdrawal"
        answer = self.post("interventions", path, body, "officer", **{"If-Match": f'"{version}"'})
        assert answer.status_code == 200, answer.text

    def much(self, villages: int = 6) -> None:
        """Villages with reports, some revised, and interventions, some corrected or withdrawn."""
        for number in range(villages):
            village = self.village()
            self.report(village, "profiles", PROFILE)
            self.report(village, "profiles", {**PROFILE, "pokja_members": 21}, **{"If-Match": '"1"'})
            self.report(village, "population-reports", POPULATION, period=f"2025-0{1 + number % 9}")
            intervention = self.intervene(village)
            if number % 3:
                self.correct(intervention, 1)
            if number % 3 == 2:
                self.withdraw(intervention, 2)
        wait_until_settled(self.platform)

    def rows(self, service: ServiceName, table: str) -> list[list[str]]:
        """Every row of a table with every column, as text."""
        return self.platform.sql(service, f"SELECT md5(t::text), t.* FROM {table} t ORDER BY t::text")

    def job(self, service: ServiceName, kind: str, body: dict[str, Any]) -> str:
        """Start a re-emission or a rebuild; the path of its job."""
        answer = self.post(service, f"/{kind}/{service}", body)
        assert answer.status_code == 202, answer.text
        return f"/{kind}/{service}/{answer.json()['id']}"

    def ended(self, service: ServiceName, path: str, seconds: float = 60.0) -> dict[str, Any]:
        """A job once it has ended."""

        def over() -> dict[str, Any] | None:
            found: dict[str, Any] = self.get(service, path).json()
            return found if found["finished_at"] else None

        return dict(until(over, seconds, path))
