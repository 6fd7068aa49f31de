"""Requests made up from the merged contract, good ones and bad ones, through the gateway with keys of several roles.

Nothing may fail on our side, every answer must be one that the contract declares, and bad requests must be refused. The seed is
fixed and few examples are made for each operation, so that a run says the same each time and takes its share of a minute only.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import cache
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.security.conftest import CONTRACT, Open

POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
EXAMPLES = 2
NOT_TRIED = {
    "rotate_my_key": "it would end the key that the others ask with; tests/gateway/keys/test_own_rotation.py",
    "start_scoring_rebuild": "a rebuild holds up the others' events",
    "start_interventions_rebuild": "a rebuild holds up the others' events",
}
SAYS_WHAT_IS_WRONG = {"validate_document"}
"""Of these a document that does not fit is a good request: the answer says where it does not."""
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


@cache
def operations() -> list[Any]:
    """All that are tried."""
    found = [result.ok() for result in schemathesis.openapi.from_dict(CONTRACT).get_all_operations()]
    return [operation for operation in found if operation.definition.raw["operationId"] not in NOT_TRIED]


def tried(
    front: Open, who: str, operation: Any, mode: schemathesis.GenerationMode, session: requests.Session
) -> list[str]:
    """What is wrong with the answers to some requests."""
    found: list[str] = []
    tolerant = operation.definition.raw["operationId"] in SAYS_WHAT_IS_WRONG
    checks = [check for check in CHECKS if not (tolerant and check is negative_data_rejection)]

    @SETTINGS
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(base_url=front.platform.url, session=session, headers=front.key(who), timeout=30)
        try:
            case.validate_response(answer, checks=checks)
        except (Failure, FailureGroup) as failure:
            parts = getattr(failure, "exceptions", [failure])
            what = "; ".join(f"{type(one).__name__}: {one}"[:400] for one in parts)
            found.append(
                f"{who} {operation.label} {case.path_parameters} {case.query} {str(case.body)[:300]}: {answer.status_code} {what}"
            )

    with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # nothing can be wrong with a request that has no parts
        ask()
    return found


# the platform in the other thread uses the random numbers that Hypothesis watches over
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize(("who", "part"), [("admin", 0), ("admin", 1), ("national_reader", 2), ("officer", 3)])
async def test_answers_are_as_declared(front: Open, who: str, part: int) -> None:
    mine = operations()[part::4]  # imports here: CPython 3.11 may fail when two threads compile at a time (gh-106905)

    def all_of_them() -> list[str]:
        with requests.Session() as session:
            return [
                line
                for mode in (POSITIVE, NEGATIVE)
                for operation in mine
                for line in tried(front, who, operation, mode, session)
            ]

    found = await asyncio.to_thread(all_of_them)
    assert not found, "\n".join(found)
