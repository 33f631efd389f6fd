"""Events are told a moment later, all of them, whatever becomes of one."""

import threading

import pytest
from support import wait_for

from finbert_api.observability.deferred import DeferredMetrics
from finbert_api.observability.metrics import Metrics

EVENTS = sorted(name for name in vars(Metrics) if not name.startswith("_") and name not in ("exposition", "close"))


class Told(Metrics):
    """Keeps what it is told, by whom, and whether it was closed."""

    def __init__(self):
        self.events, self.threads, self.closed = [], set(), False
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def queried(self, operation, seconds):
        self.may_go_on.wait()
        self.threads.add(threading.current_thread())
        self.events.append((operation, seconds))

    def write_failed(self):
        raise OSError(28, "the text of a client")

    def exposition(self):
        return str(self.events).encode()

    def close(self):
        self.closed = True


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def metrics(told):
    made = DeferredMetrics(told)
    yield made
    told.may_go_on.set()
    made.close()


def test_an_event_is_told_later_by_another_thread_and_keeps_nobody_waiting(told, metrics):
    told.may_go_on.clear()
    for number in range(3):
        metrics.queried("select", seconds=number)
    assert told.events == []
    told.may_go_on.set()
    wait_for(lambda: len(told.events) == 3, "the events to be told")
    assert told.events == [("select", 0), ("select", 1), ("select", 2)]
    assert threading.current_thread() not in told.threads
    metrics.queried("insert", 0.0)
    wait_for(lambda: len(told.events) == 4, "one that comes after a pause")


def test_the_exposition_holds_every_event_so_far(metrics):
    metrics.queried("select", 0.0)
    assert metrics.exposition() == b"[('select', 0.0)]"


def test_what_was_noted_is_told_when_it_is_closed(told, metrics):
    metrics.queried("select", 0.0)
    metrics.close()
    assert told.events == [("select", 0.0)]
    assert told.closed


def test_an_event_that_can_not_be_counted_keeps_no_other_from_it(told, metrics, log_lines):
    metrics.write_failed()
    metrics.queried("select", 0.0)
    metrics.exposition()
    assert told.events == [("select", 0.0)]
    (line,) = [line for line in log_lines() if line["message"] == "an event was not counted"]
    assert (line["event"], line["cause"]) == ("write_failed", "OSError")
    assert "client" not in str(line)


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_there_is_gets_told(event):
    class Any(Metrics):
        pass

    seen = []
    setattr(Any, event, lambda _self, *arguments: seen.append(arguments))
    metrics = DeferredMetrics(Any())
    getattr(metrics, event)(1, "two")
    metrics.close()
    assert seen == [(1, "two")]
