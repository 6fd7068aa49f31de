"""The Ed25519 pair: the gateway signs callers' identities with the private half, services check them with the public one."""

from dataclasses import dataclass
from pathlib import Path

from kit.identity import write_key_pair

PRIVATE_NAME = "identity-private.pem"
PUBLIC_NAME = "identity-public.pem"


@dataclass(frozen=True)
class IdentityKeys:
    """Files of the pair; the private half is readable by its owner only."""

    private: Path
    public: Path


def ensure_identity_keys(folder: Path) -> IdentityKeys:
    """Makes the pair once; half a pair (an interrupted first start) is made anew."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = IdentityKeys(folder / PRIVATE_NAME, folder / PUBLIC_NAME)
    if not (keys.private.exists() and keys.public.exists()):
        unfinished = IdentityKeys(keys.private.with_suffix(".new"), keys.public.with_suffix(".new"))
        write_key_pair(unfinished.private, unfinished.public)
        unfinished.private.rename(keys.private)
        unfinished.public.rename(keys.public)
    return keys
