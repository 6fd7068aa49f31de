"""re-emissions, rebuilds."""

from kit import table_steps

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    table_steps.re_emissions()
    table_steps.rebuilds()
