"""The golden files: every event as each of its versions was released. They never change; a new version adds a file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "released"
FILES = {path.name.removesuffix(".json"): path for path in sorted(FOLDER.glob("*.json"))}
"""By the event's type without the platform's prefix: registry.profile-reported.v1."""
SUMS = dict(reversed(line.split()) for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
"""SHA-256 by file name, as `sha256sum *.json > SHA256SUMS` writes it."""


def golden(name: str) -> dict[str, Any]:
    """A golden file's content."""
    content: dict[str, Any] = json.loads(FILES[name].read_text())
    return content


def digest(name: str) -> str:
    return hashlib.sha256(FILES[name].read_bytes()).hexdigest()
