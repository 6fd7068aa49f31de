"""All tables of the scoring service, for migrations."""

import services.scoring.assessments.tables
import services.scoring.class_counts.tables
import services.scoring.determinations.tables
import services.scoring.facts.tables
import services.scoring.histories.tables
import services.scoring.interventions.tables
import services.scoring.recomputations.tables
import services.scoring.rulesets.tables
import services.scoring.villages.tables  # noqa: F401 - importing declares them
from kit.rebuilds.tables import declare_rebuilds
from services.scoring.orm import METADATA

declare_rebuilds(METADATA)

__all__ = ["METADATA"]
