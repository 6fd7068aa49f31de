"""`python -m deploy.compose.identity_keys PAIR PUBLIC`: the pair into one volume, a copy of its public half into another.

The gateway signs callers' identities with the private half and is the only one that the first volume is mounted into.
"""

import sys
from pathlib import Path

from deploy.identity_keys import ensure_identity_keys


def publish(pair: Path, public: Path) -> None:
    """Makes the pair in the folder `pair` once; the folder `public` gets the public half at every start, in one step."""
    keys = ensure_identity_keys(pair)
    copy = public / keys.public.name
    unfinished = copy.with_suffix(".new")
    unfinished.write_bytes(keys.public.read_bytes())
    unfinished.rename(copy)


def main(arguments: list[str]) -> int:
    """Run from the command line; 2 when called wrongly."""
    match arguments:
        case [pair, public]:
            publish(Path(pair), Path(public))
            return 0
        case _:
            print("usage: python -m deploy.compose.identity_keys PAIR_FOLDER PUBLIC_FOLDER", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
