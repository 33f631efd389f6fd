"""What the service counts and times: one interface, and behind it Prometheus, CloudWatch, both or nothing."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any


class Metrics:
    """The events that figures are made of; this one keeps none. Each is cheap, raises nothing, and never waits."""

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A response; `route` is the rule that matched, never the path, so that labels stay bounded."""

    def refused(self, method: str, route: str, status: int, requests: int) -> None:
        """Responses to requests that were refused before they were taken up, and so took no time to speak of."""

    def prediction_answered(self, seconds: float) -> None:
        """A request for one text's prediction that was answered with it, and its time in the application."""

    def predicted(self, label: str, model_version: str, confidence: float) -> None:
        """A prediction."""

    def low_confidence(self) -> None:
        """A prediction of which the model is less sure than the settings ask."""

    def inferred(self, seconds: float) -> None:
        """A text's run through the model."""

    def cache_hit(self) -> None:
        """A prediction whose scores were there already or being computed."""

    def cache_missed(self) -> None:
        """A prediction whose scores had to be computed."""

    def cache_failed(self) -> None:
        """A try of the cache that failed."""

    def rate_limit_failed(self) -> None:
        """A request that was let through because its rate limit could not be told."""

    def queried(self, operation: str, seconds: float) -> None:
        """A statement that the database answered or refused; `operation` is one of OPERATIONS."""

    def write_failed(self) -> None:
        """A prediction that was answered but not stored."""

    def queued(self) -> None:
        """A text that waits from now on."""

    def unqueued(self, texts: int) -> None:
        """Texts that wait no more, whether they run or were given up."""

    def batch_ran(self, size: int, tokens: int, padding_ratio: float, queue_seconds: Iterable[float]) -> None:
        """A batch that ran; `queue_seconds` is how long each of its texts waited for it."""

    def cloudwatch_failed(self) -> None:
        """A try to send figures to CloudWatch that failed."""

    def exposition(self) -> bytes | None:
        """All figures in Prometheus' text format; None where they are not kept for it."""
        return None

    def close(self) -> None:
        """Sends what is not sent yet."""


OPERATIONS = ("select", "insert", "update", "delete", "other")


def operation_of(statement: str) -> str:
    """What a statement of SQL does, one of OPERATIONS."""
    first_word = statement.lstrip()[:6].lower()
    return first_word if first_word in OPERATIONS else "other"


def define_events(kind: type[Metrics], event_named: Callable[[str], Callable[..., None]]) -> None:
    """Gives a class every event that it does not define itself, each as `event_named` makes it of the event's name."""
    for name in vars(Metrics).keys() - vars(kind).keys():
        if not name.startswith("_"):
            setattr(kind, name, event_named(name))


class CombinedMetrics(Metrics):
    """Tells several of each event; the exposition is that of the first that has one."""

    def __init__(self, each: Sequence[Metrics]) -> None:
        self._each = each

    def exposition(self) -> bytes | None:
        """What the first that is kept for Prometheus gives."""
        return next((text for one in self._each if (text := one.exposition()) is not None), None)


def _to_each(name: str) -> Callable[..., None]:
    def tell(self: CombinedMetrics, *arguments: Any, **named: Any) -> None:
        for one in self._each:
            getattr(one, name)(*arguments, **named)

    return tell


define_events(CombinedMetrics, _to_each)
