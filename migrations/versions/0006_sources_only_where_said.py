"""A statement whose rows name no source leaves the rollup by source alone."""

from alembic import context, op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

IF_SAID = "IF EXISTS (SELECT FROM changed WHERE source IS NOT NULL) THEN {addition}; END IF"


def rollup_function(*, only_where_said: bool) -> str:
    """The function of the migration that made the rollups, to take the place of the one there is."""
    rollups = context.script.get_revision(down_revision).module
    function = rollups.ROLLUP_FUNCTION.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    if not only_where_said:
        return function
    _, by_source = rollups.additions("step", "changed")
    return function.replace(by_source, IF_SAID.format(addition=by_source))


def upgrade() -> None:
    op.execute(rollup_function(only_where_said=True))


def downgrade() -> None:
    op.execute(rollup_function(only_where_said=False))
