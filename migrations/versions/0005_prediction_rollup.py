"""The figures of analytics by hour and by day, kept by triggers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Latencies are counted in classes, each a tenth wider than the one before: class n ends at 1.1 to the power of n
# milliseconds. An array's lower bound is its first class, so that it holds those classes alone that occur.
LATENCY_FUNCTION = """
CREATE FUNCTION add_latencies(kept bigint[], more bigint[]) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    FOR class IN array_lower(more, 1) .. array_upper(more, 1) LOOP
        kept[class] := coalesce(kept[class], 0) + coalesce(more[class], 0);
    END LOOP;
    RETURN kept;
END
$$
"""
LATENCY_AGGREGATE = """
CREATE AGGREGATE sum_latencies(bigint[]) (
    SFUNC = add_latencies, STYPE = bigint[], COMBINEFUNC = add_latencies, PARALLEL = SAFE
)
"""

LABELS = ("positive", "negative", "neutral")
SUMS = ", ".join(
    f"{{step}} * count(*) FILTER (WHERE label = '{label}'), "
    f"{{step}} * coalesce(sum(score_{label}) FILTER (WHERE label = '{label}'), 0)"
    for label in LABELS
)
# Rows are changed in one fixed order, as those of prediction_counts, so that two writers never wait in a circle.
ADD_TO = f"""
    INSERT INTO {{rollup}} AS kept (
        bucket, start, {{names}}, shard, {", ".join(f"{label}, confidence_{label}" for label in LABELS)}, latencies
    )
    SELECT bucket, date_trunc(bucket, created_at, 'UTC'), {{names}}, pg_backend_pid() % 16, {SUMS},
        sum_latencies(
            array_fill({{step}}::bigint, ARRAY[1], ARRAY[ceil(ln(greatest(latency_ms, 0.05)) / ln(1.1))::integer])
        )
    FROM {{rows}}, (VALUES ('hour'), ('day')) AS buckets (bucket) WHERE {{condition}}
    GROUP BY 1, 2, {{names}} ORDER BY 1, 2, {{names}}
    ON CONFLICT (bucket, start, {{names}}, shard) DO UPDATE SET
        {", ".join(f"{name} = kept.{name} + excluded.{name}" for label in LABELS for name in (label, f"confidence_{label}"))},
        latencies = add_latencies(kept.latencies, excluded.latencies)
"""
KEYS = {"prediction_rollup": ("key_id", "model_version"), "source_rollup": ("key_id", "source", "model_version")}


def additions(step: str, rows: str) -> list[str]:
    """The statements that add rows to both rollups, or take them away; without a source they are in the first alone."""
    return [
        ADD_TO.format(
            rollup=rollup, names=", ".join(names), step=step, rows=rows,
            condition="source IS NOT NULL" if "source" in names else "true",
        )
        for rollup, names in KEYS.items()
    ]  # fmt: skip


ROLLUP_FUNCTION = f"""
CREATE FUNCTION roll_up_predictions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE step CONSTANT integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE prediction_rollup, source_rollup;
        RETURN NULL;
    END IF;
    {";".join(additions("step", "changed"))};
    RETURN NULL;
END
$$
"""

# What people said of predictions, by the prediction's own hour and day.
ADD_FEEDBACK = """
    INSERT INTO feedback_rollup AS kept (bucket, start, key_id, model_version, predicted, said, shard, answers)
    SELECT bucket, date_trunc(bucket, made.created_at, 'UTC'), made.key_id, made.model_version, made.label,
        answered.label, pg_backend_pid() % 16, sum(answered.step)
    FROM ({rows}) AS answered
        JOIN predictions AS made USING (request_id)
        CROSS JOIN (VALUES ('hour'), ('day')) AS buckets (bucket)
    GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(answered.step) <> 0 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (bucket, start, key_id, model_version, predicted, said, shard)
        DO UPDATE SET answers = kept.answers + excluded.answers;
"""
ADDED = "SELECT request_id, label, 1 AS step FROM {rows}"
REMOVED = "SELECT request_id, label, -1 AS step FROM removed"
FEEDBACK_FUNCTION = f"""
CREATE FUNCTION roll_up_feedback() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE feedback_rollup;
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        {ADD_FEEDBACK.format(rows=ADDED.format(rows="added"))}
    ELSIF TG_OP = 'DELETE' THEN
        {ADD_FEEDBACK.format(rows=REMOVED)}
    ELSE
        {ADD_FEEDBACK.format(rows=f"{REMOVED} UNION ALL {ADDED.format(rows='added')}")}
    END IF;
    RETURN NULL;
