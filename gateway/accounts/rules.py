"""Passwords, one-time codes and waits: what is good enough, and how it is written."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import unicodedata

LOGIN = r"^[a-z0-9][a-z0-9._-]{2,63}$"
"""No @: an e-mail address is contact data."""

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
"""NIST SP 800-63B, 3.1.1.2: long, any characters, at least 64 allowed, no rules of composition, no change by calendar."""

_FEWEST_CHARACTERS = 5
_COMMON_WORDS = (
    "password", "passw0rd", "katasandi", "sandi", "rahasia", "admin", "administrator", "qwerty", "qwertyuiop",
    "asdfgh", "asdfghjkl", "zxcvbn", "zxcvbnm", "abc", "abcdef", "abcdefgh", "abcdefghijkl", "iloveyou", "welcome",
    "selamatdatang", "letmein", "login", "indonesia", "merdeka", "jakarta", "bismillah", "alhamdulillah", "sayang",
    "cintaku", "kampungkb", "kampung", "keluarga", "keluargaberkualitas", "kampungkeluargaberkualitas", "bkkbn",
    "kemendukbangga", "dinas", "kabupaten", "provinsi", "kecamatan", "petugas", "user", "test", "secret", "monkey",
    "dragon", "master", "sunshine", "princess", "football", "superman", "changeme",
)  # fmt: skip
"""What the commonest passwords of twelve and more characters are made of: a word of these, repeated, with digits."""
_COMMON = re.compile(rf"(?:{'|'.join(sorted(_COMMON_WORDS, key=len, reverse=True))})+")
_RUNS = "01234567890123456789" * 2, "abcdefghijklmnopqrstuvwxyz" * 2, "qwertyuiopasdfghjklzxcvbnm" * 2

_CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: nothing that is read as something else."""
_CODE_LENGTH = 20
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})

_FREE_ATTEMPTS = 5


def normalised(password: str) -> str:
    """A password as it is hashed: the same characters however a keyboard composes them (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def weakness(password: str, login: str) -> str | None:
    """Why a password is refused; None where it is good enough."""
    text = normalised(password)
    if len(text) < SHORTEST_PASSWORD:
        return f"at least {SHORTEST_PASSWORD} characters; a few words that do not belong together are easy to remember"
    if len(text) > LONGEST_PASSWORD:
        return f"at most {LONGEST_PASSWORD} characters"
    folded = text.casefold()
    if login in folded:
        return "it must not hold the login"
    letters = re.sub(r"[\W\d_]+", "", folded)
    if len(set(folded)) < _FEWEST_CHARACTERS or _COMMON.fullmatch(letters) or any(folded in run for run in _RUNS):
        return "it is one of those that are tried first"
    return None


def new_code() -> str:
    """A one-time code of 100 random bits, in groups that can be read out."""
    text = "".join(_CODE_ALPHABET[byte & 31] for byte in os.urandom(_CODE_LENGTH))
    return "-".join(text[start : start + 5] for start in range(0, _CODE_LENGTH, 5))


def code_digest(code: str) -> bytes:
    """What is stored of a code. It is random, so a plain hash is enough (see the keys' rules)."""
    return hashlib.sha256(code.upper().translate(_MISREAD).encode()).digest()


def attempt_subject(*parts: str) -> bytes:
    """What stands in the table for an account, or for an account and an address."""
    return hashlib.sha256("\0".join(parts).encode()).digest()


def wait_after(attempts: int, longest: float) -> float:
    """Seconds until the next attempt may be made: none for the first five, then doubling, never for good."""
    doublings = min(attempts - _FREE_ATTEMPTS, 32)
    return 0.0 if doublings < 0 else min(2.0**doublings, longest)


def fits(code: str, stored: bytes) -> bool:
    """Whether a code is the stored one, compared in constant time."""
    return hmac.compare_digest(code_digest(code), stored)
