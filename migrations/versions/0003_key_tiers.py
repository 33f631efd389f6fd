"""Keys have tiers, know when they were used last, and PostgreSQL tells all workers when one changes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# By trigger, so that it is told whoever changes a key by whatever means, and only when that is committed.
TELL_FUNCTION = """
CREATE FUNCTION tell_api_key_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('api_key_changes', OLD.key_id::text);
    RETURN NULL;
END
$$
"""

# Not when last_used_at is written, which no worker needs to know.
TELL_TRIGGER = (
    "CREATE TRIGGER api_keys_tell_change AFTER UPDATE OF digest, role, tier, revoked_at OR DELETE ON api_keys "
    "FOR EACH ROW EXECUTE FUNCTION tell_api_key_change()"
)


def upgrade() -> None:
    # A default of the server's: the rows there are get it without being rewritten.
    op.add_column("api_keys", sa.Column("tier", sa.String(10), nullable=False, server_default="standard"))
    op.add_column("api_keys", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint("api_keys_tier_check", "api_keys", "tier IN ('standard', 'premium')")
    op.execute(TELL_FUNCTION)
    op.execute(TELL_TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER api_keys_tell_change ON api_keys")
    op.execute("DROP FUNCTION tell_api_key_change()")
    op.drop_constraint("api_keys_tier_check", "api_keys")
    op.drop_column("api_keys", "last_used_at")
    op.drop_column("api_keys", "tier")
