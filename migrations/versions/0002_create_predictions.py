"""Predictions, and their exact counts by key and label, kept by triggers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Sixteen shards: as many connections can add predictions of one key and label without waiting for each other's commit.
# Rows are changed in one fixed order, so that two writers never wait for each other in a circle.
COUNT_FUNCTION = """
CREATE FUNCTION count_predictions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE prediction_counts;
        RETURN NULL;
    END IF;
    INSERT INTO prediction_counts AS counted (key_id, label, shard, predictions)
    SELECT key_id, label, pg_backend_pid() % 16, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
    FROM changed GROUP BY key_id, label ORDER BY key_id, label
    ON CONFLICT (key_id, label, shard) DO UPDATE SET predictions = counted.predictions + excluded.predictions;
    RETURN NULL;
END
$$
"""

TRIGGERS = (
    "CREATE TRIGGER predictions_count_insert AFTER INSERT ON predictions "
    "REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_predictions()",
    "CREATE TRIGGER predictions_count_delete AFTER DELETE ON predictions "
    "REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_predictions()",
    "CREATE TRIGGER predictions_count_truncate AFTER TRUNCATE ON predictions "
    "FOR EACH STATEMENT EXECUTE FUNCTION count_predictions()",
    # What the model said is never rewritten; an UPDATE that moved a row between counts would falsify them silently.
    "CREATE FUNCTION refuse_recount() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RAISE EXCEPTION 'key_id and label of a prediction are fixed'; END $$",
    "CREATE TRIGGER predictions_count_update BEFORE UPDATE OF key_id, label ON predictions "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_recount()",
)


def upgrade() -> None:
    op.create_table(
        "predictions",
        sa.Column("request_id", sa.Uuid(), primary_key=True),
        sa.Column("key_id", sa.Uuid(), sa.ForeignKey("api_keys.key_id"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("source", sa.String(100), nullable=True),
        sa.Column("label", sa.String(8), nullable=False),
        sa.Column("score_positive", sa.Numeric(6, 4), nullable=False),
        sa.Column("score_negative", sa.Numeric(6, 4), nullable=False),
        sa.Column("score_neutral", sa.Numeric(6, 4), nullable=False),
        sa.Column("model_version", sa.String(100), nullable=False),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("token_count", sa.Integer(), nullable=False),
        sa.Column("truncated", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("label IN ('positive', 'negative', 'neutral')", name="predictions_label_check"),
    )
    op.create_index("predictions_label_request_id", "predictions", ["label", "request_id"])
    op.create_index("predictions_key_request_id", "predictions", ["key_id", "request_id"])
    op.create_index("predictions_key_label_request_id", "predictions", ["key_id", "label", "request_id"])
    op.create_table(
        "prediction_counts",
        sa.Column("key_id", sa.Uuid(), primary_key=True),
        sa.Column("label", sa.String(8), primary_key=True),
        sa.Column("shard", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("predictions", sa.BigInteger(), nullable=False),
        # Room on the page for the next version of each row: updates stay in place and need no index entry.
        postgresql_with={"fillfactor": "50"},
    )
    op.execute(COUNT_FUNCTION)
    for statement in TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("predictions")
    op.drop_table("prediction_counts")
    op.execute("DROP FUNCTION count_predictions()")
    op.execute("DROP FUNCTION refuse_recount()")
