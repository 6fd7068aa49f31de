"""Report tables: stranger, wrong region, invalid, happy; totals are the sums of their children at every level."""

from __future__ import annotations

import csv
import random
from io import BytesIO
from typing import Any

import httpx
import openpyxl
import pytest

from contracts.classes import VillageClass
from kit import clock
from kit.ids import uuid7
from services.scoring.facts.readiness import READINESS, readiness_of
from tests.callers import STRANGER, caller
from tests.scoring.rulesets.made_villages import family_planning, profile
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import free_code, known_village, take, village_event

PROVINCE = "87"
TABLES = ["classes", "readiness"]
ENDINGS = ["", ".csv", ".xlsx"]
_LOWER = {"province": "regency", "regency": "district", "district": "village"}


def facts(dice: random.Random) -> dict[str, Any]:
    """Any class, any readiness answers, some left out."""
    answers = {item.code: dice.choice([True, False, None]) for item in READINESS if "." not in item.code}
    groups = {item.code.partition(".")[2]: dice.choice([True, False, None]) for item in READINESS if "." in item.code}
    told = {name: answer for name, answer in answers.items() if answer is not None}
    own = profile(data=dice.randint(0, 5), mechanisms=dice.randint(0, 5), poktan=groups) | told
    for name, answer in answers.items():
        if answer is None:
            own.pop(name, None)
    return made_facts(profile=own, family_planning=family_planning(users=dice.choice([20, 60])))


@pytest.fixture(scope="module")
async def province(scoring: httpx.AsyncClient) -> str:
    """Thirty villages of two regencies with two districts each, some of them made up, one without any report."""
    dice = random.Random(97)
    for _ in range(30):
        district = f"{PROVINCE}.0{dice.randint(1, 2)}.0{dice.randint(1, 2)}"
        await known_village(scoring, facts(dice), district, simulated=dice.random() < 0.3)
    code, number = free_code(f"{PROVINCE}.01.01"), uuid7()
    await take(scoring, village_event(code, number))
    gone, number = await known_village(scoring, made_facts(), f"{PROVINCE}.01.02")
    await take(scoring, village_event(gone, number, 9, status="inactive"))
    return PROVINCE


async def table(scoring: httpx.AsyncClient, name: str, who: dict[str, str] | None = None, **params: str) -> Any:
    answer = await scoring.get(f"/report-tables/{name}", params=params, headers=who or caller("reader"))
    assert answer.status_code == 200, answer.text
    return answer.json() if "." not in name else answer


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", TABLES)
class TestEveryTable:
    async def test_stranger(self, scoring: httpx.AsyncClient, name: str, ending: str) -> None:
        assert (await scoring.get(f"/report-tables/{name}{ending}", headers=STRANGER)).status_code == 401

    async def test_role_without_the_scope(self, scoring: httpx.AsyncClient, name: str, ending: str) -> None:
        answer = await scoring.get(f"/report-tables/{name}{ending}", headers=caller("operator"))
        assert answer.status_code == 403

    async def test_wrong_region(self, scoring: httpx.AsyncClient, name: str, ending: str) -> None:
        who = caller("reader", region="87.01")
        assert (await scoring.get(f"/report-tables/{name}{ending}?region=87", headers=who)).status_code == 403

    @pytest.mark.parametrize("query", ["kelas=dasar", "by=country", "by=village", "region=87.01&by=province"])
    async def test_invalid(self, scoring: httpx.AsyncClient, name: str, ending: str, query: str) -> None:
        answer = await scoring.get(f"/report-tables/{name}{ending}?{query}", headers=caller("reader"))
        assert answer.status_code == 422
        assert answer.json()["errors"]

    async def test_happy_of_one_own_region(
        self, scoring: httpx.AsyncClient, province: str, name: str, ending: str
    ) -> None:
        own = await table(scoring, name + ending, caller("officer", region=f"{province}.01"))
        asked = await table(scoring, name + ending, region=f"{province}.01")
        assert own == asked if not ending else rows(own) == rows(asked)


