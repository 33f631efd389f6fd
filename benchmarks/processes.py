"""Memory of a server's process tree, from the kernel's own accounts."""

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import linear_regression

import psutil

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes: proportional (shared pages split among those that map them) and private to one process."""

    proportional: float
    private: float


def memory_of(process: psutil.Process) -> Memory:
    """The memory of one process, nothing when it has ended."""
    try:
        amounts = process.memory_full_info()
    except psutil.Error:  # it ended, before or while it was read
        return Memory(0.0, 0.0)
    return Memory(amounts.pss / MEGABYTE, amounts.uss / MEGABYTE)


def tree_memory(pid: int) -> Memory:
    """The memory of a process and of all that it started, together."""
    parts = [memory_of(each) for each in tree(pid)]
    return Memory(sum(part.proportional for part in parts), sum(part.private for part in parts))


def tree(pid: int) -> list[psutil.Process]:
    """The process and all that it started and that live, the process first."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@dataclass(slots=True)
class Samples:
    """Seconds since the sampling began, and proportional megabytes of the tree."""

    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def between(self, begin: float, end: float) -> "Samples":
        """Those taken from the second `begin` until before the second `end`."""
        first, last = bisect_left(self.seconds, begin), bisect_left(self.seconds, end)
        return Samples(self.seconds[first:last], self.megabytes[first:last])

    def growth(self) -> float:
        """Megabytes from the first sample to the last, along the line that fits all best; 0 for fewer than two."""
        if len(self.seconds) < 2:  # noqa: PLR2004 - points of a line
            return 0.0
        slope = linear_regression(self.seconds, self.megabytes).slope
        return slope * (self.seconds[-1] - self.seconds[0])


@contextmanager
def sampled(pid: int, interval: float) -> Iterator[Samples]:
    """Samples of a tree's memory, taken all the while in a thread."""
    samples = Samples()
    over = threading.Event()
    begun = time.perf_counter()

    def sample() -> None:
        while not over.wait(interval):
            now = time.perf_counter() - begun
            if megabytes := tree_memory(pid).proportional:
                samples.seconds.append(now)
                samples.megabytes.append(megabytes)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()
