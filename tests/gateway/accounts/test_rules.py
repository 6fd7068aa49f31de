"""Passwords, codes and waits."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from gateway.accounts import rules
from gateway.accounts.passwords import OWASP, Passwords

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class TestWeakness:
    @pytest.mark.parametrize(
        "password",
        [
            "empat kuda biru", "aaaabbbbccccddddeeee", "Tr0ub4dor&3xy", "ﬁﬂmatra panjang", "四匹の青い馬は屋根の上に",
            "x" * 10 + "yzabcd", "rumah masterplan", "            spasi", "empat kuda biru " * 16,
        ],
    )  # fmt: skip
    def test_good(self, password: str) -> None:
        assert rules.weakness(password, "siti.pkb") is None

    @pytest.mark.parametrize(
        "password",
        [
            "", "empat kuda", "Password12345", "indonesia2024", "KAMPUNG-KB-2025", "rahasia rahasia", "123456789012",
            "abcdefghijkl", "qwertyuiop12", "1234567890123", "aaaaaaaaaaaaaa", "abababababab", "siti.pkb.rumah",
            "xSITI.PKBx1234", "x" * 257,
        ],
    )  # fmt: skip
    def test_refused(self, password: str) -> None:
        assert rules.weakness(password, "siti.pkb")


class TestCodes:
    def test_read_out_and_typed_as_people_do(self) -> None:
        code = rules.new_code()
        assert rules.fits(code.lower().replace("-", " ").replace("0", "o").replace("1", "l"), rules.code_digest(code))
        assert not rules.fits(code[:-1] + ("A" if code[-1] != "A" else "B"), rules.code_digest(code))
        assert len({rules.new_code() for _ in range(100)}) == 100


def test_waits_grow_and_have_an_end() -> None:
    assert [rules.wait_after(attempts, 60) for attempts in (-3, 1, 4, 5, 6, 8, 11, 12, 5000)] == [
        0, 0, 0, 1, 2, 8, 60, 60, 60
    ]  # fmt: skip


class TestPasswords:
    async def test_fits_and_does_not(self) -> None:
        passwords = Passwords(CHEAP)
        stored = await passwords.hash("ﬁlm panjang sekali")
        assert stored.startswith("$argon2id$")
        assert await passwords.fits("film panjang sekali", stored)
        assert not await passwords.fits("film panjang sekalI", stored)

    async def test_without_a_stored_one_nothing_fits_and_it_is_still_checked(self) -> None:
        checked: list[str] = []

        class Counting(PasswordHasher):
            def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002 - as argon2 names it
                checked.append(str(hash))
                return super().verify(hash, password)

        passwords = Passwords(Counting(time_cost=1, memory_cost=8, parallelism=1))
        for stored in (None, "", "not a hash"):
            assert not await passwords.fits("nobody's", stored)
        assert len(checked) == 3
        assert checked[0].startswith("$argon2id$")

    async def test_hashes_of_other_parameters_are_noticed(self) -> None:
        assert Passwords(OWASP).is_outdated(await Passwords(CHEAP).hash("empat kuda biru"))
        assert not Passwords(CHEAP).is_outdated(await Passwords(CHEAP).hash("empat kuda biru"))

    def test_parameters_are_those_of_owasp(self) -> None:
        assert (OWASP.memory_cost, OWASP.time_cost, OWASP.parallelism, OWASP.type.name) == (19456, 2, 1, "ID")