END
$$
"""

TRIGGERS = (
    "CREATE TRIGGER predictions_rollup_insert AFTER INSERT ON predictions "
    "REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION roll_up_predictions()",
    "CREATE TRIGGER predictions_rollup_delete AFTER DELETE ON predictions "
    "REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION roll_up_predictions()",
    "CREATE TRIGGER predictions_rollup_truncate AFTER TRUNCATE ON predictions "
    "FOR EACH STATEMENT EXECUTE FUNCTION roll_up_predictions()",
    "CREATE FUNCTION refuse_rollup() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RAISE EXCEPTION 'what a prediction says is fixed'; END $$",
    "CREATE TRIGGER predictions_rollup_update BEFORE UPDATE OF "
    "source, model_version, score_positive, score_negative, score_neutral, latency_ms, created_at ON predictions "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_rollup()",
    "CREATE TRIGGER feedback_rollup_insert AFTER INSERT ON prediction_feedback "
    "REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION roll_up_feedback()",
    "CREATE TRIGGER feedback_rollup_update AFTER UPDATE ON prediction_feedback "
    "REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION roll_up_feedback()",
    "CREATE TRIGGER feedback_rollup_delete AFTER DELETE ON prediction_feedback "
    "REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION roll_up_feedback()",
    "CREATE TRIGGER feedback_rollup_truncate AFTER TRUNCATE ON prediction_feedback "
    "FOR EACH STATEMENT EXECUTE FUNCTION roll_up_feedback()",
    # A cascade comes once the prediction is gone, and with it what its feedback was counted by.
    "CREATE FUNCTION remove_feedback() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "DELETE FROM prediction_feedback WHERE request_id = OLD.request_id; RETURN OLD; END $$",
    "CREATE TRIGGER predictions_feedback_delete BEFORE DELETE ON predictions "
    "FOR EACH ROW EXECUTE FUNCTION remove_feedback()",
)


def upgrade() -> None:
    lengths = {"model_version": 100, "source": 100}
    for rollup, names in KEYS.items():
        op.create_table(
            rollup,
            # In the order of ranges of time, which every question asks for.
            sa.Column("bucket", sa.String(4), primary_key=True),
            sa.Column("start", sa.DateTime(timezone=True), primary_key=True),
            *(
                sa.Column(name, sa.String(lengths[name]) if name in lengths else sa.Uuid(), primary_key=True)
                for name in names
            ),
            sa.Column("shard", sa.Integer(), primary_key=True, autoincrement=False),
            *(
                column
                for label in LABELS
                for column in (
                    sa.Column(label, sa.BigInteger(), nullable=False),
                    sa.Column(f"confidence_{label}", sa.Numeric(20, 4), nullable=False),
                )
            ),
            sa.Column("latencies", postgresql.ARRAY(sa.BigInteger()), nullable=False),
            # Room on the page for the next version of each row: updates stay in place and need no index entry.
            postgresql_with={"fillfactor": "50"},
        )
    op.create_table(
        "feedback_rollup",
        sa.Column("bucket", sa.String(4), primary_key=True),
        sa.Column("start", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("key_id", sa.Uuid(), primary_key=True),
        sa.Column("model_version", sa.String(100), primary_key=True),
        sa.Column("predicted", sa.String(8), primary_key=True),
        sa.Column("said", sa.String(8), primary_key=True),
        sa.Column("shard", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("answers", sa.BigInteger(), nullable=False),
        postgresql_with={"fillfactor": "50"},
    )
    for statement in (LATENCY_FUNCTION, LATENCY_AGGREGATE, ROLLUP_FUNCTION, FEEDBACK_FUNCTION, *TRIGGERS):
        op.execute(statement)
    # The triggers' lock keeps writers out until this is committed, so that no row is counted twice or never.
    for statement in additions("1", "predictions"):
        op.execute(statement)
    op.execute(ADD_FEEDBACK.format(rows=ADDED.format(rows="prediction_feedback")))


def downgrade() -> None:
    for name in ("insert", "delete", "truncate", "update"):
        op.execute(f"DROP TRIGGER predictions_rollup_{name} ON predictions")
        op.execute(f"DROP TRIGGER feedback_rollup_{name} ON prediction_feedback")
    op.execute("DROP TRIGGER predictions_feedback_delete ON predictions")
    for rollup in KEYS:
        op.drop_table(rollup)
    op.drop_table("feedback_rollup")
    op.execute("DROP FUNCTION roll_up_feedback()")
    op.execute("DROP FUNCTION remove_feedback()")
    op.execute("DROP FUNCTION roll_up_predictions()")
    op.execute("DROP FUNCTION refuse_rollup()")
    op.execute("DROP AGGREGATE sum_latencies(bigint[])")
    op.execute("DROP FUNCTION add_latencies(bigint[], bigint[])")
