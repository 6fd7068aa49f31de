"""All tables of the gateway, for migrations."""

import gateway.accounts.tables
import gateway.audit.tables
import gateway.deliveries.tables
import gateway.keys.tables
import gateway.sessions.tables
import gateway.webhooks.tables  # noqa: F401 - importing declares them
from gateway.orm import METADATA

__all__ = ["METADATA"]
