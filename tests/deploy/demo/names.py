"""The villages of the demonstration district as the official code list names them."""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib import resources


@cache
def village_names() -> dict[str, str]:
    """Name by code of the 285 villages of 33.26, from the package the registry loads too."""
    content = resources.files("lokal").joinpath("data", "desa.json.gz").read_bytes()
    return {code: name for code, name in json.loads(gzip.decompress(content)).items() if code.startswith("33.26.")}
