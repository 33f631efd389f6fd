"""Moving windows that the workers of all hosts count in together, in Redis.

Imported only where REDIS_URL is set, as the cache in Redis is.
"""

from limits.storage import RedisStorage
from redis import RedisError

from finbert_api.storage.circuit import Circuit
from finbert_api.storage.redis_cache import bounded_pool

KEY_PREFIX = "finbert:limits:1"


class RedisWindows:
    """Windows in Redis, by the scripts of the library `limits`, on connections that are never waited for long.

    A hit is one script, so that no two callers count over each other; their moments are those of the callers' clocks.
    """

    def __init__(self, url: str, connections: int) -> None:
        self._storage = RedisStorage(url, bounded_pool(url, connections), key_prefix=KEY_PREFIX)
        self._circuit = Circuit("rate limiter", RedisError)

    def hit(self, key: str, limit: int, seconds: int) -> bool | None:
        """As Windows says."""
        return self._circuit.attempt(lambda: self._storage.acquire_entry(key, limit, seconds))

    def state(self, key: str, limit: int, seconds: int) -> tuple[float, int] | None:
        """As Windows says."""
        return self._circuit.attempt(lambda: self._storage.get_moving_window(key, limit, seconds))
