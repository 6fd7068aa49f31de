"""`kkb dead-letters` against the whole platform: events put aside by its own consumers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import nats
import pytest

from contracts.events import BY_TYPE, VillageRegistered
from contracts.examples import example
from kit.ids import uuid7
from tests.cli.conftest import Kkb
from tests.cli.platform import Platform
from tests.conftest import eventually

REGION = "33.25.09.2001"
SUBJECT = f"kkb.registry.village-registered.v1.{REGION}"


@pytest.fixture
async def publish(platform: Platform) -> Any:
    """Puts bytes on the registry's stream and answers the letters that the services made of them, by service."""
    client = await nats.connect(platform.nats_url)

    async def published(body: bytes, subject: str = SUBJECT) -> dict[str, dict[str, Any]]:
        before = {name: await letters(platform, name) for name in ("scoring", "interventions")}
        await client.jetstream().publish(subject, body)

        async def there() -> Any:
            new = {
                name: [letter for letter in await letters(platform, name) if letter not in known]
                for name, known in before.items()
            }
            return {name: found[0] for name, found in new.items()} if all(new.values()) else None

        found: dict[str, dict[str, Any]] = await eventually(there)
        return found

    yield published
    await client.close()


async def letters(platform: Platform, service: str) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {platform.key}"}
    async with httpx.AsyncClient(base_url=f"{platform.url}/api/v1", headers=headers) as client:
        items: list[dict[str, Any]] = (await client.get(f"/dead-letters/{service}?limit=200")).json()["items"]
        return items


def newer(name: str = "Nanti") -> bytes:
    """An event of a version that this release does not read."""
    event = example(VillageRegistered).model_dump(mode="json")
    village = {"id": str(uuid7()), "region_code": REGION, "version": 1}
    kind = "id.kampungkb.registry.village-registered.v2"
    data = event["data"] | {"village": village, "name": name}
    return json.dumps(event | {"id": str(uuid7()), "type": kind, "subject": REGION, "data": data}).encode()


class VillageRegisteredV2(VillageRegistered):
    """As a later release would read it."""

    type: str = "id.kampungkb.registry.village-registered.v2"  # type: ignore[assignment]


Publish = Callable[..., Any]


class TestList:
    async def test_of_both_services_with_reason(self, kkb: Kkb, publish: Publish) -> None:
        made = await publish(newer())
        result = await kkb("dead-letters", "list", COLUMNS="300")
        assert result.exit_code == 0, result.output
        lines = result.stdout.splitlines()
        for name, letter in made.items():
            (line,) = [text for text in lines if text.split()[:2] == [name, str(letter["id"])]]
            assert REGION in line
            assert "registry.village-registered.v2" in line
            assert "requeue it after this service has been upgraded" in line

    async def test_json_of_one_service_and_filters(self, kkb: Kkb, publish: Publish) -> None:
        made = await publish(newer())
        letter = made["scoring"]
        arguments = ("--service", "scoring", "--consumer", "scoring-registry", "--region", "33.25.09", "--json")
        found = json.loads((await kkb("dead-letters", "list", *arguments)).stdout)
        assert {"service": "scoring", **letter} in found
        assert {one["service"] for one in found} == {"scoring"}
        none = await kkb("dead-letters", "list", "--region", "33.26", "--json")
        assert json.loads(none.stdout) == []

    async def test_cut_off(self, kkb: Kkb, publish: Publish) -> None:
        await publish(newer())
        await publish(newer())
        assert "masih ada lagi (--limit)" in (await kkb("dead-letters", "list", "--limit", "1")).stdout


