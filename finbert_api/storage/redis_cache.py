"""The cache that workers and hosts share, in Redis.

Imported only where REDIS_URL is set: the client alone takes some 10 MB and 0.1 s of every worker.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from redis import ConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from finbert_api.observability.metrics import Metrics
from finbert_api.storage.cache import CachedScores, pack, unpack

logger = logging.getLogger(__name__)

# The digit is the format of the values: another format gets another digit, and neither reads the other's.
KEY_PREFIX = "finbert:scores:1:"
# Redis answers in well under a millisecond; who waits longer than this for a text's scores had better compute them.
TIMEOUT_SECONDS = 0.1
PAUSE_SECONDS = 2.0
_CHECK_BYTES = 8


class RedisCache:
    """Keeps scores in Redis. Redis down, slow or hanging is a miss that is counted, never an error.

    After a failure Redis is left alone for a pause, so that not every request waits for it in vain; then one caller
    tries it while the others still do without.
    """

    def __init__(self, url: str, ttl_seconds: int, connections: int, metrics: Metrics) -> None:
        pool = ConnectionPool.from_url(
            url,
            max_connections=connections,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),  # each would wait as long again
            # Every server speaks it, and it leaves out notifications that would stretch the time-outs.
            protocol=2,
        )
        self._client = Redis(connection_pool=pool)
        self._ttl_seconds = ttl_seconds
        self._metrics = metrics
        self._lock = threading.Lock()
        self._retry_at = 0.0  # 0 while Redis works

    def get(self, key: bytes) -> CachedScores | None:
        """The scores under a key; None when there are none, Redis can't tell, or what it tells is not ours."""
        value: bytes | None = self._try(lambda: self._client.get(KEY_PREFIX + key.hex()))
        if value is None:
            return None
        scores = unpack(value[_CHECK_BYTES:])
        # The key's beginning stands in its value: a stray answer can't pass as this text's.
        if scores is None or value[:_CHECK_BYTES] != key[:_CHECK_BYTES]:
            self._metrics.cache_failed()
            return None
        return scores

    def put(self, key: bytes, scores: CachedScores) -> None:
        """Keeps scores, if Redis takes them."""
        value = key[:_CHECK_BYTES] + pack(scores)
        self._try(lambda: self._client.set(KEY_PREFIX + key.hex(), value, ex=self._ttl_seconds))

    def _try(self, command: Callable[[], Any]) -> Any:
        """What Redis answers to a command; None when it does not, or is left alone."""
        if self._retry_at and not self._may_try():
            return None
        try:
            answer = command()
        except RedisError as error:
            self._failed(error)
            return None
        if self._retry_at:
            self._retry_at = 0.0
            logger.info("cache works again")
        return answer

    def _may_try(self) -> bool:
        """True for one caller after a pause, whose try starts the next pause."""
        with self._lock:
            if time.monotonic() < self._retry_at:
                return False
            self._retry_at = time.monotonic() + PAUSE_SECONDS
            return True

    def _failed(self, error: RedisError) -> None:
        self._metrics.cache_failed()
        with self._lock:
            worked = not self._retry_at
            self._retry_at = time.monotonic() + PAUSE_SECONDS
        if worked:  # one line an outage
            # The kind of error alone: a server that knows no AUTH quotes the password in its message.
            logger.warning("cache failed: answers go on without it", extra={"cause": type(error).__name__})
