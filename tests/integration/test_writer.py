"""Group commit on a real PostgreSQL: many callers, few commits, no row lost or answered too early."""

import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from uuid import UUID

import psycopg
import pytest
from rows import prediction
from support import wait_for

from finbert_api.domain.errors import StorageUnavailable
from finbert_api.storage.predictions import PredictionStore
from finbert_api.storage.writer import LARGEST_BATCH

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO predictions%'"


def connection_of(store):
    return store._writer._statements.connection


@pytest.fixture
def elsewhere(database_url):
    """A connection of another process."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def writing(app, elsewhere, database_url):
    """A store, and threads that add to it; `held` keeps the first write waiting in PostgreSQL."""

    class Writing:
        def __init__(self, pool):
            self.store = PredictionStore()
            self._pool = pool

        def add(self, made, meanwhile=lambda: None):
            """A future that ends when the prediction is stored."""

            def run():
                with app.app_context():
                    self.store.complete(self.store.join(made), meanwhile)
                    # Asked before anything else can commit: what add has returned for is durable by then.
                    with psycopg.connect(database_url) as other:
                        return other.execute(
                            "SELECT count(*) FROM predictions WHERE request_id = %s", [made.request_id]
                        ).fetchone()[0]

            return self._pool.submit(run)

        @contextmanager
        def held(self, meanwhile=lambda: None):
            with psycopg.connect(database_url) as blocker:
                blocker.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
                first = self.add(prediction(), meanwhile)
                wait_for(lambda: elsewhere.execute(WAITING).fetchone(), "the first write to wait")
                yield first

        def add_in_one_batch(self, rows):
            """Futures of rows that a write under way makes wait for the next one together, and of that write's row."""
            with self.held() as first:
                futures = [self.add(row) for row in rows]
                wait_for(lambda: len(self.store._writer._gathering.rows) == len(rows), "the rows to gather")
                assert not any(future.done() for future in (first, *futures))
            return [first, *futures]

    with ThreadPoolExecutor(64) as pool:
        yield Writing(pool)


def test_rows_that_arrive_during_a_write_share_the_next_commit(writing, elsewhere):
    futures = writing.add_in_one_batch([prediction() for _ in range(12)])
    assert [future.result() for future in futures] == [1] * 13
    commits = elsewhere.execute("SELECT count(*) FROM predictions GROUP BY xmin::text ORDER BY count(*)").fetchall()
    assert commits == [(1,), (12,)]
    counted = elsewhere.execute("SELECT sum(predictions) FROM prediction_counts").fetchone()[0]
    assert counted == 13


def test_a_crowd_is_written_in_batches_of_bounded_size(writing, elsewhere):
    with writing.held():
        futures = [writing.add(prediction()) for _ in range(3 * LARGEST_BATCH)]
    assert [future.result() for future in futures] == [1] * len(futures)
    sizes = [size for (size,) in elsewhere.execute("SELECT count(*) FROM predictions GROUP BY xmin::text").fetchall()]
    assert sum(sizes) == len(futures) + 1
    assert max(sizes) <= LARGEST_BATCH


def test_rows_that_joined_are_written_together_by_the_first_of_their_callers(app, writing, elsewhere):
    made = [prediction() for _ in range(5)]
    with app.app_context():
        joined = [writing.store.join(each) for each in made]
        assert elsewhere.execute("SELECT count(*) FROM predictions").fetchone() == (0,)
        # Any of them may be first, and none has to wait for another's caller.
        writing.store.complete(joined[2], lambda: None)
        assert elsewhere.execute("SELECT count(*) FROM predictions GROUP BY xmin::text").fetchall() == [(5,)]
        for each in joined:
            writing.store.complete(each, lambda: None)
    assert elsewhere.execute("SELECT count(*) FROM predictions").fetchone() == (5,)


def test_a_row_whose_caller_left_is_written_with_the_next_one(app, writing, elsewhere):
    with app.app_context():
        writing.store.join(prediction())
        writing.store.add(prediction())
    assert elsewhere.execute("SELECT count(*) FROM predictions GROUP BY xmin::text").fetchall() == [(2,)]


def test_what_a_caller_has_to_do_meanwhile_is_done_while_postgresql_is_at_work(writing):
    assert writing.add(prediction()).result() == 1  # the statement is known there from now on
    done = [Event() for _ in range(3)]
    with writing.held(done[0].set) as first:
        futures = [first, *(writing.add(prediction(), each.set) for each in done[1:])]
        assert all(each.wait(10) for each in done)
        assert not any(future.done() for future in futures)
    assert [future.result() for future in futures] == [1] * 3


