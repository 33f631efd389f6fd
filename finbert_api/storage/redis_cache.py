"""The cache that workers and hosts share, in Redis.

Imported only where REDIS_URL is set: the client alone takes some 10 MB and 0.1 s of every worker.
"""

from typing import Any

from redis import ConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from finbert_api.observability.metrics import Metrics
from finbert_api.storage.cache import CachedScores, pack, unpack
from finbert_api.storage.circuit import Circuit

# The digit is the format of the values: another format gets another digit, and neither reads the other's.
KEY_PREFIX = "finbert:scores:1:"
# Redis answers in well under a millisecond; who waits longer than this for a text's scores had better compute them.
TIMEOUT_SECONDS = 0.1
_CHECK_BYTES = 8


def bounded_pool(url: str, connections: int) -> ConnectionPool:
    """Connections to Redis on which every wait ends soon."""
    return ConnectionPool.from_url(
        url,
        max_connections=connections,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),  # each would wait as long again
        # Every server speaks it, and it leaves out notifications that would stretch the time-outs.
        protocol=2,
    )


class RedisCache:
    """Keeps scores in Redis. Redis down, slow or hanging is a miss that is counted, never an error."""

    def __init__(self, url: str, ttl_seconds: int, connections: int, metrics: Metrics) -> None:
        self._client = Redis(connection_pool=bounded_pool(url, connections))
        self._ttl_seconds = ttl_seconds
        self._metrics = metrics
        self._circuit = Circuit("cache", RedisError, metrics.cache_failed)
        self._try = self._circuit.attempt

    def get(self, key: bytes) -> CachedScores | None:
        """The scores under a key; None when there are none, Redis can't tell, or what it tells is not ours."""
        value: Any = self._try(lambda: self._client.get(KEY_PREFIX + key.hex()))
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

    def remove(self, key: bytes) -> None:
        """Forgets the scores under a key for all workers, if Redis answers; else they end with their time to live."""
        self._try(lambda: self._client.delete(KEY_PREFIX + key.hex()))
