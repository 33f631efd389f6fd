"""The rollups under concurrent writers, deleters and feedback, on a real PostgreSQL: always what plain SQL counts."""

import math
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from flask_migrate import downgrade, upgrade
from rows import SCORES, prediction
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from support import running

from finbert_api.domain.analytics import Bucket, Window
from finbert_api.domain.caller import BOOTSTRAP_KEY_ID
from finbert_api.domain.prediction import Feedback
from finbert_api.domain.sentiment import Label, Sentiment
from finbert_api.extensions import db
from finbert_api.inference.unavailable_engine import UnavailableEngine
from finbert_api.settings import settings_from_environment
from finbert_api.storage.analytics import AnalyticsStore, Selection
from finbert_api.storage.feedback import FeedbackStore
from finbert_api.storage.predictions import PredictionStore

EVERYTHING = Selection(Window(None, None), None)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)

ROLLUPS = [
    {"rollup": "prediction_rollup", "source": "''", "condition": "true"},
    {"rollup": "source_rollup", "source": "source", "condition": "source IS NOT NULL"},
]
# Each difference, with what the table should say, of every row of all rollups.
PREDICTIONS_DIFFER = """
    WITH expected AS (
        SELECT bucket, date_trunc(bucket, created_at, 'UTC') AS start, key_id, model_version, {source},
            count(*) FILTER (WHERE label = 'positive') AS positive,
            count(*) FILTER (WHERE label = 'negative') AS negative,
            count(*) FILTER (WHERE label = 'neutral') AS neutral,
            sum(CASE label WHEN 'positive' THEN score_positive ELSE 0 END) AS confidence_positive,
            sum(CASE label WHEN 'negative' THEN score_negative ELSE 0 END) AS confidence_negative,
            sum(CASE label WHEN 'neutral' THEN score_neutral ELSE 0 END) AS confidence_neutral
        FROM predictions, (VALUES ('hour'), ('day')) AS buckets (bucket) WHERE {condition} GROUP BY 1, 2, 3, 4, 5
    ), kept AS (
        SELECT bucket, start, key_id, model_version, {source}, sum(positive), sum(negative), sum(neutral),
            sum(confidence_positive), sum(confidence_negative), sum(confidence_neutral)
        FROM {rollup} GROUP BY 1, 2, 3, 4, 5
        HAVING sum(positive) <> 0 OR sum(negative) <> 0 OR sum(neutral) <> 0
    )
    (TABLE expected EXCEPT TABLE kept) UNION ALL (TABLE kept EXCEPT TABLE expected)
"""
LATENCIES_DIFFER = """
    WITH expected AS (
        SELECT bucket, date_trunc(bucket, created_at, 'UTC') AS start, key_id, model_version, {source},
            ceil(ln(greatest(latency_ms, 0.05)) / ln(1.1))::integer AS class, count(*)
        FROM predictions, (VALUES ('hour'), ('day')) AS buckets (bucket) WHERE {condition} GROUP BY 1, 2, 3, 4, 5, 6
    ), kept AS (
        SELECT bucket, start, key_id, model_version, {source}, class, sum(latencies[class])
        FROM {rollup}, generate_subscripts(latencies, 1) AS class GROUP BY 1, 2, 3, 4, 5, 6
        HAVING sum(latencies[class]) <> 0
    )
    (TABLE expected EXCEPT TABLE kept) UNION ALL (TABLE kept EXCEPT TABLE expected)
"""
FEEDBACK_DIFFERS = """
    WITH expected AS (
        SELECT bucket, date_trunc(bucket, made.created_at, 'UTC') AS start, made.key_id, model_version,
            made.label AS predicted, answered.label AS said, count(*)
        FROM prediction_feedback AS answered JOIN predictions AS made USING (request_id),
            (VALUES ('hour'), ('day')) AS buckets (bucket) GROUP BY 1, 2, 3, 4, 5, 6
    ), kept AS (
        SELECT bucket, start, key_id, model_version, predicted, said, sum(answers)
        FROM feedback_rollup GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(answers) <> 0
    )
    (TABLE expected EXCEPT TABLE kept) UNION ALL (TABLE kept EXCEPT TABLE expected)
"""


