"""What the scoring service holds: assessments and determinations, and villages, reports and interventions as their owners told of them.

Rows of version 0 stand for things that nobody has told of yet; they are left out.
"""

from __future__ import annotations

from sqlalchemy.orm import join
from sqlmodel import col

from kit.checksums.things import assessments, determinations, interventions, reports, villages
from services.scoring.assessments.tables import Assessment
from services.scoring.determinations.tables import Determination
from services.scoring.facts.tables import ReportedFacts
from services.scoring.interventions.tables import Intervention
from services.scoring.villages.tables import Village

CHECKSUMS = (
    villages(
        Village,
        col(Village.version) > 0,
        number=col(Village.id),
        name=col(Village.name),
        region_code=col(Village.region_code),
        status=col(Village.status),
    ),
    reports(
        join(ReportedFacts, Village, col(Village.id) == col(ReportedFacts.village_id)),
        village=col(ReportedFacts.village_id),
        region_code=col(Village.region_code),
        kind=col(ReportedFacts.kind),
        period=col(ReportedFacts.period),
        source=col(ReportedFacts.source_system),
        revision=col(ReportedFacts.revision),
        facts=col(ReportedFacts.facts),
    ),
    interventions(
        join(Intervention, Village, col(Village.id) == col(Intervention.village_id)),
        col(Intervention.version) > 0,
        number=col(Intervention.id),
        version=col(Intervention.version),
        region_code=col(Village.region_code),
        village=col(Intervention.village_id),
        date=col(Intervention.date),
        withdrawn=col(Intervention.withdrawn),
    ),
    assessments(
        Assessment,
        village=col(Assessment.village_id),
        version=col(Assessment.version),
        region_code=col(Assessment.region_code),
        village_class=col(Assessment.village_class),
        ruleset_digest=col(Assessment.ruleset_digest),
    ),
    determinations(
        Determination,
        number=col(Determination.id),
        region_code=col(Determination.region_code),
        digest=col(Determination.digest),
    ),
)
