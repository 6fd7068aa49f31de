"""`python -m deploy.compose.prepare SECRETS PUBLIC`: what the processes in containers find when they start.

The folder SECRETS, which only the gateway has, gets the pair that identities are signed with and the key of webhooks'
secrets, once; the folder PUBLIC gets the public half at every start.
"""

import sys
from pathlib import Path

from deploy import identity_keys, webhook_key


def main(arguments: list[str]) -> int:
    """Run from the command line; 2 when called wrongly."""
    match arguments:
        case [secrets, public]:
            webhook_key.make(Path(secrets) / webhook_key.NAME)
            return identity_keys.main(["make", secrets, "--public", public])
        case _:
            print("usage: python -m deploy.compose.prepare SECRETS_FOLDER PUBLIC_FOLDER", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
