"""The Python that docs/following-changes.md gives to clients, run as it stands there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_DOCUMENT = Path(__file__).parents[1] / "docs" / "following-changes.md"
_CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)

_found: dict[str, Any] = {}
READING, _snippet = _CODE.findall(_DOCUMENT.read_text(encoding="utf-8"))
"""How an event of either version of village-classified is read; it works on `event`."""
exec(_snippet, _found)  # noqa: S102 - our own document

line: Callable[[str, dict[str, Any]], str] = _found["line"]
"""A thing's line out of its name and document."""
digest: Callable[[Iterable[str]], str] = _found["digest"]
"""The digest of lines."""
