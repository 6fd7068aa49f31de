"""Metrics of imports."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

IMPORTS = Counter("kkb_imports_total", "Imports that ended, by how", ["state"])
IMPORT_ROWS = Counter("kkb_import_rows_total", "Rows imported, by what became of them", ["status"])
IMPORT_SECONDS = Histogram(
    "kkb_import_seconds", "Time from claiming an import to its end", buckets=(1, 2.5, 5, 10, 30, 60, 120, 300, 900)
)
