"""What an office does: opens an import, uploads tables, starts it, waits, reads what became of every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import sqlalchemy as sa

from services.registry.aliases.rules import regency_words
from tests.callers import caller
from tests.conftest import app_of, eventually

PUS = "NO,PROVINSI,KABUPATEN,KECAMATAN,KELURAHAN,PUS,UNMET NEED,BULAN"
BKB = "PROVINSI,KABUPATEN,KECAMATAN,KODE,KELURAHAN,YANG ADA,YANG LAPOR,MATERI 1000 HPK,BULAN"
KKB = (
    "PROVINSI,KABUPATEN,KECAMATAN,KODE,KELURAHAN,JUMLAH KAMPUNG KB,2016,2017,2018,2019,> 2019,"
    "KAMPUNG KB MANDIRI,KAMPUNG KB PERCONTOHAN"
)
TARGETS = (
    "PROVINSI,KABUPATEN,KECAMATAN,KELURAHAN,SASARAN BKB,KESERTAAN BKB,"
    "SASARAN BKR,KESERTAAN BKR,SASARAN BKL,KESERTAAN BKL,BULAN"
)


def table(head: str, *lines: str) -> bytes:
    """A table of a header and lines."""
    return ("\n".join((head, *lines)) + "\n").encode()


@dataclass
class District:
    """A real district with its desa, as SIGA writes them."""

    code: str
    path: str
    desa: list[tuple[str, str]]

    def place(self, number: int, *, kode: bool = False) -> str:
        """The first cells of a row about one desa."""
        code, name = self.desa[number]
        return f"{self.path},{code[-4:]},{name}" if kode else f"{self.path},{name}"

    def kkb(self, *counts: int) -> bytes:
        """A table that announces so many Kampung KB in the first desa of the district."""
        lines = (f"{self.place(n, kode=True)},{count},0,0,0,{count},0,0,0" for n, count in enumerate(counts))
        return table(KKB, *lines)

    def pus(self, *cells: str) -> bytes:
        """A table of couples: PUS, UNMET NEED and month for the first desa of the district."""
        return table(PUS, *(f"{n},{self.place(n)},{rest}" for n, rest in enumerate(cells)))


async def district(registry: httpx.AsyncClient, code: str) -> District:
    """A district of the official code list."""
    detail = (await registry.get(f"/regions/{code}", headers=caller("reader"))).json()
    names = [region["name"].upper() for region in detail["path"]]
    names[1] = regency_words(names[1])
    below = (await registry.get("/regions", params={"parent": code, "limit": 200}, headers=caller("reader"))).json()
    desa = [(region["code"], f'"{region["name"].upper()}"') for region in below["items"]]
    return District(code, ",".join(f'"{name}"' for name in names), desa)


@dataclass
class Desk:
    """An office: an officer of one region, or of the whole country."""

    client: httpx.AsyncClient
    region: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """A fresh identity: it lives for a minute, an import on a busy machine for longer."""
        return caller("officer", region=self.region)

    async def open(self, region: str, **more: Any) -> str:
        body = {"format": "siga", "region": region, "year": 2025, **more}
        answer = await self.client.post("/imports", json=body, headers=self.headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def upload(self, number: str, name: str, data: bytes) -> dict[str, Any]:
        answer = await self.client.put(f"/imports/{number}/tables/{name}", content=data, headers=self.headers)
        assert answer.status_code in {200, 201}, answer.text
        result: dict[str, Any] = answer.json()
        return result

    async def start(self, number: str) -> None:
        answer = await self.client.post(f"/imports/{number}/start", headers=self.headers)
        assert answer.status_code == 202, answer.text

    async def get(self, number: str) -> dict[str, Any]:
        answer = await self.client.get(f"/imports/{number}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    async def ended(self, number: str, seconds: float = 240) -> dict[str, Any]:
        """The import once it is done or has failed."""

        async def ask() -> dict[str, Any] | None:
            found = await self.get(number)
            return found if found["state"] in {"done", "failed"} else None

        result: dict[str, Any] = await eventually(ask, seconds)
        return result

    async def bring(self, region: str, files: dict[str, bytes], **more: Any) -> dict[str, Any]:
        """A whole import that must succeed."""
        number = await self.open(region, **more)
        for name, data in files.items():
            await self.upload(number, name, data)
        await self.start(number)
        found = await self.ended(number)
        assert found["state"] == "done", found["failure"]
        return found

    async def rows(self, number: str, **filters: Any) -> list[dict[str, Any]]:
        """All row results, page by page."""
        seen: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            params = {"limit": 200, **filters, **({"cursor": cursor} if cursor else {})}
            answer = await self.client.get(f"/imports/{number}/rows", params=params, headers=self.headers)
            assert answer.status_code == 200, answer.text
            seen += answer.json()["items"]
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                return seen


async def scalar(registry: httpx.AsyncClient, query: str, **parameters: Any) -> Any:
    """One value out of the registry's database."""
    async with app_of(registry).state.database.transaction() as session:
        return (await session.execute(sa.text(query), parameters)).scalar()
