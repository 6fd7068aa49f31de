"""All tables of the interventions service, for migrations."""

import services.interventions.interventions.tables
import services.interventions.villages.tables  # noqa: F401 - importing declares them
from kit.re_emissions.tables import declare_re_emissions
from kit.rebuilds.tables import declare_rebuilds
from services.interventions.orm import METADATA

declare_re_emissions(METADATA)
declare_rebuilds(METADATA)

__all__ = ["METADATA"]
