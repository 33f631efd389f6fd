import inspect

import pytest

from finbert_api.observability.metrics import CombinedMetrics, Metrics, operation_of
from finbert_api.observability.prometheus import PrometheusMetrics

EVENTS = [name for name in vars(Metrics) if not name.startswith("_") and name != "exposition"]
VALUES = {"method": "GET", "route": "/health", "status": 200, "label": "neutral", "model_version": "m", "size": 1}
VALUES |= {"confidence": 0.9, "seconds": 0.1, "operation": "select", "texts": 1, "tokens": 9, "padding_ratio": 0.0}
VALUES |= {"requests": 3, "queue_seconds": [0.1]}


class Heard(Metrics):
    def __init__(self):
        self.events = []

    def __getattribute__(self, name):
        if name not in EVENTS:
            return super().__getattribute__(name)
        return lambda **named: self.events.append((name, named))


@pytest.mark.parametrize("event", EVENTS)
def test_several_are_all_told_of_every_event(event):
    each = Heard(), Heard()
    named = {name: VALUES[name] for name in inspect.signature(getattr(Metrics(), event)).parameters}
    getattr(CombinedMetrics(each), event)(**named)
    assert [one.events for one in each] == [[(event, named)]] * 2


@pytest.mark.parametrize("metrics", [Metrics(), PrometheusMetrics()])
def test_every_event_is_taken(metrics):
    for event in EVENTS:
        named = {name: VALUES[name] for name in inspect.signature(getattr(Metrics(), event)).parameters}
        assert getattr(metrics, event)(**named) is None


def test_the_exposition_is_that_of_the_one_that_has_it():
    assert Metrics().exposition() is None
    prometheus = PrometheusMetrics()
    assert CombinedMetrics([Metrics(), prometheus]).exposition() == prometheus.exposition()
    assert CombinedMetrics([Metrics()]).exposition() is None


@pytest.mark.parametrize(
    ("statement", "operation"),
    [("SELECT 1", "select"), ("\n  insert INTO t", "insert"), ("DELETE FROM t", "delete"), ("WITH x AS", "other")],
)
def test_a_statement_is_known_by_its_first_word(statement, operation):
    assert operation_of(statement) == operation
