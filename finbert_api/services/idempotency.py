"""A prediction that is made once, however often it is asked for under one Idempotency-Key."""

import hashlib
import json
import time
from contextlib import suppress
from functools import partial
from uuid import UUID

from finbert_api.domain.caller import Caller
from finbert_api.domain.errors import IdempotencyConflict, StorageUnavailable
from finbert_api.domain.prediction import Prediction
from finbert_api.services.predict import Outcome, PredictionService
from finbert_api.storage.idempotency import IdempotencyClaim, IdempotencyStore

# Each round is lost to another request whose prediction is deleted before it is read: nobody meets three of them.
ROUNDS = 3


class _AnotherWasFirst(Exception):
    """Another request stored its prediction under the same key meanwhile."""


class IdempotencyService:
    """Predictions under an Idempotency-Key.

    There is no state "under way" that a process could leave behind when it is killed: the key and its prediction are
    stored in one transaction, or neither is. Of two requests that race both may ask for the scores, which the cache
    gives the second; PostgreSQL's unique index then lets one store, and the other answers what that one stored.
    """

    def __init__(self, predictions: PredictionService, store: IdempotencyStore) -> None:
        self._predictions = predictions
        self._store = store

    def predict(
        self, text: str, source: str | None, caller: Caller, request_id: UUID, deadline: float, *, key: str
    ) -> Outcome:
        """The prediction that the key stands for: an earlier one of the last 24 hours, else one that is made now.

        As PredictionService.predict, but the answer is stored or there is none: an unstored one could not be given
        again. Raises IdempotencyConflict when the key came with another body, StorageUnavailable, and what predicting
        raises.
        """
        claim = IdempotencyClaim(caller.key_id, _digest(key), _digest(json.dumps([text, source])))
        for _ in range(ROUNDS):
            if replayed := self._replayed(claim):
                return replayed
            with suppress(_AnotherWasFirst):
                keep = partial(self._keep, claim)
                return self._predictions.predict(text, source, caller, request_id, deadline, keep=keep)
        raise StorageUnavailable("The database can't keep this Idempotency-Key at the moment")

    def _keep(self, claim: IdempotencyClaim, prediction: Prediction) -> bool:
        if not self._store.add(claim, prediction):
            raise _AnotherWasFirst
        return True

    def _replayed(self, claim: IdempotencyClaim) -> Outcome | None:
        asked = time.perf_counter()
        found = self._store.find(claim)
        if found is None:
            return None
        prediction, body_digest = found
        if body_digest != claim.body_digest:
            raise IdempotencyConflict("This Idempotency-Key was used with another body")
        return _replay(prediction, time.perf_counter() - asked)


def _replay(prediction: Prediction, storage_seconds: float) -> Outcome:
    return Outcome(
        prediction=prediction,
        cache_hit=True,
        stored=True,
        queue_seconds=0.0,
        inference_seconds=0.0,
        storage_seconds=storage_seconds,
        replayed=True,
    )


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
