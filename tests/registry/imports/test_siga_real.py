"""SIGA's tables of Sulawesi Barat, January to September 2025, as they are. Skipped where the data is absent."""

import gzip
import json
from collections import Counter
from importlib import resources

import httpx
import pytest

from contracts.facts import FACTS_OF
from services.registry.aliases.rules import Gazetteer, How
from services.registry.imports.reasons import RowReason
from services.registry.imports.siga.assembling import Assembly, assemble, facts_with
from services.registry.imports.siga.reading import unpack
from services.registry.imports.siga.rows import ReadTable, totals
from tests.callers import caller
from tests.conftest import SHARED
from tests.registry.imports.desk import Desk, scalar
from tests.registry.imports.made_up import read

TABLES = SHARED / "data/siga-sulbar-2025"

pytestmark = pytest.mark.skipif(not TABLES.is_dir(), reason="the shared SIGA tables are not here")


@pytest.fixture(scope="module")
def tables() -> list[ReadTable]:
    found = []
    for path in sorted(TABLES.glob("*.csv.gz")):
        data = unpack(path.read_bytes(), 10_000_000)
        assert isinstance(data, bytes)
        found.append(read(data, path.name))
    return found


@pytest.fixture(scope="module")
def assembly(tables: list[ReadTable]) -> Assembly:
    folder = resources.files("lokal") / "data"
    names: dict[str, str] = {}
    for name in ("wilayah.json.gz", "desa.json.gz"):
        names |= json.loads(gzip.decompress((folder / name).read_bytes()))
    gazetteer = Gazetteer.of((code, name) for code, name in names.items() if code.split(".")[0] == "76")
    return assemble(tables, gazetteer, {}, "76", frozenset())


def test_every_row_is_there(assembly: Assembly) -> None:
    assert len(assembly.rows) == 48_600
    assert Counter(row.reason for row in assembly.rows) == {
        None: 43_290,
        RowReason.NO_KAMPUNG_KB: 4_662,
        RowReason.OUTSIDE_YEAR: 648,
    }


def test_all_648_villages_are_resolved_without_guessing(assembly: Assembly) -> None:
    assert assembly.villages_resolved == 648
    assert assembly.unresolved == []
    assert Counter(alias.how for alias in assembly.aliases) == {How.KODE: 10, How.ABBREVIATION: 2}
    assert {alias.written.regency for alias in assembly.aliases if alias.how is How.KODE} == {"POLEWALI MANDAR"}
    broken = {row.code for row in assembly.rows if row.place and row.place.village == "LIMBORO RAMBU-\nRAMBU"}
    assert broken == {"76.05.03.2024"}


def test_september_adds_up(tables: list[ReadTable], assembly: Assembly) -> None:
    september = totals(tables)["2025-09"]
    assert september["population.pus"] == 202_121
    assert september["family_planning.unmet_need"] == 19_476
    assert assembly.months == tuple(f"2025-{month:02d}" for month in range(1, 10))


def test_589_are_announced_for_585_villages(assembly: Assembly) -> None:
    announced = {found.code: found.kampung_kb for found in assembly.announcements if found.kampung_kb}
    assert (sum(announced.values()), len(announced)) == (589, 585)
    double = {"76.02.04.2007", "76.03.02.2003", "76.03.07.2005", "76.03.10.1001"}
    assert {code for code, count in announced.items() if count > 1} == double
    launches = Counter(found.launch.year for found in assembly.announcements if found.kampung_kb)
    assert launches == {2016: 20, 2017: 54, 2018: 72, 2019: 27, None: 412}


def test_each_village_has_three_reports_a_month(assembly: Assembly) -> None:
    assert len(assembly.said) == 585 * 9 * 3
    for (kind, _, _), said in assembly.said.items():
        FACTS_OF[kind].model_validate(facts_with(None, said))


async def test_the_whole_import_and_once_more(registry: httpx.AsyncClient) -> None:
    """Through the API, as `kkb import siga` does it: everything has a result, and the second time changes nothing."""
    desk = Desk(registry)
    files = {path.name: path.read_bytes() for path in sorted(TABLES.glob("*.csv.gz"))}
    first = (await desk.bring("76", files))["summary"]
    assert first["rows"] == {"read": 48_600, "stored": 43_290, "unchanged": 0, "skipped": 4_662, "rejected": 648}
    assert first["villages"] == {
        "announced": 589,
        "announced_villages": 585,
        "registered": 585,
        "already_registered": 0,
    }
    assert {counts["new"] for counts in first["reports"].values()} == {585 * 9}
    assert len(first["names"]["aliases"]) == 12
    assert (first["names"]["villages_resolved"], first["names"]["unresolved_names"]) == (648, 0)
    september = next(month["counts"] for month in first["totals"] if month["period"] == "2025-09")
    assert (september["population.pus"], september["family_planning.unmet_need"]) == (202_121, 19_476)
    parameters = {"region": "76", "code": "announced_twice"}
    seen = (await registry.get("/findings", params=parameters, headers=caller("reader"))).json()["items"]
    assert len(seen) == 4

    again = (await desk.bring("76", files))["summary"]
    assert again["rows"] == {"read": 48_600, "stored": 0, "unchanged": 43_290, "skipped": 4_662, "rejected": 648}
    assert again["findings_opened"] == again["villages"]["registered"] == 0
    assert {counts["unchanged"] for counts in again["reports"].values()} == {585 * 9}
    assert all(alias["remembered"] for alias in again["names"]["aliases"])
    events = "SELECT count(*) FROM outbox WHERE region_code LIKE '76.%'"
    assert await scalar(registry, events) == 585 * (1 + 27)
