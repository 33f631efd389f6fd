"""gunicorn's threaded worker, but for one thing: connections are spread evenly over the workers.

Clients keep their connections, and a worker has its own share of the processors. Whichever worker happens to be awake
takes a new connection; measured with 16 clients and two workers, one of them now and then took all 16 and the service
answered half of what it can.
"""

import mmap
import struct
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

_COUNT = struct.Struct("i")
_NOBODY = -1
PAUSE_SECONDS = 0.0005
# A worker that has fewer connections and does not take one for so many pauses is busy or gone.
MOST_PAUSES = 10


class ConnectionCounts:
    """How many connections each worker has, in memory that the master shares with all it forks."""

    def __init__(self, most_workers: int) -> None:
        self._most_workers = most_workers
        self._memory = mmap.mmap(-1, most_workers * _COUNT.size)
        for place in range(most_workers):
            self.retire(place)
        self._taken: dict[int, int] = {}

    def place_of(self, age: int) -> int:
        """A place for a worker about to be forked, known by its age."""
        if age not in self._taken:
            taken = set(self._taken.values())
            self._taken[age] = next(place for place in range(self._most_workers) if place not in taken)
        return self._taken[age]

    def leave(self, age: int) -> None:
        """Frees the place of a worker that ended."""
        place = self._taken.pop(age, None)
        if place is not None:
            self.retire(place)

    def set(self, place: int, count: int) -> None:
        """Tells all workers how many connections the worker at this place has."""
        _COUNT.pack_into(self._memory, place * _COUNT.size, count)

    def retire(self, place: int) -> None:
        """Tells all workers that the one at this place takes no connections any more."""
        self.set(place, _NOBODY)

    def fewest_elsewhere(self, place: int, count: int) -> int:
        """The fewest connections that another worker has; `count` when there is no other."""
        everywhere = enumerate(each for (each,) in _COUNT.iter_unpack(self._memory))
        return min((each for other, each in everywhere if other != place and each != _NOBODY), default=count)


class EvenWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Leaves a new connection to a worker that has fewer, if that one takes it soon."""

    counts: ConnectionCounts
    place: int

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pauses = 0

    def accept(self, listener: Any) -> None:
        """Accepts a new connection, or leaves it."""
        if self._pauses < MOST_PAUSES and self.counts.fewest_elsewhere(self.place, self.nr_conns) < self.nr_conns:
            self._pauses += 1
            time.sleep(PAUSE_SECONDS)
            return
        self._pauses = 0
        super().accept(listener)
        self.counts.set(self.place, self.nr_conns)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """One turn of gunicorn's loop, after which connections may have ended."""
        super().wait_for_and_dispatch_events(timeout)
        if self.alive:
            self.counts.set(self.place, self.nr_conns)
        else:
            self.counts.retire(self.place)
