"""One engine's use of processors that other workers of the host use too."""

import fcntl
import os
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from finbert_api.inference.session import ModelSession


class SharedProcessors:
    """A session over this worker's share of the processors, and one over all of them for a text that is alone.

    Batches use their processor best when each worker has its own; a single text in an idle service is answered sooner
    by all of them. Workers tell each other by a lock on a file that they are computing: a run over all processors
    starts only while no other worker computes. The scores are the same on both. Called from one thread.
    """

    def __init__(self, share: ModelSession, whole: ModelSession, lock: Path) -> None:
        self._share = share
        self._whole = whole
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        weakref.finalize(self, os.close, self._lock)

    def run(self, batch: Sequence[Sequence[int]]) -> np.ndarray:
        """Logits, as ModelSession.run gives them."""
        alone = len(batch) == 1 and self._locked(fcntl.LOCK_EX)
        if not alone:
            # While another worker has all processors this one computes beside it all the same, for that run is short.
            self._locked(fcntl.LOCK_SH)
        try:
            return (self._whole if alone else self._share).run(batch)
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _locked(self, kind: int) -> bool:
        try:
            fcntl.flock(self._lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
