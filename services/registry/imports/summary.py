"""The summary of an import: what was read, what became of it, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from contracts.facts import ReportKind
from services.registry.imports.reasons import Refusal, RowStatus
from services.registry.imports.schemas import (
    AliasUsed,
    MonthTotals,
    NamesSummary,
    ReasonCount,
    ReportCounts,
    RowCounts,
    Summary,
    TableSummary,
    UnresolvedOut,
    VillagesSummary,
)
from services.registry.imports.siga.assembling import Assembly
from services.registry.imports.siga.reading import Layout
from services.registry.imports.tables import ImportTable
from services.registry.reports.drafts import Draft, Stored

_MOST_UNRESOLVED = 200


def _no_reports() -> dict[str, dict[str, int]]:
    return {kind.value: {"new": 0, "revised": 0, "unchanged": 0} for kind in ReportKind}


@dataclass
class Tally:
    """What the committed chunks of an import did; kept with the import, so that a resumed run counts on."""

    registered: int = 0
    already_registered: int = 0
    findings_opened: int = 0
    reports: dict[str, dict[str, int]] = field(default_factory=_no_reports)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """From the import's row."""
        tally = cls(**stored)
        tally.reports = {kind: dict(counts) for kind, counts in tally.reports.items()}
        return tally

    def stored(self) -> dict[str, Any]:
        """As the import's row keeps it."""
        return asdict(self)

    def count_reports(self, stored: Stored) -> None:
        """Add what became of a batch of reports."""
        outcomes: dict[str, list[Draft]] = {
            "new": stored.new,
            "revised": stored.revised,
            "unchanged": stored.unchanged,
        }
        for outcome, drafts in outcomes.items():
            for draft in drafts:
                self.reports[draft.kind.value][outcome] += 1
        self.findings_opened += stored.findings_opened


def summarise(
    uploads: Sequence[ImportTable],
    layouts: Mapping[str, Layout],
    refused: Mapping[str, Refusal],
    assembly: Assembly,
    counts: Sequence[Any],
    sums: Mapping[str, Mapping[str, int]],
    tally: Tally,
) -> Summary:
    """Put the summary together out of the row results' counts, the tally and what the tables said."""
    by_table: dict[str, list[Any]] = {}
    for count in counts:
        by_table.setdefault(count.table_name, []).append(count)
    tables = [
        _table(upload.name, layouts.get(upload.name), refused.get(upload.name), by_table.get(upload.name, []))
        for upload in uploads
    ]
    announced = [found.kampung_kb for found in assembly.announcements if found.kampung_kb]
    return Summary(
        rows=_together([table.rows for table in tables]),
        tables=tables,
        totals=[MonthTotals(period=period, counts=dict(month)) for period, month in sorted(sums.items())],
        names=_names(assembly),
        villages=VillagesSummary(
            announced=sum(announced),
            announced_villages=len(announced),
            registered=tally.registered,
            already_registered=tally.already_registered,
        ),
        reports={ReportKind(kind): ReportCounts(**found) for kind, found in tally.reports.items()},
        findings_opened=tally.findings_opened,
    )


def _table(name: str, layout: Layout | None, refusal: Refusal | None, counts: Sequence[Any]) -> TableSummary:
    rows = RowCounts()
    for count in counts:
        setattr(rows, count.status, getattr(rows, count.status) + count.rows)
        rows.read += count.rows
    return TableSummary(
        name=name,
        kind=layout.kind.name if layout else None,
        title=layout.kind.title if layout else None,
        rows=rows,
        reasons=[
            ReasonCount(status=RowStatus(count.status), reason=count.reason, rows=count.rows, example=count.example)
            for count in counts
            if count.reason is not None
        ],
        columns_used=list(layout.positions) if layout else [],
        columns_not_used=list(layout.not_used) if layout else [],
        problem=refusal.problem.value if refusal else None,
        detail=refusal.detail if refusal else None,
    )


def _together(parts: Sequence[RowCounts]) -> RowCounts:
    return RowCounts(**{name: sum(getattr(part, name) for part in parts) for name in RowCounts.model_fields})


def _names(assembly: Assembly) -> NamesSummary:
    return NamesSummary(
        villages_resolved=assembly.villages_resolved,
        aliases=[
            AliasUsed(
                province=alias.written.province,
                regency=alias.written.regency,
                district=alias.written.district,
                village=alias.written.village,
                region_code=alias.code,
                how=alias.how,
                remembered=alias.remembered,
            )
            for alias in assembly.aliases
        ],
        unresolved_names=len(assembly.unresolved),
        unresolved=[
            UnresolvedOut(**place.written._asdict(), reason=place.reason, detail=place.detail, rows=place.rows)
            for place in assembly.unresolved[:_MOST_UNRESOLVED]
        ],
    )
