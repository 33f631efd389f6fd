"""Counts and pages under concurrent writers, on a real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from itertools import cycle
from uuid import UUID

import pytest
from rows import SCORES, prediction
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from finbert_api.domain.errors import StorageUnavailable
from finbert_api.domain.sentiment import Label, Sentiment
from finbert_api.extensions import db
from finbert_api.storage.predictions import PredictionStore, _page_query


@pytest.fixture
def store(app):
    with app.app_context():
        yield PredictionStore()


def counts(store):
    return {label: store.page(1, None, label, None).total_count for label in (*Label, None)}


def test_a_stored_prediction_comes_back_equal(store):
    kept = prediction(source="newswire", truncated=True)
    store.add(kept)
    assert store.get(kept.request_id, None) == kept


def test_scores_are_kept_as_decimals_of_four_places(store):
    kept = prediction()
    store.add(kept)
    row = db.session.execute(
        text("SELECT pg_typeof(score_positive)::text, score_positive::text FROM predictions")
    ).one()
    assert tuple(row) == ("numeric", "0.3334")


def test_adding_twice_keeps_one_row(store):
    kept = prediction()
    store.add(kept)
    store.add(kept)
    assert store.page(10, None, None, None).items == [kept]
    assert store.page(10, None, None, None).total_count == 1


def test_counts_stay_exact_under_concurrent_writers_and_deleters(app, store):
    labels = cycle(Label)
    made = [prediction(next(labels)) for _ in range(600)]

    def write(kept):
        with app.app_context():
            store.add(kept)
            if kept.request_id.int % 3 == 0:
                db.session.execute(text("DELETE FROM predictions WHERE request_id = :id"), {"id": kept.request_id})
                db.session.commit()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, made))
    left = [kept for kept in made if kept.request_id.int % 3]
    assert counts(store) == {
        **{label: sum(kept.label is label for kept in left) for label in Label},
        None: len(left),
    }


COPIES = """
    INSERT INTO predictions SELECT
        gen_random_uuid(), key_id, text, source, 'negative', score_positive, score_negative, score_neutral,
        model_version, latency_ms, token_count, truncated, created_at
    FROM predictions, generate_series(1, 250)
"""


def test_a_rolled_back_insert_is_not_counted(store):
    store.add(prediction())
    db.session.execute(text(COPIES))
    db.session.rollback()
    assert store.page(1, None, None, None).total_count == 1


def test_many_rows_in_one_statement_are_counted_each(store):
    store.add(prediction(Label.NEUTRAL))
    db.session.execute(text(COPIES))
    db.session.commit()
    assert counts(store) == {Label.POSITIVE: 0, Label.NEGATIVE: 250, Label.NEUTRAL: 1, None: 251}


def test_what_a_prediction_counts_as_can_not_be_changed_behind_the_counts(store):
    store.add(prediction())
    with pytest.raises(SQLAlchemyError, match="are fixed"):
        db.session.execute(text("UPDATE predictions SET label = 'neutral'"))
    db.session.rollback()
    assert counts(store)[Label.POSITIVE] == 1


def test_pages_neither_skip_nor_repeat_while_others_insert(app, store):
    before = [prediction() for _ in range(300)]
    for kept in before:
        store.add(kept)

    def insert_more(_):
        with app.app_context():
            store.add(prediction())

    walked, cursor = [], None
    with ThreadPoolExecutor(4) as pool:
        inserting = pool.map(insert_more, range(300))
        while True:
            page = store.page(7, cursor, None, None)
            walked += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        list(inserting)
    ids = [kept.request_id for kept in walked]
    assert ids == sorted(set(ids), reverse=True)
    assert {kept.request_id for kept in before} <= set(ids)


def test_a_page_and_its_count_are_of_the_same_moment(app, store):
    def insert_more(_):
        with app.app_context():
            store.add(prediction())

    with ThreadPoolExecutor(4) as pool:
        inserting = pool.map(insert_more, range(200))
        seen = [store.page(1000, None, None, None) for _ in range(60)]
        list(inserting)
    assert all(len(page.items) == page.total_count for page in seen)


def test_more_threads_than_connections_read_in_turn(app, store):
    store.add(prediction())

    def read(_):
        with app.app_context():
            return store.page(1, None, None, None).total_count

    with ThreadPoolExecutor(64) as pool:
        assert list(pool.map(read, range(256))) == [1] * 256


def test_created_at_is_the_ids_own_time(store):
    kept = prediction()
    store.add(kept)
    stored = db.session.execute(text("SELECT created_at FROM predictions")).scalar_one()
    assert abs(stored - kept.created_at) < timedelta(microseconds=1)


def test_a_row_that_can_not_be_stored_is_told_without_its_text(store):
    with pytest.raises(StorageUnavailable) as raised:
        store.add(prediction(text="a client's text", source="s" * 101))
    assert "a client's text" not in str(raised.value) + raised.value.reason
    assert raised.value.reason.startswith("StringDataRightTruncation")


def test_the_reason_leaves_out_the_row_that_postgresql_quotes(store):
    with pytest.raises(StorageUnavailable) as raised:
        store.add(
            prediction(
                text="a client's text",
                sentiment=Sentiment(label=Label.POSITIVE, scores=SCORES | {Label.POSITIVE: Decimal("NaN")}),
                model_version=None,
            )
        )
    assert "a client's text" not in raised.value.reason
    assert "null value" in raised.value.reason


ORDERED_COPIES = """
    INSERT INTO predictions SELECT
        lpad(to_hex(i), 32, '0')::uuid, key_id, text, source, CASE i % 3 WHEN 0 THEN 'positive' ELSE 'neutral' END,
        score_positive, score_negative, score_neutral, model_version, latency_ms, token_count, truncated, created_at
    FROM predictions, generate_series(1, 20000) AS i
"""


@pytest.mark.parametrize("cursor", [None, UUID(int=19_000)])
@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "predictions_pkey"),
        ({"label": "negative"}, "predictions_label_request_id"),
        ({"key_id": UUID(int=1)}, "predictions_key_request_id"),
        ({"key_id": UUID(int=1), "label": "neutral"}, "predictions_key_label_request_id"),
    ],
)
def test_a_page_reads_the_rows_it_shows_and_no_other(store, filters, index, cursor):
    """Also that of a key or label that has no rows near the cursor: its plan may filter nothing away."""
    store.add(prediction())
    db.session.execute(text(ORDERED_COPIES))
    db.session.execute(text("ANALYZE predictions"))
    query = str(_page_query(filters, cursor).limit(21).compile(db.engine, compile_kwargs={"literal_binds": True}))
    plan = "\n".join(db.session.scalars(text(f"EXPLAIN {query}")))
    db.session.rollback()
    assert f"Index Scan Backward using {index} on predictions" in plan
    assert "Filter" not in plan
    assert "Sort" not in plan
