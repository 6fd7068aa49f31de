"""positions of events, resolutions of dead letters."""

from kit import table_steps

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    table_steps.positions_and_resolutions()