SOURCES_OF_THEIR_OWN = """
    INSERT INTO source_rollup (
        bucket, start, key_id, source, model_version, shard,
        positive, confidence_positive, negative, confidence_negative, neutral, confidence_neutral, latencies
    )
    SELECT bucket, start, key_id, number::text, model_version, shard,
        positive, confidence_positive, negative, confidence_negative, neutral, confidence_neutral, latencies
    FROM source_rollup, generate_series(1, 50000) AS number WHERE bucket = 'day'
"""


@pytest.fixture
def store(app):
    with app.app_context():
        yield PredictionStore()


def differences():
    queries = [query.format(**rollup) for query in (PREDICTIONS_DIFFER, LATENCIES_DIFFER) for rollup in ROLLUPS]
    found = [row for query in (*queries, FEEDBACK_DIFFERS) for row in run(query)]
    db.session.rollback()
    return found


def run(statement, **values):
    return db.session.execute(text(statement), values)


def some(number, seed=1, **changes):
    """Predictions of three days, five sources, three versions and all labels."""
    chance = random.Random(seed)  # noqa: S311 - no secrets
    for _ in range(number):
        label = chance.choice(list(Label))
        moment = MIDNIGHT + timedelta(seconds=chance.randrange(3 * 86_400))
        confidence = Decimal(chance.randint(3_400, 9_999)).scaleb(-4)
        values = {
            "request_id": UUID(int=int(moment.timestamp() * 1000) << 80 | chance.getrandbits(76)),
            "sentiment": Sentiment(label=label, scores=SCORES | {label: confidence}),
            "source": chance.choice([None, "", "news", "calls", "filings"]),
            "model_version": chance.choice(["m-1", "m-2", "m-3"]),
            "latency_ms": round(chance.lognormvariate(2, 1.5), 1) if chance.random() > 0.1 else 0.0,
        }
        yield prediction(label, **values | changes)


def test_the_rollups_stay_exact_under_concurrent_writers_deleters_and_feedback(app, store, make_client_key):
    keys = [BOOTSTRAP_KEY_ID, *(make_client_key(name)[1] for name in ("ann", "bob"))]
    stores = [PredictionStore() for _ in range(4)]  # as many connections
    feedback = FeedbackStore()
    made = [each for index, key_id in enumerate(keys) for each in some(150, index, key_id=key_id)]

    def use(numbered):
        number, kept = numbered
        with app.app_context():
            stores[number % len(stores)].add(kept)
            for said in (Label.NEUTRAL, kept.label)[: number % 3]:
                assert feedback.put(Feedback(kept.request_id, kept.key_id, said, kept.created_at), None)
            if number % 4 == 0:
                assert stores[0].remove(kept.request_id, None)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, enumerate(made)))
    assert differences() == []
    versions, agreements = AnalyticsStore().by_version(EVERYTHING)
    left = [kept for number, kept in enumerate(made) if number % 4]
    assert sum(figures.predictions for figures in versions.values()) == len(left)
    answered = [number for number, _ in enumerate(made) if number % 4 and number % 3]
    assert sum(agreement.feedback for agreement in agreements.values()) == len(answered)


def test_a_rolled_back_statement_leaves_no_trace(store):
    for kept in some(5):
        store.add(kept)
    run("DELETE FROM predictions")
    db.session.rollback()
    assert differences() == []
    assert sum(each.predictions for each in AnalyticsStore().by_version(EVERYTHING)[0].values()) == 5


def test_what_is_deleted_is_no_version_and_no_source(store):
    for kept in some(50):
        store.add(kept)
    run("DELETE FROM predictions")
    db.session.commit()
    assert AnalyticsStore().by_version_and_source(EVERYTHING) == ({}, {}, 0)
    assert AnalyticsStore().by_start(EVERYTHING, Bucket.DAY) == {}


def test_truncation_empties_the_rollups_too(store):
    kept = next(some(1))
    store.add(kept)
    FeedbackStore().put(Feedback(kept.request_id, kept.key_id, Label.NEUTRAL, kept.created_at), None)
    run("TRUNCATE predictions CASCADE")
    assert run("SELECT count(*) FROM prediction_rollup").scalar_one() == 0
    assert run("SELECT count(*) FROM source_rollup").scalar_one() == 0
    assert run("SELECT count(*) FROM feedback_rollup").scalar_one() == 0
    db.session.commit()


