"""`kkb findings`: what does not add up in the reports of a region."""

from __future__ import annotations

import typer

from cli.access import gateway_of
from cli.options import DEFAULT_LIMIT, AsJson, Limit, Region
from cli.screen import console, more_than, show_json, show_table, table
from cli.words import STATUSES


def list_findings(
    ctx: typer.Context, region: Region = None, limit: Limit = DEFAULT_LIMIT, as_json: AsJson = False
) -> None:
    """Temuan: angka yang tidak cocok satu sama lain. Ditampilkan, tidak pernah diperbaiki."""
    found, more = gateway_of(ctx).items("/findings", limit, region=region)
    if as_json:
        show_json(found)
        return
    shown = table("Desa/kelurahan", "Bulan", "Sumber", "Tingkat", "Temuan")
    for finding in found:
        shown.add_row(
            finding["region_code"],
            finding["period"] or "-",
            finding["source_system"],
            STATUSES.get(finding["severity"], finding["severity"]),
            finding["message"],
        )
    show_table(console(), "Temuan yang belum selesai", shown)
    if more:
        console().print(more_than(len(found)))
