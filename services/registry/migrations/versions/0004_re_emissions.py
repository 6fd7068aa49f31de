"""re-emissions."""

from kit import table_steps

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    table_steps.re_emissions()
