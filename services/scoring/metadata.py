"""All tables of the scoring service, for migrations."""

import services.scoring.assessments.tables
import services.scoring.facts.tables
import services.scoring.interventions.tables
import services.scoring.villages.tables  # noqa: F401 - importing declares them
from services.scoring.orm import METADATA

__all__ = ["METADATA"]
