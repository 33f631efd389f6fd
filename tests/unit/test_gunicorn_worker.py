import os

import pytest
from gunicorn.config import Config

from finbert_api.gunicorn_worker import ConnectionCounts, HeadWithBody, OwnProcessors, fix_settings, processors_for


def test_the_fewest_elsewhere_are_those_of_workers_that_are_there():
    counts = ConnectionCounts(4)
    first, second = counts.place_of(1), counts.place_of(2)
    assert counts.fewest_elsewhere(first, 7) == 7
    counts.set(first, 7)
    counts.set(second, 3)
    assert counts.fewest_elsewhere(first, 7) == 3
    assert counts.fewest_elsewhere(second, 3) == 7
    counts.retire(second)
    assert counts.fewest_elsewhere(first, 7) == 7


def test_a_place_is_free_again_when_its_worker_ended():
    counts = ConnectionCounts(2)
    places = {counts.place_of(1), counts.place_of(2)}
    assert places == {0, 1}
    counts.leave(1)
    assert counts.place_of(3) != counts.place_of(2)
    assert counts.place_of(3) in places


class Sent:
    """A connection that remembers what is sent on it."""

    def __init__(self):
        self.pieces = []

    def sendall(self, piece):
        self.pieces.append(piece)


def test_a_head_leaves_with_the_beginning_of_its_body():
    connection = Sent()
    answer = HeadWithBody(connection)
    answer.sendall(b"head ")
    assert connection.pieces == []
    answer.sendall(b"body")
    answer.sendall(b" and more")
    answer.flush()
    assert connection.pieces == [b"head body", b" and more"]


def test_a_head_without_a_body_leaves_at_the_end():
    connection = Sent()
    answer = HeadWithBody(connection)
    answer.sendall(b"head")
    answer.flush()
    answer.flush()
    assert connection.pieces == [b"head"]


def test_each_worker_has_a_processor_of_its_own_whichever_were_replaced():
    processors = OwnProcessors([4, 5])
    assert {processors.take(1), processors.take(2)} == {4, 5}
    # A new generation beside the old one, one of which ended in between.
    third = processors.take(3)
    processors.leave(1)
    processors.leave(2)
    assert {third, processors.take(4)} == {4, 5}


def test_without_processors_for_all_workers_none_is_kept_to():
    assert OwnProcessors([]).take(1) is None
    assert processors_for(os.cpu_count() + 1) == []


def test_fixed_settings_are_what_gunicorn_looks_up(monkeypatch):
    looked_up, fixed = Config(), Config()
    for config in (looked_up, fixed):
        config.set("threads", 7)
        config.set("bind", "127.0.0.1:8123")
    fix_settings(fixed)
    expected = {name: repr(getattr(looked_up, name)) for name in [*looked_up.settings, "address", "is_ssl"]}
    monkeypatch.setattr(Config, "__getattr__", lambda _self, name: pytest.fail(f"{name} was looked up"))
    assert {name: repr(getattr(fixed, name)) for name in expected} == expected
    assert fixed.threads == 7


@pytest.mark.skipif(len(os.sched_getaffinity(0)) != os.cpu_count(), reason="the tests have a part of the machine")
def test_a_worker_for_each_processor_has_one():
    assert processors_for(os.cpu_count()) == sorted(os.sched_getaffinity(0))
