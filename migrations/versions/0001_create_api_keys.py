"""API keys, the bootstrap admin key's row among them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True, unique=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('client', 'admin')", name="api_keys_role_check"),
    )
    # The key that the setting API_KEY gives: known by its id, its secret compared with the setting and stored nowhere.
    op.execute(
        "INSERT INTO api_keys (key_id, name, role, created_at) "
        "VALUES ('00000000-0000-0000-0000-000000000000', 'bootstrap', 'admin', now())"
    )


def downgrade() -> None:
    op.drop_table("api_keys")
