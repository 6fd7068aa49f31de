"""Write the contracts: `python -m deploy.contracts`; with --check only say whether the committed ones are current."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from contracts.asyncapi import asyncapi
from contracts.events import EVENTS
from contracts.examples import example
from kit.openapi import contract
from kit.process import contract_application

SERVICES = ("registry", "interventions", "scoring")
FOLDER = Path(__file__).parents[1] / "contracts"


def _openapi_of(name: str) -> dict[str, Any]:
    service = importlib.import_module(f"services.{name}.service").SERVICE
    return contract(contract_application(service))


def _documents() -> dict[str, Any]:
    """Every generated file: its path in contracts/ and its content."""
    documents: dict[str, Any] = {f"openapi/{name}.json": _openapi_of(name) for name in SERVICES}
    gateway = importlib.import_module("gateway.contract")
    documents["openapi/gateway.json"] = gateway.own_document()
    documents["openapi/platform.json"] = gateway.merged_document(
        *(documents[f"openapi/{name}.json"] for name in (*SERVICES, "gateway"))
    )
    documents["access.json"] = gateway.access_table(documents["openapi/platform.json"])
    documents["asyncapi.json"] = asyncapi()
    documents["ruleset.schema.json"] = importlib.import_module("services.scoring.rulesets.document").json_schema()
    for event in EVENTS:
        kind = str(event.model_fields["type"].default).removeprefix("id.kampungkb.")
        documents[f"examples/events/{kind}.json"] = example(event).model_dump(mode="json")
    return documents


def _text(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write, or check; 1 when the committed contracts are not what the code says."""
    check = arguments == ["--check"]
    outdated = []
    for name, document in _documents().items():
        path = FOLDER / name
        text = _text(document)
        if path.exists() and path.read_text() == text:
            continue
        outdated.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for name in outdated:
        print(f"{'outdated' if check else 'written'}: contracts/{name}")
    return 1 if check and outdated else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
