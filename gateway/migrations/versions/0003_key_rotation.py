"""Keys have two secrets while they are rotated, and addresses that they may be used from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.add_column("api_keys", sa.Column("allowed_addresses", sa.ARRAY(sa.Text()), nullable=True))
    op.add_column("api_keys", sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_keys", sa.Column("old_secret_hash", sa.LargeBinary(), nullable=True))
    op.add_column("api_keys", sa.Column("old_secret_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_keys", sa.Column("old_secret_used_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(op.f("ck_api_keys_old_secret_hash"), "api_keys", "octet_length(old_secret_hash) = 32")
    op.create_check_constraint(
        op.f("ck_api_keys_rotated"),
        "api_keys",
        "(old_secret_hash IS NULL) = (old_secret_until IS NULL) AND (old_secret_hash IS NULL) = (rotated_at IS NULL)",
    )
    op.create_check_constraint(op.f("ck_api_keys_allowed_addresses"), "api_keys", "cardinality(allowed_addresses) > 0")


def downgrade() -> None:
    """Back: only the newest secret of a key stays good, and it is good from anywhere."""
    for name in ("allowed_addresses", "rotated", "old_secret_hash"):
        op.drop_constraint(op.f(f"ck_api_keys_{name}"), "api_keys")
    for name in ("old_secret_used_at", "old_secret_until", "old_secret_hash", "rotated_at", "allowed_addresses"):
        op.drop_column("api_keys", name)