@pytest.mark.parametrize("change", ["source = 'x'", "latency_ms = 2", "score_neutral = 0", "created_at = now()"])
def test_what_a_prediction_says_can_not_be_changed_behind_the_figures(store, change):
    store.add(prediction())
    with pytest.raises(SQLAlchemyError, match="is fixed"):
        run(f"UPDATE predictions SET {change}")
    db.session.rollback()


def test_predictions_from_before_the_rollups_are_in_them(fresh_database):
    settings = settings_from_environment({"DATABASE_URL": fresh_database(), "LOG_LEVEL": "ERROR"})
    with running(settings, UnavailableEngine()) as app, app.app_context():
        upgrade()
        made = list(some(200))
        PredictionStore().add_all(made)
        for kept in made[::2]:
            FeedbackStore().put(Feedback(kept.request_id, kept.key_id, Label.NEUTRAL, kept.created_at), None)
        downgrade(revision="0004")
        upgrade()
        assert differences() == []
        assert sum(each.predictions for each in AnalyticsStore().by_version(EVERYTHING)[0].values()) == len(made)


WINDOWS = [
    Window(None, None),
    Window(MIDNIGHT + timedelta(hours=5), None),
    Window(None, MIDNIGHT + timedelta(hours=49)),
    Window(MIDNIGHT + timedelta(hours=22), MIDNIGHT + timedelta(hours=51)),
    Window(MIDNIGHT + timedelta(hours=3), MIDNIGHT + timedelta(hours=4)),
    Window(MIDNIGHT + timedelta(hours=4), MIDNIGHT + timedelta(hours=3)),
]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("only", [{}, {"source": "news"}, {"source": ""}, {"model_version": "m-2"}])
def test_figures_are_those_of_the_predictions_in_the_window(store, window, only):
    made = list(some(300))
    store.add_all(made)
    asked = Selection(window, BOOTSTRAP_KEY_ID, **only)
    expected = [
        each
        for each in made
        if (window.since is None or window.since <= each.created_at)
        and (window.until is None or each.created_at < window.until)
        and all(getattr(each, name) == value for name, value in only.items())
    ]
    by_version, by_source, source_count = AnalyticsStore().by_version_and_source(asked)
    for name, told in (("model_version", by_version), ("source", by_source)):
        groups = {getattr(each, name) for each in expected} - {None}
        assert told.keys() == groups
        for group in groups:
            check(told[group], [each for each in expected if getattr(each, name) == group])
    assert source_count == len(by_source)
    latencies = [each.latency_ms for each in expected if each.model_version == "m-2"]
    for percent in (50, 95, 99) if latencies else ():
        exact = sorted(latencies)[math.ceil(len(latencies) * percent / 100) - 1]
        assert abs(by_version["m-2"].latency_ms[f"p{percent}"] - max(exact, 0.05)) <= 0.05 * exact + 0.006
    by_hour = AnalyticsStore().by_start(asked, Bucket.HOUR)
    assert sum(figures.predictions for figures in by_hour.values()) == len(expected)
    assert all(figures.predictions for figures in by_hour.values())
    assert AnalyticsStore().by_version(Selection(window, UUID(int=9)))[0] == {}


def check(figures, expected):
    for label in Label:
        of_label = [each.confidence for each in expected if each.label is label]
        assert figures.count(label) == len(of_label)
        assert figures.confidences[label] == sum(of_label, Decimal(0))


def test_sources_too_many_to_be_summed_up_are_left_out_and_nothing_else(store):
    store.add(prediction(source="news"))
    run("SET LOCAL statement_timeout = 0")
    run(SOURCES_OF_THEIR_OWN)
    db.session.commit()
    versions, sources, source_count = AnalyticsStore().by_version_and_source(EVERYTHING)
    assert (versions["m-1"].predictions, sources, source_count) == (1, None, None)


def test_the_most_frequent_sources_come_first_and_all_are_counted(store):
    sources = [*(f"s{number:03}" for number in range(101)), "s070", "s070", "s050"]
    store.add_all([prediction(source=source) for source in sources])
    _, told, source_count = AnalyticsStore().by_version_and_source(EVERYTHING)
    assert list(told)[:3] == ["s070", "s050", "s000"]
    assert (len(told), source_count) == (100, 101)
