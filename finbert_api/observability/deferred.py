"""Metrics told a moment later, so that no answer waits for its own figures."""

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from finbert_api.observability.metrics import Metrics, define_events

logger = logging.getLogger(__name__)

# How much later at most. Events of so long are told in one go: less often, a crowd's would hold Python's lock for more
# than a millisecond; more often, a thread would wake up for one request's alone.
DELAY_SECONDS = 0.1

_Event = tuple[str, tuple[Any, ...], Mapping[str, Any]]


class DeferredMetrics(Metrics):
    """Notes each event and tells another Metrics of it from a thread of its own, within DELAY_SECONDS.

    The exposition holds every event of this process so far. What was noted is told at the process's end; a process
    that is killed takes its last moment's events with it.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._events: deque[_Event] = deque()
        self._telling = threading.Lock()
        self._are_noted = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def exposition(self) -> bytes | None:
        """What the other one gives, told of everything that was noted."""
        self._tell()
        return self._metrics.exposition()

    def close(self) -> None:
        """Tells what was noted, and closes the other one."""
        atexit.unregister(self.close)
        self._closing.set()
        self._are_noted.set()
        self._thread.join()
        self._tell()
        self._metrics.close()

    def _run(self) -> None:
        while self._are_noted.wait() and not self._closing.wait(DELAY_SECONDS):
            self._are_noted.clear()  # first: what is noted from here on is for the next time, or told already
            self._tell()

    def _tell(self) -> None:
        with self._telling:
            while self._events:
                name, arguments, named = self._events.popleft()
                try:
                    getattr(self._metrics, name)(*arguments, **named)
                except Exception as error:  # noqa: BLE001 - the events after it are to be told too
                    logger.error("an event was not counted", extra={"event": name, "cause": type(error).__name__})  # noqa: TRY400 - the cause says it all


def _noting(name: str) -> Callable[..., None]:
    def note(self: DeferredMetrics, *arguments: Any, **named: Any) -> None:
        self._events.append((name, arguments, named))
        if not self._are_noted.is_set():
            self._are_noted.set()

    return note


define_events(DeferredMetrics, _noting)
