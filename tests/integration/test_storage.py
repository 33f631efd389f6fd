"""Counts, pages and walks under concurrent writers, on a real PostgreSQL."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import cycle, product
from uuid import UUID

import pytest
from rows import SCORES, prediction
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from finbert_api.domain.caller import BOOTSTRAP_KEY_ID
from finbert_api.domain.errors import StorageUnavailable
from finbert_api.domain.identifiers import created_at, first_request_id
from finbert_api.domain.prediction import PredictionFilter
from finbert_api.domain.sentiment import Label, Sentiment
from finbert_api.extensions import db
from finbert_api.storage.connections import POOL_SIZE
from finbert_api.storage.predictions import PredictionStore
from finbert_api.storage.selections import count_query, rows_query

ANY = PredictionFilter()


@pytest.fixture
def store(app):
    with app.app_context():
        yield PredictionStore()


def counts(store):
    return {label: store.page(1, None, PredictionFilter(label=label), None).total_count for label in (*Label, None)}


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
    assert store.page(10, None, ANY, None).items == [kept]
    assert store.page(10, None, ANY, None).total_count == 1


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
    assert store.page(1, None, ANY, None).total_count == 1


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
            page = store.page(7, cursor, ANY, None)
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
        seen = [store.page(1000, None, ANY, None) for _ in range(60)]
        list(inserting)
    assert all(len(page.items) == page.total_count for page in seen)


def test_more_threads_than_connections_read_in_turn(app, store):
    store.add(prediction())

    def read(_):
        with app.app_context():
            return store.page(1, None, ANY, None).total_count

    with ThreadPoolExecutor(16 * POOL_SIZE) as pool:
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


A_KEY = UUID(int=1)
NEGATIVE = {"label": Label.NEGATIVE}
A_TIME = {"since": created_at(UUID(int=1 << 80)), "until": created_at(UUID(int=9 << 80))}


@pytest.fixture
def plan_of(store):
    """How PostgreSQL answers a query over many rows, none of which any query of these tests is for."""
    store.add(prediction(source="other"))
    db.session.execute(text("SET LOCAL statement_timeout = 0"))
    db.session.execute(text(ORDERED_COPIES))
    db.session.commit()
    # Index-only scans are for pages that are known to be visible to all.
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE predictions"))

    def explain(query):
        statement = str(query.compile(db.engine, compile_kwargs={"literal_binds": True}))
        return "\n".join(db.session.scalars(text(f"EXPLAIN {statement}")))

    return explain


def test_a_page_reads_the_rows_it_shows_and_no_other(plan_of):
    """Also that of a key or label that has no rows near the cursor: its plan may filter nothing away."""
    for filters, key_id, index in (
        ({}, None, "pkey"),
        (A_TIME, None, "pkey"),
        (NEGATIVE, None, "label_request_id"),
        (NEGATIVE | A_TIME, None, "label_request_id"),
        ({"source": "s"}, None, "source_request_id"),
        ({"model_version": "m"}, None, "version_request_id"),
        ({}, A_KEY, "key_request_id"),
        (A_TIME, A_KEY, "key_request_id"),
        ({"label": Label.NEUTRAL}, A_KEY, "key_label_request_id"),
        ({"source": "s"}, A_KEY, "key_source_request_id"),
        ({"model_version": "m"}, A_KEY, "key_version_request_id"),
    ):
        for cursor in (None, UUID(int=19_000)):
            plan = plan_of(rows_query(PredictionFilter(**filters), key_id, cursor, 21))
            assert f"Index Scan Backward using predictions_{index} on predictions" in plan, plan
            assert "Filter" not in plan, plan
            assert "Sort" not in plan, plan


def test_what_several_filters_refuse_is_not_fetched_from_the_table(plan_of):
    for filters, index in (
        ({"source": "s"} | NEGATIVE, "source_request_id"),
        ({"source": "s", "model_version": "m"}, "source_request_id"),
        ({"source": "s", "model_version": "m"} | NEGATIVE | A_TIME, "source_request_id"),
        ({"model_version": "m"} | NEGATIVE, "version_request_id"),
    ):
        for key_id, prefix in ((None, ""), (A_KEY, "key_")):
            plan = plan_of(rows_query(PredictionFilter(**filters), key_id, None, 21))
            assert f"Index Only Scan Backward using predictions_{prefix}{index} on predictions" in plan, plan


def test_a_count_comes_from_the_counts_or_from_an_index_alone(plan_of):
    for filters in ({}, NEGATIVE):
        for key_id in (None, A_KEY):
            assert "predictions" not in plan_of(count_query(PredictionFilter(**filters), key_id)).replace(
                "sum(predictions)", ""
            )
    for filters in (
        A_TIME,
        NEGATIVE | A_TIME,
        {"source": "s"},
        {"source": "s", "model_version": "m"} | NEGATIVE,
        {"model_version": "m"} | NEGATIVE | A_TIME,
    ):
        for key_id in (None, A_KEY):
            plan = plan_of(count_query(PredictionFilter(**filters), key_id))
            assert "Index Only Scan" in plan, plan


MOMENTS = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(5)]
CHOICES = {
    "label": [None, Label.NEGATIVE],
    "source": [None, "news", ""],
    "model_version": [None, "m-1"],
    "since": [None, MOMENTS[1]],
    "until": [None, MOMENTS[3]],
}


def test_every_combination_of_filters_selects_and_counts_what_it_says(store, make_client_key):
    _, client_id = make_client_key()
    chance = random.Random(4)  # noqa: S311 - rows, no secrets
    made = [
        prediction(
            chance.choice(tuple(Label)),
            request_id=UUID(int=first_request_id(MOMENTS[number % 5]).int | number // 5),
            key_id=chance.choice((BOOTSTRAP_KEY_ID, client_id)),
            source=chance.choice((None, "news", "calls", "")),
            model_version=chance.choice(("m-1", "m-2")),
        )
        for number in range(200)
    ]
    for each in made:
        store.add(each)
    made.sort(key=lambda each: each.request_id, reverse=True)
    for values in product(*CHOICES.values()):
        wanted = PredictionFilter(**dict(zip(CHOICES, values, strict=True)))
        for key_id in (None, client_id):
            expected = [each for each in made if matches(each, wanted) and key_id in (None, each.key_id)]
            first = store.page(7, None, wanted, key_id)
            assert first.total_count == len(expected), wanted
            assert first.items == expected[:7], wanted
            if first.next_cursor:
                assert store.page(1000, first.next_cursor, wanted, key_id).items == expected[7:], wanted


def matches(kept, wanted):
    equal = all(getattr(wanted, name) in (None, getattr(kept, name)) for name in ("label", "source", "model_version"))
    since, until = wanted.since or datetime.min.replace(tzinfo=UTC), wanted.until or datetime.max.replace(tzinfo=UTC)
    return equal and since <= kept.created_at < until


def test_a_walk_meets_every_prediction_once_in_steps(store, monkeypatch):
    monkeypatch.setattr("finbert_api.storage.predictions.STEP_ROWS", 3)
    made = [prediction(label) for label in [*Label, *Label, *Label]]
    for each in made:
        store.add(each)
    assert [len(step) for step in store.walk(ANY, None)] == [3, 3, 3, 0]
    assert [each for step in store.walk(ANY, None) for each in step] == made[::-1]


def test_a_walk_holds_no_connection_between_its_steps(store, monkeypatch):
    monkeypatch.setattr("finbert_api.storage.predictions.STEP_ROWS", 1)
    store.add(prediction())
    walks = [store.walk(ANY, None) for _ in range(20)]
    assert [len(next(walk)) for walk in walks] == [1] * 20
    assert db.engine.pool.checkedout() == 0
