"""A way around what failed: it is left alone for a while."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 2.0

_Answer = TypeVar("_Answer")


class Circuit:
    """Tries of a helper that answers can do without, such as Redis.

    After a failure the helper is left alone for a pause, so that not every request waits for it in vain; then one
    caller tries it while the others still do without.
    """

    def __init__(
        self,
        name: str,
        failures: type[Exception] | tuple[type[Exception], ...],
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._failures = failures
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._retry_at = 0.0  # 0 while the helper works

    def attempt(self, command: Callable[[], _Answer]) -> _Answer | None:
        """What a command gives; None when it fails with one of `failures`, or the helper is left alone."""
        if self._retry_at and not self._may_try():
            return None
        try:
            answer = command()
        except self._failures as error:
            self._failed(error)
            return None
        if self._retry_at:
            self._retry_at = 0.0
            logger.info("%s works again", self._name)
        return answer

    def _may_try(self) -> bool:
        """True for one caller after a pause, whose try starts the next pause."""
        with self._lock:
            if time.monotonic() < self._retry_at:
                return False
            self._retry_at = time.monotonic() + PAUSE_SECONDS
            return True

    def _failed(self, error: Exception) -> None:
        self._on_failure()
        with self._lock:
            worked = not self._retry_at
            self._retry_at = time.monotonic() + PAUSE_SECONDS
        if worked:  # one line an outage
            # The kind of error alone: a Redis that knows no AUTH quotes the password in its message.
            logger.warning("%s failed: answers go on without it", self._name, extra={"cause": type(error).__name__})
