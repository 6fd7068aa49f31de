"""assessments without a class, and when time changes them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_WITH_A_CLASS = ("assessments", "period_assessments", "superseded_assessments", "class_tallies")
_CHANGES = ["village_id", "period", "village_class", "previous_class"]


def upgrade() -> None:
    """Forward."""
    for table in _WITH_A_CLASS:
        op.alter_column(table, "village_class", existing_type=sa.String(), nullable=True)
    op.add_column(
        "assessments", sa.Column("reasons", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False)
    )
    op.add_column("assessments", sa.Column("due_on", sa.Date(), nullable=True))
    op.create_index("ix_assessments_due_on", "assessments", ["due_on"], postgresql_where=sa.text("due_on IS NOT NULL"))
    _index_changes("previous_class IS DISTINCT FROM coalesce(village_class, 'none')")


def downgrade() -> None:
    """Back; fails where a village has no class, because before this there was no way to say so."""
    _index_changes("previous_class IS DISTINCT FROM village_class")
    op.drop_index("ix_assessments_due_on", table_name="assessments")
    for name in ("due_on", "reasons"):
        op.drop_column("assessments", name)
    for table in _WITH_A_CLASS:
        op.alter_column(table, "village_class", existing_type=sa.String(), nullable=False)


def _index_changes(condition: str) -> None:
    op.drop_index("ix_period_assessments_changes", table_name="period_assessments")
    op.create_index(
        "ix_period_assessments_changes", "period_assessments", _CHANGES, postgresql_where=sa.text(condition)
    )
