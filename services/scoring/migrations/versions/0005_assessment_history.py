"""assessment history."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "period_assessments",
        sa.Column("village_id", sa.Uuid(), nullable=False),
        sa.Column("period", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("ruleset", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("ruleset_digest", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("village_class", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("previous_class", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("scores", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("indexes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("assessed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_period_assessments_revision")),
        sa.PrimaryKeyConstraint("village_id", "period", name=op.f("pk_period_assessments")),
    )
    op.create_index(
        "ix_period_assessments_changes",
        "period_assessments",
        ["village_id", "period", "village_class", "previous_class"],
        unique=False,
        postgresql_where=sa.text("previous_class IS DISTINCT FROM village_class"),
    )
    op.create_table(
        "superseded_assessments",
        sa.Column("village_id", sa.Uuid(), nullable=False),
        sa.Column("period", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("ruleset", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("ruleset_digest", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("village_class", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("scores", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("indexes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("assessed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("village_id", "period", "revision", name=op.f("pk_superseded_assessments")),
    )