class TestShow:
    async def test_with_its_payload(self, kkb: Kkb, publish: Publish) -> None:
        letter = (await publish(newer("Nama Rahasia")))["interventions"]
        result = await kkb("dead-letters", "show", str(letter["id"]), "--service", "interventions")
        assert result.exit_code == 0, result.output
        assert '"name": "Nama Rahasia"' in result.stdout
        assert "belum diselesaikan" in result.stdout

    async def test_bytes_that_are_no_event(self, kkb: Kkb, publish: Publish) -> None:
        letter = (await publish(b"bukan [peristiwa]"))["scoring"]
        result = await kkb("dead-letters", "show", str(letter["id"]), "--service", "scoring")
        assert "Isi (text):\nbukan [peristiwa]" in result.stdout

    async def test_unknown(self, kkb: Kkb) -> None:
        result = await kkb("dead-letters", "show", "999999999", "--service", "scoring")
        assert result.exit_code == 1
        assert result.stderr.startswith("Peristiwa tersisih tidak ditemukan, atau di luar wilayah Anda (404).")


class TestRequeue:
    async def test_one_that_still_fails(self, kkb: Kkb, publish: Publish) -> None:
        letter = (await publish(newer()))["scoring"]
        result = await kkb("dead-letters", "requeue", str(letter["id"]), "--service", "scoring")
        assert result.exit_code == 1
        assert result.stderr.startswith("Peristiwa ini masih gagal diolah (409).")
        assert "requeue it after this service has been upgraded" in result.stderr

    async def test_one_after_the_cause_is_gone(
        self, kkb: Kkb, publish: Publish, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        letter = (await publish(newer()))["scoring"]
        monkeypatch.setitem(BY_TYPE, "id.kampungkb.registry.village-registered.v2", VillageRegisteredV2)
        arguments = ("dead-letters", "requeue", str(letter["id"]), "--service", "scoring")
        result = await kkb(*arguments)
        assert result.stdout == f"scoring {letter['id']}: diolah, berpengaruh sekarang.\n"
        again = await kkb(*arguments)
        assert again.stderr.startswith("Peristiwa tersisih ini sudah diselesaikan (409).")

    async def test_all_those_that_fail_are_named(
        self, kkb: Kkb, platform: Platform, publish: Publish, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        good, bad = await publish(newer()), await publish(b"bukan peristiwa, selamanya")
        monkeypatch.setitem(BY_TYPE, "id.kampungkb.registry.village-registered.v2", VillageRegisteredV2)
        limited = await kkb("dead-letters", "requeue", "--all", "--consumer", "scoring-interventions")
        assert "Diolah ulang: 0." in limited.stdout
        result = await kkb("dead-letters", "requeue", "--all")
        assert result.exit_code == 1
        assert "Masih gagal" in result.stdout
        assert "not JSON" in result.stdout
        assert "masih gagal diolah" in result.stderr
        for name in ("scoring", "interventions"):
            left = [letter["id"] for letter in await letters(platform, name)]
            assert good[name]["id"] not in left
            assert bad[name]["id"] in left

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((), "nomor atau --all"),
            (("5", "--all"), "nomor atau --all"),
            (("5",), "Sebutkan --service"),
            (("5", "--service", "scoring", "--consumer", "x"), "hanya untuk --all"),
        ],
    )
    async def test_what_is_meant_must_be_said(self, kkb: Kkb, arguments: tuple[str, ...], message: str) -> None:
        result = await kkb("dead-letters", "requeue", *arguments)
        assert result.exit_code == 1
        assert message in result.stderr


class TestDiscard:
    async def test_with_a_reason(self, kkb: Kkb, publish: Publish) -> None:
        letter = (await publish(newer()))["interventions"]
        given = (str(letter["id"]), "--service", "interventions", "--reason")
        blank = await kkb("dead-letters", "discard", *given, "  ")
        assert blank.exit_code == 1
        assert "#/reason" in blank.stderr
        result = await kkb("dead-letters", "discard", *given, "Salah kirim saat uji coba")
        assert result.stdout == f"interventions {letter['id']}: dibuang.\n"
        listed = await kkb("dead-letters", "list", "--outcome", "discarded", COLUMNS="300")
        assert "Salah kirim saat uji coba" in listed.stdout
        shown = await kkb("dead-letters", "show", str(letter["id"]), "--service", "interventions")
        assert "Alasan dibuang  Salah kirim saat uji coba" in shown.stdout

    async def test_needs_a_reason(self, kkb: Kkb) -> None:
        assert (await kkb("dead-letters", "discard", "1", "--service", "scoring")).exit_code == 2