def numbers(row: dict[str, Any]) -> dict[str, int]:
    cells = {name: cell["count"] for name, cell in row["cells"].items()}
    return {"total": row["total"], "simulated": row["simulated"], **cells}


def added(found: list[dict[str, int]]) -> dict[str, int]:
    return {name: sum(one[name] for one in found) for name in found[0]}


@pytest.mark.parametrize("name", TABLES)
async def test_totals_are_the_sums_of_their_children(scoring: httpx.AsyncClient, province: str, name: str) -> None:
    """Down to the villages; the children's own totals are asked for one by one."""
    seen = set()

    async def check(region: str, level: str) -> None:
        whole = await table(scoring, name, region=region)
        assert whole["by"] == _LOWER[level]
        children = [await table(scoring, name, region=row["region_code"]) for row in whole["items"]]
        assert numbers(whole["total"]) == added([numbers(child["total"]) for child in children])
        assert [numbers(row) for row in whole["items"]] == [numbers(child["total"]) for child in children]
        assert await table(scoring, name, region=region, by=level) == whole | {"by": level, "items": [whole["total"]]}
        seen.add(level)
        for child in whole["items"] if whole["by"] in _LOWER else []:
            await check(child["region_code"], whole["by"])

    await check(province, "province")
    assert seen == set(_LOWER)


@pytest.mark.parametrize("by", ["province", "regency", "district"])
async def test_the_country_is_the_sum_of_its_parts(scoring: httpx.AsyncClient, province: str, by: str) -> None:
    for name in TABLES:
        whole = await table(scoring, name, by=by)
        assert numbers(whole["total"]) == added([numbers(row) for row in whole["items"]])
        assert province in {row["region_code"][:2] for row in whole["items"]}


class TestClasses:
    async def test_happy(self, scoring: httpx.AsyncClient, province: str) -> None:
        found = await table(scoring, "classes", region=province)
        counted = (await scoring.get("/class-counts", params={"region": province}, headers=caller("reader"))).json()
        assert found["ruleset"] == counted["ruleset"]
        assert [one["code"] for one in found["columns"]] == [*(one.value for one in VillageClass), "not_assessable"]
        assert found["columns"][0]["labels"]["id"] == "Dasar"
        assert found["total"]["total"] == counted["total"]["total"] == 31
        for kind, share in counted["total"]["classes"].items():
            assert found["total"]["cells"][kind] == {"count": share["count"], "percent": share["percent"]}
        assert [row["region_name"] for row in found["items"]] == ["Kabupaten 87.01", "Kabupaten 87.02"]

    @pytest.mark.parametrize("period", ["2025-02", "2025-09"])
    async def test_happy_at_the_end_of_a_month(self, scoring: httpx.AsyncClient, province: str, period: str) -> None:
        """Interventions are of March and the reports of September; the village without reports is in no class of any month."""
        params = {"region": province, "period": period}
        found = await table(scoring, "classes", **params)
        counted = (await scoring.get("/class-counts", params=params, headers=caller("reader"))).json()
        assert (found["period"], found["ruleset"]) == (period, None)
        assert found["total"]["total"] == counted["total"]["total"] == (30 if period == "2025-09" else 0)
        for kind, share in counted["total"]["classes"].items():
            assert found["total"]["cells"][kind]["count"] == share["count"]
        answer = await table(scoring, "classes.csv", **params)
        assert f"tabel-klasifikasi-{province}-regency-{period}.csv" in answer.headers["content-disposition"]

    async def test_readiness_has_no_months(self, scoring: httpx.AsyncClient) -> None:
        answer = await scoring.get("/report-tables/readiness?period=2025-09", headers=caller("reader"))
        assert answer.status_code == 422


