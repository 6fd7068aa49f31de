"""From what was granted to somebody to who he is for one operation."""

from __future__ import annotations

import pytest

from kit.access import SCOPES_OF, Caller, Grant, Principal, Role, Scope, check_grants
from kit.problems import Forbidden, GrantsUnclear

R = Role
COUNTRY, PROVINCE, REGENCY, NEIGHBOUR = None, "33", "33.26", "33.27"


def caller_of(scope: Scope, *grants: tuple[Role, str | None]) -> Caller:
    return Principal("id", "name", tuple(Grant(*grant) for grant in grants)).caller([scope])


class TestCaller:
    def test_only_grants_that_allow_the_scope_count(self) -> None:
        caller = caller_of(Scope.REPORTS_WRITE, (R.READER, COUNTRY), (R.REPORTER, REGENCY))
        assert caller == Caller("id", "name", frozenset({R.REPORTER}), REGENCY)

    def test_all_scopes_must_be_of_one_grant(self) -> None:
        principal = Principal("id", "name", (Grant(R.PARTNER, REGENCY), Grant(R.REPORTER, REGENCY)))
        with pytest.raises(Forbidden):
            principal.caller([Scope.INTERVENTIONS_WRITE, Scope.REPORTS_WRITE])

    @pytest.mark.parametrize(
        ("regions", "widest"),
        [
            ((REGENCY, REGENCY), REGENCY),
            ((REGENCY, PROVINCE), PROVINCE),
            ((REGENCY, COUNTRY), COUNTRY),
            ((REGENCY, NEIGHBOUR, PROVINCE), PROVINCE),
        ],
    )
    def test_the_widest_region_counts(self, regions: tuple[str | None, ...], widest: str | None) -> None:
        grants = zip((R.READER, R.REPORTER, R.OFFICER), regions, strict=False)
        assert caller_of(Scope.VILLAGES_READ, *grants).region == widest

    def test_a_role_counts_where_it_was_granted_only(self) -> None:
        caller = caller_of(Scope.INTERVENTIONS_WRITE, (R.PARTNER, PROVINCE), (R.OFFICER, REGENCY))
        assert (caller.region, caller.roles) == (PROVINCE, {R.PARTNER})
        assert caller.roles_at("33.26.01.2001") == {R.PARTNER, R.OFFICER}
        assert caller.roles_at("33.27.01.2001") == {R.PARTNER}
        assert caller.roles_at("33.2") == {R.PARTNER}

    @pytest.mark.parametrize("other", [NEIGHBOUR, "33.2", "34", "33.260"])
    def test_side_by_side_is_not_guessed(self, other: str) -> None:
        with pytest.raises(GrantsUnclear, match=r"33\.26"):
            caller_of(Scope.VILLAGES_READ, (R.READER, REGENCY), (R.OFFICER, other))

    def test_side_by_side_for_another_scope_harms_nobody(self) -> None:
        grants = ((R.READER, PROVINCE), (R.REPORTER, REGENCY), (R.OFFICER, NEIGHBOUR))
        assert caller_of(Scope.VILLAGES_READ, *grants).region == PROVINCE
        assert caller_of(Scope.VILLAGES_WRITE, *grants).region == NEIGHBOUR
        with pytest.raises(GrantsUnclear):
            caller_of(Scope.REPORTS_WRITE, *grants)

    def test_nobody_without_grants(self) -> None:
        for scope in Scope:
            with pytest.raises(Forbidden):
                caller_of(scope)


class TestCheckGrants:
    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ([], "at least one"),
            ([(R.READER, REGENCY), (R.READER, REGENCY)], "once"),
            ([(R.READER, REGENCY), (R.READER, NEIGHBOUR)], "neither region lies in the other"),
            ([(R.READER, PROVINCE), (R.REPORTER, REGENCY), (R.OFFICER, NEIGHBOUR)], r"reports:write"),
        ],
    )
    def test_refused(self, given: list[tuple[Role, str | None]], why: str) -> None:
        with pytest.raises(ValueError, match=why):
            check_grants(Grant(*grant) for grant in given)

    def test_what_is_let_through_is_clear_for_every_scope(self) -> None:
        given = [Grant(R.REPORTER, REGENCY), Grant(R.ADMINISTRATOR, PROVINCE), Grant(R.OFFICER, NEIGHBOUR)]
        grants = check_grants(given)
        assert grants == (given[1], given[0], given[2])
        for scope in Scope:
            assert Principal("id", "name", grants).caller([scope]).region == PROVINCE


def test_every_role_may_see_itself_and_the_administrator_may_everything() -> None:
    assert all(Scope.SELF_READ in SCOPES_OF[role] for role in Role)
    assert SCOPES_OF[Role.ADMINISTRATOR] == set(Scope)
