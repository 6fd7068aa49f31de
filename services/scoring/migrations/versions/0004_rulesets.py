"""rulesets and which of them is in force from when."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_CHECKS = {
    "status": "status IN ('draft', 'published', 'retired')",
    "revision": "revision >= 1",
    "document": "jsonb_typeof(document) = 'object'",
    "document_id": "document ->> 'id' = id",
    "document_status": "(status = 'draft') = (document ->> 'status' = 'draft')",
    "digest": "(status = 'draft') = (digest IS NULL)",
    "boundary_cases": "(status = 'draft') = (boundary_cases IS NULL)",
    "published_at": "(status = 'draft') = (published_at IS NULL)",
    "published_by": "(published_at IS NULL) = (published_by IS NULL)",
    "retired_at": "(status = 'retired') = (retired_at IS NOT NULL)",
    "retired_by": "(retired_at IS NULL) = (retired_by IS NULL)",
}


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "rulesets",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("digest", sa.String(), nullable=True),
        sa.Column("boundary_cases", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("published_at", _TIME, nullable=True),
        sa.Column("published_by", sa.String(), nullable=True),
        sa.Column("retired_at", _TIME, nullable=True),
        sa.Column("retired_by", sa.String(), nullable=True),
        *(sa.CheckConstraint(check, name=op.f(f"ck_rulesets_{name}")) for name, check in _CHECKS.items()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rulesets")),
    )
    op.create_table(
        "rulesets_in_force",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("ruleset_id", sa.Text(collation="C"), nullable=False),
        sa.Column("set_at", _TIME, nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["ruleset_id"], ["rulesets.id"], name=op.f("fk_rulesets_in_force_ruleset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rulesets_in_force")),
    )
    op.create_index("ix_rulesets_in_force_from_date_id", "rulesets_in_force", ["from_date", "id"])
