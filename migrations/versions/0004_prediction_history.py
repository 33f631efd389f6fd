"""What clients do with their predictions afterwards: feedback, idempotency keys, filters."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("key_id", sa.Uuid(), sa.ForeignKey("api_keys.key_id"), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.Column("body_digest", sa.LargeBinary(), nullable=False),
        # Deferred: the key is claimed before its prediction is inserted, in one transaction.
        sa.Column(
            "request_id",
            sa.Uuid(),
            sa.ForeignKey("predictions.request_id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("idempotency_keys_request_id", "idempotency_keys", ["request_id"])
    op.create_index("idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "prediction_feedback",
        sa.Column(
            "request_id", sa.Uuid(), sa.ForeignKey("predictions.request_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("key_id", sa.Uuid(), sa.ForeignKey("api_keys.key_id"), primary_key=True),
        sa.Column("label", sa.String(8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("label IN ('positive', 'negative', 'neutral')", name="prediction_feedback_label_check"),
    )
    # Each holds all that the other filters ask for, so that what they refuse is never fetched from the table; and a
    # prediction without a source costs the first two nothing.
    has_source = sa.text("source IS NOT NULL")
    for name, columns, included, where in (
        ("source", ["source", "request_id"], ["label", "model_version"], has_source),
        ("key_source", ["key_id", "source", "request_id"], ["label", "model_version"], has_source),
        ("version", ["model_version", "request_id"], ["label"], None),
        ("key_version", ["key_id", "model_version", "request_id"], ["label"], None),
    ):
        op.create_index(
            f"predictions_{name}_request_id",
            "predictions",
            columns,
            postgresql_include=included,
            postgresql_where=where,
        )


def downgrade() -> None:
    for name in ("source", "key_source", "version", "key_version"):
        op.drop_index(f"predictions_{name}_request_id", "predictions")
    op.drop_table("prediction_feedback")
    op.drop_table("idempotency_keys")
