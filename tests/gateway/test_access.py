"""Who may do what: every role at every level against every operation, at the door and in the services, as the table says."""

from __future__ import annotations

import importlib
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.security import SecurityScopes
from starlette.requests import Request

from contracts.regions import LEVELS
from gateway.contract import FOLDER, SERVICES, committed
from gateway.proxy.calls import Call
from gateway.proxy.routing import Operation, RoutingTable
from gateway.service import SERVICE as GATEWAY
from kit.access import IDENTITY_HEADER, Caller, Role, known_caller, known_national_caller, known_principal
from kit.openapi import WHOLE_COUNTRY, AccessRuleMissing, contract, operations
from kit.problems import Forbidden, Problem, RegionForbidden
from kit.process import contract_application
from tests.callers import caller, verify
from tests.gateway.conftest import Running, StartGateway
from tests.routes import api_routes

TABLE: dict[str, Any] = json.loads((FOLDER.parent / "access.json").read_text(encoding="utf-8"))
PLATFORM: dict[str, Any] = json.loads((FOLDER / "platform.json").read_text(encoding="utf-8"))
REGIONS = {"country": None, "province": "33", "regency": "33.26", "district": "33.26.01", "village": "33.26.01.2001"}
NEIGHBOURS = ("34", "33.27", "33.26.02", "33.26.01.2002")
"""Of each region above the one beside it; none lies in any of them but in the country."""

_CALLERS = (known_caller, known_national_caller, known_principal)
_ALLOWED = "allowed"


@dataclass(frozen=True)
class Somebody:
    """A caller with one role at one level, and how he presents himself."""

    role: Role
    level: str
    headers: list[tuple[bytes, bytes]]

    def __str__(self) -> str:
        return f"{self.role} of a {self.level}"


@pytest.fixture(scope="module")
async def platform(start_gateway: StartGateway) -> Running:
    """A gateway that knows all contracts; the services themselves are away."""
    return await start_gateway(documents=committed())


@pytest.fixture(scope="module")
async def everybody(platform: Running) -> list[Somebody]:
    """A key of every role at every level."""
    found = []
    for role in Role:
        for level, region in REGIONS.items():
            key = (await platform.issue(role, region=region))["key"]
            found.append(Somebody(role, level, [(b"authorization", f"Bearer {key}".encode())]))
    return found


def _by_the_table(rule: dict[str, Any], somebody: Somebody) -> str | type[Problem]:
    if somebody.role not in rule["roles"]:
        return Forbidden
    if rule["whole_country"] and somebody.level != "country":
        return RegionForbidden
    return _ALLOWED


def _call(operation: Operation, headers: list[tuple[bytes, bytes]]) -> Call:
    target = operation.template.encode()
    return Call(operation.method, target, headers, "127.0.0.1", "http", b"request-1", [], 0.0, operation)


async def _identity(platform: Running, somebody: Somebody) -> bytes:
    """What the door mints for him; everybody may ask who he is."""
    door = platform.gateway.door
    me = next(operation for operation in door._table.operations if operation.operation_id == "get_me")
    call = _call(me, somebody.headers)
    await door._admit(call, me)
    assert call.identity is not None
    return call.identity


async def _verdict(ask: Callable[[], Awaitable[Any]]) -> str | type[Problem]:
    try:
        await ask()
    except Problem as problem:
        return type(problem)
    return _ALLOWED


def _rules(dependant: Dependant) -> Iterator[tuple[Any, list[str]]]:
    if dependant.call in _CALLERS:
        yield dependant.call, list(dependant.own_oauth_scopes or [])
    for inner in dependant.dependencies:
        yield from _rules(inner)


def _applications() -> dict[str, FastAPI]:
    services = [importlib.import_module(f"services.{name}.service").SERVICE for name in SERVICES]
    return {service.name: contract_application(service) for service in (*services, GATEWAY)}


def _endpoints() -> dict[str, tuple[Any, list[str]]]:
    """Of every operation that is not public what its endpoint checks: the dependency and its scopes."""
    found = {}
    for app in _applications().values():
        app.state.verify_identity = verify
        for route in api_routes(app.routes):
            rules = list(_rules(route.dependant))
            assert len(rules) <= 1, f"{route.name} has two access rules"
            if rules:
                found[route.name] = rules[0]
    return found