def test_what_fails_meanwhile_concerns_its_own_caller_alone(app, writing, elsewhere):
    assert writing.add(prediction()).result() == 1
    connection = connection_of(writing.store)
    joined = [writing.store.join(prediction()) for _ in range(3)]
    with app.app_context():
        with pytest.raises(ZeroDivisionError):
            writing.store.complete(joined[0], lambda: 1 / 0)
        for each in joined[1:]:
            writing.store.complete(each, lambda: None)
    assert elsewhere.execute("SELECT count(*) FROM predictions").fetchone() == (4,)
    assert connection_of(writing.store) is connection


def test_what_there_is_to_do_meanwhile_is_done_once_whatever_becomes_of_the_write(app, writing, elsewhere):
    done = []
    assert writing.add(prediction()).result() == 1
    with writing.held(lambda: done.append("tried again")) as first:
        elsewhere.execute("SELECT pg_terminate_backend(%s)", elsewhere.execute(WAITING).fetchone())
    assert first.result() == 1
    with app.app_context():
        refused = writing.store.join(prediction(source="s" * 101))
        with pytest.raises(StorageUnavailable):
            writing.store.complete(refused, lambda: done.append("refused"))
    assert done == ["tried again", "refused"]


def test_a_connection_that_was_dropped_while_idle_loses_no_row(app, writing, elsewhere):
    assert writing.add(prediction()).result() == 1
    elsewhere.execute("SELECT pg_terminate_backend(%s)", [connection_of(writing.store).info.backend_pid])
    assert writing.add(prediction()).result() == 1


def test_a_connection_that_is_dropped_in_the_middle_of_a_write_loses_no_row(writing, elsewhere):
    with writing.held() as first:
        elsewhere.execute("SELECT pg_terminate_backend(%s)", elsewhere.execute(WAITING).fetchone())
    assert first.result() == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"source": "s" * 101}, "StringDataRightTruncation"),
        ({"key_id": UUID(int=404)}, "ForeignKeyViolation"),
        ({"text": "a client's text with \0"}, "DataError"),
    ],
)
def test_a_row_that_is_refused_fails_alone(writing, fault, reason):
    good, bad = [prediction() for _ in range(4)], prediction(**fault)
    _, *futures = writing.add_in_one_batch([*good[:2], bad, *good[2:]])
    refused = futures.pop(2)
    assert [future.result() for future in futures] == [1] * 4
    with pytest.raises(StorageUnavailable) as raised:
        refused.result()
    assert raised.value.reason.startswith(reason)
    assert "a client's text" not in str(raised.value) + raised.value.reason


def test_a_row_that_can_not_even_be_sent_fails_alone(writing):
    _, stored, unsendable = writing.add_in_one_batch([prediction(), prediction(text="half a pair \ud800")])
    assert stored.result() == 1
    with pytest.raises(UnicodeEncodeError):
        unsendable.result()


def test_many_rows_of_one_caller_are_one_commit(writing, elsewhere):
    for count in (1, LARGEST_BATCH, 100):
        made = [prediction() for _ in range(count)]
        assert writing.store.add_all(made) == [None] * count
        ids = [each.request_id for each in made]
        commits = elsewhere.execute(
            "SELECT count(*) FROM predictions WHERE request_id = ANY(%s) GROUP BY xmin::text", [ids]
        ).fetchall()
        assert commits == [(count,)]


def test_of_many_rows_of_one_caller_the_one_that_is_refused_fails_alone(writing, elsewhere):
    made = [prediction() for _ in range(5)]
    made[2] = prediction(text="a client's text with \0")
    faults = writing.store.add_all(made)
    assert [fault is None for fault in faults] == [True, True, False, True, True]
    assert isinstance(faults[2], StorageUnavailable)
    assert faults[2].reason.startswith("DataError")
    assert "a client's text" not in str(faults[2]) + faults[2].reason
    assert elsewhere.execute("SELECT count(*) FROM predictions").fetchone()[0] == 4


def test_statements_of_many_rows_are_not_kept_by_postgresql(writing):
    for count in range(LARGEST_BATCH - 1, LARGEST_BATCH + 10):
        writing.store.add_all([prediction() for _ in range(count)])
    kept = connection_of(writing.store).execute("SELECT statement FROM pg_prepared_statements").fetchall()
    assert len(kept) == 2


def test_the_connection_ends_with_the_store(app, elsewhere):
    with app.app_context():
        store = PredictionStore()
        store.add(prediction())
    pid = connection_of(store).info.backend_pid
    del store
    gc.collect()
    wait_for(
        lambda: not elsewhere.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone(),
        "the connection to end",
    )
