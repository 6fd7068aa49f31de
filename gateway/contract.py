"""The platform's contract, merged from the committed contracts of its services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import contracts
from gateway.docs.access import roles_with, scopes_of, with_access_said
from gateway.docs.answers import shared_responses, with_good_answers_described, with_the_doors_answers
from gateway.docs.examples import with_examples
from gateway.docs.merge import Document, merge
from gateway.docs.naming import with_plain_names
from gateway.docs.overview import overview
from gateway.docs.parameters import with_plain_parameters
from gateway.service import SERVICE
from gateway.sessions.rules import SECURE_COOKIE
from kit.access import SCOPES_OF
from kit.openapi import WHOLE_COUNTRY, contract, operations
from kit.process import contract_application

SERVICES = ("registry", "interventions", "scoring")
"""Services behind the gateway, in the order in which the documentation shows them."""

FOLDER = Path(str(contracts.__file__)).parent / "openapi"

_INFO = {
    "title": "API Kampung Keluarga Berkualitas",
    "version": "1.0.0",
    "description": overview(),
}

_SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "Kunci API (`kkb_...`) dalam `Authorization: Bearer`; token akses dikirim di header yang sama",
    },
    "key_header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "Kunci API yang sama, bagi sistem yang tidak dapat mengirim `Authorization`",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SECURE_COOKIE,
        "description": "Sesi orang yang masuk dengan sandi (`POST /api/v1/sessions`)",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Token akses dari penyedia identitas kantor Anda (OpenID Connect), bila dipercaya platform ini",
    },
}


class ContractMissing(RuntimeError):
    """A committed contract is not there; the gateway cannot know what it may let through."""


def committed(folder: Path = FOLDER) -> dict[str, Document]:
    """The services' contracts by service.

    Raises:
        ContractMissing: `make contracts` has not been run.
    """
    documents: dict[str, Document] = {}
    for service in SERVICES:
        file = folder / f"{service}.json"
        if not file.exists():
            raise ContractMissing(f"contracts/openapi/{service}.json is missing: run `make contracts`")
        documents[service] = json.loads(file.read_text(encoding="utf-8"))
    return documents


def own_document() -> dict[str, Any]:
    """The contract of the gateway's own operations."""
    return contract(contract_application(SERVICE))


def access_table(merged: Document) -> dict[str, Any]:
    """Who may do what, as data: the scopes of every role, and of every operation what it needs and who has that."""
    return {
        "roles": {role.value: sorted(scopes) for role, scopes in SCOPES_OF.items()},
        "operations": {name: _rule(operation) for name, operation in operations(merged)},
    }


def _rule(operation: Document) -> dict[str, Any]:
    scopes = scopes_of(operation)
    return {
        "operation_id": operation["operationId"],
        "public": not scopes,
        "scopes": scopes,
        "whole_country": bool(operation.get(WHOLE_COUNTRY)),
        "roles": roles_with(scopes),
    }


def merged_document(registry: Document, interventions: Document, scoring: Document, own: Document) -> dict[str, Any]:
    """The contract of the whole platform as clients see it."""
    documents = {**dict(zip(SERVICES, (registry, interventions, scoring), strict=True)), SERVICE.name: own}
    answered = {
        name: with_the_doors_answers(document, forwarded=name != SERVICE.name) for name, document in documents.items()
    }
    whole = merge(answered, _INFO, _SCHEMES)
    for step in (with_plain_names, with_plain_parameters, with_good_answers_described, with_access_said, with_examples):
        whole = step(whole)
    whole["components"] = dict(sorted({**whole["components"], "responses": shared_responses()}.items()))
    return whole