async def _asked_inside(rule: tuple[Any, list[str]], identity: bytes) -> Any:
    """What a service makes of an identity that the gateway minted: the endpoint's own dependency decides."""
    app = FastAPI()
    app.state.verify_identity = verify
    request = Request({"type": "http", "app": app, "headers": [(IDENTITY_HEADER.encode(), identity)]})
    check, scopes = rule
    return await check(request, SecurityScopes(scopes), None)


class TestEveryRoleAtEveryLevel:
    async def test_the_door_lets_in_whom_the_table_names_and_nobody_else(
        self, platform: Running, everybody: list[Somebody]
    ) -> None:
        door = platform.gateway.door
        rules = {rule["operation_id"]: rule for rule in TABLE["operations"].values() if not rule["public"]}
        table = [operation for operation in door._table.operations if operation.scopes]
        assert {operation.operation_id for operation in table} == rules.keys()
        wrong = []
        for operation in table:
            for somebody in everybody:
                expected = _by_the_table(rules[operation.operation_id], somebody)
                call = _call(operation, somebody.headers)
                found = await _verdict(lambda call=call, operation=operation: door._admit(call, operation))
                if found != expected or (call.identity is not None) is not (found == _ALLOWED):
                    wrong.append(f"{operation.operation_id}, {somebody}: {found}, not {expected}")
        assert wrong == []
        assert len(table) * len(everybody) > 3000

    async def test_the_services_decide_the_same_by_what_was_granted(
        self, platform: Running, everybody: list[Somebody]
    ) -> None:
        rules = {rule["operation_id"]: rule for rule in TABLE["operations"].values() if not rule["public"]}
        endpoints = _endpoints()
        assert endpoints.keys() == rules.keys(), "an endpoint checks nothing, or is public against the contract"
        wrong = []
        for somebody in everybody:
            identity = await _identity(platform, somebody)
            for name, rule in rules.items():
                expected = _by_the_table(rule, somebody)
                found = await _verdict(lambda n=name, i=identity: _asked_inside(endpoints[n], i))
                if found != expected:
                    wrong.append(f"{name}, {somebody}: {found}, not {expected}")
        assert wrong == []

    async def test_each_sees_its_own_region_and_not_the_one_beside_it(
        self, platform: Running, everybody: list[Somebody]
    ) -> None:
        for somebody in everybody:
            region = REGIONS[somebody.level]
            known = await _asked_inside((known_caller, ["self:read"]), await _identity(platform, somebody))
            assert isinstance(known, Caller)
            assert (known.region, known.roles, known.narrow(None)) == (region, {somebody.role}, region)
            for inside in (code for code in REGIONS.values() if code is not None):
                may = region is None or inside == region or inside.startswith(f"{region}.")
                assert known.within(inside) is may
            for beside in NEIGHBOURS:
                assert known.within(beside) is (region is None or beside.startswith(f"{region}."))


