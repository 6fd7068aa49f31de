"""The form that digests of format 1 cover: determinations that were issued in it must be provable for ever.

Where this fails, something that old determinations are read with has changed. A new member needs a new format, and what
was issued in format 1 must still be written without it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from services.scoring.determinations import presenting
from services.scoring.determinations.rules import FORMAT, content, digest_of
from services.scoring.determinations.schemas import DeterminedVillageOut
from services.scoring.determinations.store import _entry
from services.scoring.determinations.tables import Determination

TEXTS = {"id": "Dasar", "en": "Basic"}
RULES: dict[str, Any] = {
    "id": "web-2021",
    "version": 1,
    "digest": "0" * 64,
    "labels": TEXTS,
    "legal_basis": TEXTS,
    "certainty": "as_implemented",
    "asked": 39,
    "classes": [{"code": "dasar", "labels": TEXTS, "local_labels": None}],
    "dimensions": [{"code": "input", "labels": TEXTS, "threshold": "3.00"}],
    "indicators": [{"code": "input_pokja", "dimension": "input", "labels": TEXTS}],
}
STORED = Determination(
    id=UUID("01980000-0000-7000-8000-00000000012c"),
    format=1,
    region_code="33.26",
    region_name="Kabupaten Pekalongan",
    period="2024-07",
    ruleset="web-2021",
    rules=RULES,
    decree_number="400.13/7/2024 «é»",
    decree_date=date(2024, 8, 12),
    note=None,
    replaces=None,
    villages=1,
    dasar=1,
    berkembang=0,
    mandiri=0,
    berkelanjutan=0,
    not_assessable=0,
    without_reports=0,
    simulated=1,
    inactive=2,
    digest="",
    issued_by="key-1",
    issued_at=datetime(2024, 8, 12, 3, 4, 5, 600_000, tzinfo=UTC),
)
ROW = {
    "number": 1,
    "village_id": UUID("01980000-0000-7000-8000-000000000001"),
    "region_code": "33.26.01.2001",
    "province_name": "Jawa Tengah",
    "regency_name": "Kabupaten Pekalongan",
    "district_name": "Kandangserang",
    "village_name": "Bojongkoneng",
    "name": None,
    "village_class": "dasar",
    "scores": {"input_pokja": 1},
    "indexes": {"input": "1.00"},
    "answered": 3,
    "without_reports": False,
    "simulated": True,
}
DIGEST = "578699b47744f55c16ecd3fdc4c8c2d90bedf4c65f9db0a4dcf060f12a7d27a7"


def test_what_was_issued_in_format_1_keeps_its_digest() -> None:
    assert FORMAT == 1
    header, entry = presenting.header_json(STORED), _entry(ROW)
    assert digest_of(header, [entry]) == DIGEST, b"".join(content(header, [entry])).decode()


def test_the_list_is_answered_as_the_digest_covers_it() -> None:
    entry = _entry(ROW)
    assert DeterminedVillageOut.model_validate(entry).model_dump(mode="json", by_alias=True) == entry