class TestReadiness:
    async def test_happy_blank_is_not_no(self, scoring: httpx.AsyncClient) -> None:
        place = "86.01.01"
        told = {"pokja": True, "pokja_decree": False, "poktan": {"bkb": False}}
        await known_village(scoring, {"profile": told}, place, simulated=True)
        await known_village(scoring, {"profile": {"pokja": False}}, place)
        await known_village(scoring, {"population": {"pus": 10}}, place)
        total = (await table(scoring, "readiness", region=place))["total"]
        assert (total["total"], total["simulated"]) == (3, 1)
        counts = {name: cell["count"] for name, cell in total["cells"].items()}
        assert [counts[f"pokja.{answer}"] for answer in ("yes", "no", "not_reported")] == [1, 1, 1]
        assert [counts[f"pokja_decree.{answer}"] for answer in ("yes", "no", "not_reported")] == [0, 1, 2]
        assert [counts[f"poktan.bkb.{answer}"] for answer in ("yes", "no", "not_reported")] == [0, 1, 2]
        assert [counts[f"work_plan.{answer}"] for answer in ("yes", "no", "not_reported")] == [0, 0, 3]
        assert total["cells"]["pokja_decree.not_reported"]["percent"] == "66.7"

    async def test_happy_a_region_without_villages(self, scoring: httpx.AsyncClient) -> None:
        found = await table(scoring, "readiness", region="85")
        assert (found["items"], found["total"]["total"]) == ([], 0)
        assert found["total"]["cells"]["pokja.no"] == {"count": 0, "percent": None}


def rows(answer: httpx.Response) -> list[list[Any]]:
    if answer.headers["content-type"].startswith("text/csv"):
        return list(csv.reader(answer.content.decode("utf-8-sig").splitlines(), delimiter=";"))
    page = openpyxl.load_workbook(BytesIO(answer.content)).active
    assert page is not None
    return [[cell.value for cell in row] for row in page.iter_rows()]


class TestFiles:
    async def test_classes(self, scoring: httpx.AsyncClient, province: str) -> None:
        found = await table(scoring, "classes", region=province)
        answer = await table(scoring, "classes.csv", region=province)
        name = f"tabel-klasifikasi-{province}-regency-{clock.today()}.csv"
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        heading, *parts, total = rows(answer)
        assert heading[:4] == ["Kode wilayah", "Wilayah", "Dasar", "Dasar (%)"]
        assert heading[-2:] == ["Jumlah Kampung KB", "Memakai data simulasi"]
        assert [row[0] for row in parts] == [row["region_code"] for row in found["items"]]
        assert total[:2] == ["", "Jumlah"]
        assert [int(number) for number in (total[2], total[-2], total[-1])] == [
            found["total"]["cells"]["dasar"]["count"],
            31,
            found["total"]["simulated"],
        ]
        assert total[3] == found["total"]["cells"]["dasar"]["percent"].replace(".", ",")

    @pytest.mark.parametrize("name", TABLES)
    async def test_workbook_and_csv_say_the_same(self, scoring: httpx.AsyncClient, province: str, name: str) -> None:
        plain, book = [
            rows(await table(scoring, name + ending, region=province, by="district")) for ending in (".csv", ".xlsx")
        ]
        assert plain[0] == book[0]
        for one, other in zip(plain[1:], book[1:], strict=True):
            assert one[:2] == [text or "" for text in other[:2]]
            assert [float(number.replace(",", ".")) for number in one[2:]] == other[2:]

    async def test_readiness_headings(self, scoring: httpx.AsyncClient, province: str) -> None:
        heading, *_ = rows(await table(scoring, "readiness.csv", region=province))
        assert {"SK pokja: Ada", "SK pokja: Tidak ada", "SK pokja: Belum isi", "RKM: Belum isi (%)"} <= set(heading)


def test_what_is_not_answered_is_left_out() -> None:
    told = {"pokja": False, "work_plan": None, "data_use": [], "poktan": {"bkb": True, "bkr": None}}
    assert readiness_of({"profile": told}) == {"pokja": False, "poktan.bkb": True}
    assert readiness_of({}) == {}
    assert readiness_of({"profile": {"poktan": None}}) == {}
