"""What the registry holds: villages, and of each report the revision in force."""

from __future__ import annotations

from sqlalchemy.orm import join
from sqlmodel import col

from kit.checksums.things import reports, villages
from services.registry.reports.tables import Report
from services.registry.villages.tables import Village

CHECKSUMS = (
    villages(
        Village,
        number=col(Village.id),
        name=col(Village.name),
        region_code=col(Village.region_code),
        status=col(Village.status),
    ),
    reports(
        join(Report, Village, col(Village.id) == col(Report.village_id)),
        col(Report.superseded_at).is_(None),
        village=col(Report.village_id),
        region_code=col(Village.region_code),
        kind=col(Report.kind),
        period=col(Report.period),
        source=col(Report.source_system),
        revision=col(Report.revision),
        facts=col(Report.facts),
    ),
)
