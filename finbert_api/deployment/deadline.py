"""How long a deployment may take."""

import time


class Deadline:
    """A moment that many waits share."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._started = time.monotonic()

    @property
    def passed(self) -> float:
        """The seconds since it was set."""
        return time.monotonic() - self._started

    @property
    def left(self) -> float:
        """The seconds until then, or 0."""
        return max(0.0, self.seconds - self.passed)

    def sleep(self, seconds: float) -> bool:
        """Sleeps that long, at most until the deadline; false when it had come before."""
        if not self.left:
            return False
        time.sleep(min(seconds, self.left))
        return True
