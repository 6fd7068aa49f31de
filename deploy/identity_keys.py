"""The Ed25519 keys of identities: `python -m deploy.identity_keys make|announce|rotate|retire|show FOLDER [--public FOLDER]`.

The gateway signs callers' identities with the private half, services check them with the public ones. All running
processes read their files again when they change, so none of this needs a restart:

    make      a pair, if there is none
    announce  a next pair: its public half is accepted from then on, nothing is signed with it yet
    rotate    sign with the next pair, announced or made now; what the last one signed is still accepted
    retire    accept nothing any more but what the pair in use signs
    show      which keys there are

`announce` apart from `rotate` is for services on other machines: carry the public file there in between.
`--public` names another folder that gets a copy of the public file, such as a volume of the services.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kit.files import write_secret
from kit.identity import (
    LIFETIME_SECONDS,
    key_id,
    load_private_key,
    load_public_keys,
    private_pem,
    public_pem,
)

PRIVATE_NAME = "identity-private.pem"
NEXT_NAME = "identity-private.next.pem"
PUBLIC_NAME = "identity-public.pem"
SAFE_AFTER_SECONDS = 2 * LIFETIME_SECONDS
"""Nothing that the last key signed is in use any more so long after a rotation."""


class TooEarly(Exception):
    """What the last key signed may still be in use."""


@dataclass(frozen=True)
class IdentityKeys:
    """The keys in a folder; private halves are readable by their owner only."""

    folder: Path

    @property
    def private(self) -> Path:
        """File of the key that is signed with."""
        return self.folder / PRIVATE_NAME

    @property
    def next(self) -> Path:
        """File of the key that will be signed with; there between `announce` and `rotate`."""
        return self.folder / NEXT_NAME

    @property
    def public(self) -> Path:
        """File of the keys that are accepted, the newest first."""
        return self.folder / PUBLIC_NAME

    def make(self) -> None:
        """A pair, if there is none; a missing public half (an interrupted first start) is derived."""
        if not self.private.exists():
            write_secret(self.private, private_pem(Ed25519PrivateKey.generate()))
        in_use = load_private_key(self.private).public_key()
        if not self.public.exists() or in_use not in self._accepted():
            self._accept(in_use)

    def announce(self) -> None:
        """A next pair, accepted from now on; announcing again changes nothing."""
        if not self.next.exists():
            write_secret(self.next, private_pem(Ed25519PrivateKey.generate()))
        coming = load_private_key(self.next).public_key()
        self._accept(coming, *(key for key in self._accepted() if key != coming))

    def rotate(self) -> None:
        """Sign with the next pair. Of the older ones only the last stays accepted.

        The public file is written first: whoever sees the new signature finds the key. Killed in between, it goes on
        where it was when it is called again.
        """
        self.announce()
        last = load_private_key(self.private).public_key()
        self._accept(load_private_key(self.next).public_key(), last)
        self.next.rename(self.private)
        self.private.touch()  # `retire` counts from here, not from when the key was announced

    def retire(self, *, now: bool) -> None:
        """Accept only what the pair in use signs, and a pair that is announced.

        Raises:
            TooEarly: what the last key signed may still be in use, and `now` was not said.
        """
        if not now and time.time() - self.private.stat().st_mtime < SAFE_AFTER_SECONDS:
            raise TooEarly
        files = [self.next, self.private] if self.next.exists() else [self.private]
        self._accept(*(load_private_key(file).public_key() for file in files))

    def lines(self) -> list[str]:
        """What there is, a line a key."""
        uses = {key_id(load_private_key(self.private).public_key()): "signs"}
        if self.next.exists():
            uses[key_id(load_private_key(self.next).public_key())] = "announced"
        return [f"{key_id(key)} {uses.get(key_id(key), 'accepted')}" for key in self._accepted()]

    def publish(self, folder: Path) -> None:
        """A copy of the public file in another folder."""
        write_secret(folder / PUBLIC_NAME, self.public.read_bytes(), mode=0o644)

    def _accepted(self) -> list[Ed25519PublicKey]:
        return load_public_keys(self.public)

    def _accept(self, *keys: Ed25519PublicKey) -> None:
        write_secret(self.public, public_pem(*keys), mode=0o644)


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.identity_keys", description="Keys of identities")
    parser.add_argument("what", choices=["make", "announce", "rotate", "retire", "show"])
    parser.add_argument("folder", type=Path, help="where the keys lie")
    parser.add_argument("--public", type=Path, help="another folder that gets a copy of the public file")
    parser.add_argument("--now", action="store_true", help="retire at once: the last key is known to somebody else")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    """Run from the command line; 1 when it is too early."""
    asked = _arguments(given)
    keys = IdentityKeys(asked.folder)
    try:
        keys.make()
        if asked.what in {"announce", "rotate"}:
            getattr(keys, asked.what)()
        elif asked.what == "retire":
            keys.retire(now=asked.now)
    except TooEarly:
        print(
            f"wait {SAFE_AFTER_SECONDS} s after a rotation: what the last key signed may still be in use (or --now)",
            file=sys.stderr,
        )
        return 1
    if asked.public is not None:
        keys.publish(asked.public)
    print("\n".join(keys.lines()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