class TestTable:
    def test_is_that_of_the_merged_contract(self) -> None:
        stated = {
            name: (
                sorted({scope for need in operation["security"] for listed in need.values() for scope in listed}),
                operation.get(WHOLE_COUNTRY, False),
            )
            for name, operation in operations(PLATFORM)
        }
        assert stated == {name: (rule["scopes"], rule["whole_country"]) for name, rule in TABLE["operations"].items()}

    def test_says_of_the_roles_what_was_agreed(self) -> None:
        """Sentences by hand, so that a slip in the table of scopes does not just become the new table."""
        may = {
            role: {rule["operation_id"] for rule in TABLE["operations"].values() if role in rule["roles"]}
            for role in Role
        }
        changing = {
            rule["operation_id"]
            for name, rule in TABLE["operations"].items()
            if not name.startswith("GET ") and not rule["public"]
        }
        oneself = {"change_my_password", "end_my_session", "end_all_my_sessions", "sign_out", "rotate_my_key"}
        assert all(oneself <= may[role] for role in Role)
        own_webhooks = {name for name in changing if "webhook" in name or name.startswith("redeliver_")}
        assert own_webhooks <= may[Role.READER]
        assert not own_webhooks & may[Role.OPERATOR]
        asking = {"ask_what_if", "evaluate_villages"} | own_webhooks | oneself
        assert may[Role.READER] & changing <= asking
        reports = {"report_profile", "report_population", "report_family_planning"}
        assert may[Role.REPORTER] & changing - asking == reports
        records = {"record_intervention", "correct_intervention", "withdraw_intervention"}
        assert may[Role.PARTNER] & changing - asking == records
        assert reports | records | {"register_village", "open_import"} <= may[Role.OFFICER]
        assert {"issue_determination", "publish_ruleset", "start_recomputation"} <= may[Role.ASSESSOR]
        assert not may[Role.ASSESSOR] & (reports | records)
        assert {"requeue_scoring_dead_letter", "start_scoring_rebuild"} <= may[Role.OPERATOR]
        assert not may[Role.OPERATOR] & {"list_villages", "get_assessment", "list_interventions"}
        for name in ("issue_key", "list_keys", "revoke_key", "open_account", "reset_password"):
            assert [role for role in Role if name in may[role]] == [Role.ADMINISTRATOR]
        national = {rule["operation_id"] for rule in TABLE["operations"].values() if rule["whole_country"]}
        assert {
            "start_scoring_rebuild",
            "cancel_interventions_rebuild",
            "publish_ruleset",
            "put_ruleset_in_force",
        } <= national

    def test_public_is_only_what_nobody_needs_a_key_for(self) -> None:
        public = {name for name, rule in TABLE["operations"].items() if rule["public"]}
        ways_in = {"POST /api/v1/sessions", "POST /api/v1/passwords", "POST /api/v1/token"}
        assert public <= {"GET /api/v1/openapi.json"} | ways_in


class TestNoRule:
    def test_an_endpoint_without_a_caller_has_no_contract(self) -> None:
        app = FastAPI()
        app.add_api_route("/api/v1/things", lambda: None, methods=["GET"], name="list_things")
        with pytest.raises(AccessRuleMissing, match="GET /api/v1/things"):
            contract(app)

    @pytest.mark.parametrize("security", [None, [{}], [{"key": []}]])
    def test_the_door_does_not_open_for_a_contract_without_a_rule(self, security: Any) -> None:
        operation = {"operationId": "x"} | ({} if security is None else {"security": security})
        with pytest.raises(ValueError, match="has no access rule"):
            RoutingTable().add_document("registry", {"paths": {"/x": {"get": operation}}})


@pytest.mark.parametrize("level", LEVELS)
async def test_a_filter_by_region_never_reaches_beyond_ones_own(
    registry: httpx.AsyncClient, interventions: httpx.AsyncClient, scoring: httpx.AsyncClient, level: str
) -> None:
    """Every operation with a `region` to filter by, in the real services."""
    documents = committed()
    clients = {"registry": registry, "interventions": interventions, "scoring": scoring}
    beside = dict(zip(LEVELS, NEIGHBOURS, strict=True))[level]
    asked = 0
    for service, client in clients.items():
        for name, operation in operations(documents[service]):
            path = name.partition(" ")[2].removeprefix("/api/v1")
            path = path.replace("{a}", "web-2021").replace("{b}", "web-2021-intended")
            filters = {given["name"] for given in operation.get("parameters", ()) if given["in"] == "query"}
            if "region" not in filters or "{" in path:
                continue
            query = {"region": beside, **_needed(operation)}
            answer = await client.get(path, params=query, headers=caller("administrator", region=REGIONS[level]))
            assert answer.json()["type"] == "urn:kampungkb:problem:region-forbidden", f"{name}: {answer.text}"
            asked += 1
    assert asked > 10


def _needed(operation: dict[str, Any]) -> dict[str, str]:
    """Other query parameters that must be given."""
    known = {"from": "2025-01", "to": "2025-02", "by": "province"}
    return {
        given["name"]: known[given["name"]]
        for given in operation["parameters"]
        if given["in"] == "query" and given.get("required") and given["name"] != "region"
    }
