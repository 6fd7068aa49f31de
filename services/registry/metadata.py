"""All tables of the registry, for migrations."""

import services.registry.aliases.tables
import services.registry.findings.tables
import services.registry.imports.tables
import services.registry.regions.tables
import services.registry.reports.tables
import services.registry.villages.tables  # noqa: F401 - importing declares them
from kit.re_emissions.tables import declare_re_emissions
from services.registry.orm import METADATA

declare_re_emissions(METADATA)

__all__ = ["METADATA"]
