"""A real session whose runs a test holds back, sees, and makes fail."""

import threading

from support import wait_for


class HeldSession:
    """Starts a run when the engine does, and computes when the test lets it.

    `batches` are the lengths of each run's rows; `failure(batch)` gives what a run is to raise, or None.
    """

    def __init__(self, session):
        self._session = session
        self._permits = threading.Semaphore(0)
        self.batches = []
        self.failure = lambda _batch: None

    def let(self, runs=1):
        self._permits.release(runs)

    def run(self, batch):
        self.batches.append([len(ids) for ids in batch])
        assert self._permits.acquire(timeout=60)
        if error := self.failure(batch):
            raise error
        return self._session.run(batch)

    def wait_for_run(self, number):
        wait_for(lambda: len(self.batches) >= number, f"run {number} to start")
