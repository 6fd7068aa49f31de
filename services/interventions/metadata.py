"""All tables of the interventions service, for migrations."""

import services.interventions.interventions.tables
import services.interventions.villages.tables  # noqa: F401 - importing declares them
from services.interventions.orm import METADATA

__all__ = ["METADATA"]
