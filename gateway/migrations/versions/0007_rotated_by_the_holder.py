"""A key's holder rotates it: by whom it was rotated, and the request by which the holder did."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.add_column("api_keys", sa.Column("rotated_by", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.add_column("api_keys", sa.Column("rotation_idempotency_key", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.add_column("api_keys", sa.Column("rotation_digest", sa.LargeBinary(), nullable=True))
    op.create_check_constraint(
        op.f("ck_api_keys_rotation_idempotency"),
        "api_keys",
        "(rotation_idempotency_key IS NULL) = (rotation_digest IS NULL)",
    )


def downgrade() -> None:
    """Back."""
    op.drop_constraint(op.f("ck_api_keys_rotation_idempotency"), "api_keys")
    op.drop_column("api_keys", "rotation_digest")
    op.drop_column("api_keys", "rotation_idempotency_key")
    op.drop_column("api_keys", "rotated_by")
