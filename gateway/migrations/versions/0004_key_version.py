"""Keys have a version, so that two administrators do not change one over each other."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.add_column("api_keys", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.alter_column("api_keys", "version", server_default=None)
    op.create_check_constraint(op.f("ck_api_keys_version"), "api_keys", "version > 0")


def downgrade() -> None:
    """Back."""
    op.drop_constraint(op.f("ck_api_keys_version"), "api_keys")
    op.drop_column("api_keys", "version")
