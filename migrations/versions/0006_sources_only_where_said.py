"""A statement whose rows name no source leaves the rollup by source alone."""

from types import ModuleType

from alembic import context, op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROLLUP_FUNCTION = """
CREATE OR REPLACE FUNCTION roll_up_predictions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE step CONSTANT integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE prediction_rollup, source_rollup;
        RETURN NULL;
    END IF;
    {by_key};
    IF EXISTS (SELECT FROM changed WHERE source IS NOT NULL) THEN
        {by_source};
    END IF;
    RETURN NULL;
END
$$
"""


def rollups() -> ModuleType:
    """The migration that made the rollups, and says what adds rows to them."""
    return context.script.get_revision(down_revision).module


def upgrade() -> None:
    by_key, by_source = rollups().additions("step", "changed")
    op.execute(ROLLUP_FUNCTION.format(by_key=by_key, by_source=by_source))


def downgrade() -> None:
    op.execute(rollups().ROLLUP_FUNCTION.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
