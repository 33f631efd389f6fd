"""API keys: made, listed, revoked, and checked on every request."""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from datetime import UTC, datetime
from uuid import UUID

from finbert_api.domain.caller import BOOTSTRAP_KEY_ID, ApiKey, Caller, Role
from finbert_api.domain.errors import StorageUnavailable, Unauthenticated
from finbert_api.domain.identifiers import new_request_id
from finbert_api.storage.api_keys import ApiKeyStore

SECRET_PREFIX = "fb_"  # noqa: S105 - the public beginning of every key, by which secret scanners can find a leak
SECRET_BYTES = 32
REMEMBERED_KEYS = 10_000
REMEMBERED_SECONDS = 600.0


def secret_digest(secret: str) -> bytes:
    """sha256 of a key's secret: enough for a random one of 32 bytes, which no one can guess from it."""
    return hashlib.sha256(secret.encode()).digest()


class ApiKeyService:
    """The keys, and who stands behind one.

    Every check asks the database, so that a revoked key ends at once in every worker. While the database is out of
    reach a key that it confirmed less than ten minutes ago still counts: predictions go on through an outage.
    """

    def __init__(self, store: ApiKeyStore, bootstrap_secret: str | None) -> None:
        self._store = store
        self._bootstrap_digest = secret_digest(bootstrap_secret) if bootstrap_secret else None
        self._confirmed: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()
        self._confirmed_lock = threading.Lock()

    def authenticate(self, secret: str | None) -> Caller:
        """Who calls with this secret.

        Raises Unauthenticated when it is none or unknown, StorageUnavailable when only the database could tell and
        does not answer.
        """
        if not secret:
            raise Unauthenticated("An API key is needed: send it as X-API-Key")
        digest = secret_digest(secret)
        if self._bootstrap_digest and hmac.compare_digest(digest, self._bootstrap_digest):
            return Caller(key_id=BOOTSTRAP_KEY_ID, role=Role.ADMIN)
        try:
            # Found by digest: how long the index takes tells nothing, since nobody can steer the digest of a guess.
            caller = self._store.find(digest)
        except StorageUnavailable:
            if caller := self._recently_confirmed(digest):
                return caller
            raise
        if caller is None:
            self._forget(digest)
            raise Unauthenticated("The API key is unknown or revoked")
        self._remember(digest, caller)
        return caller

    def create(self, name: str, role: Role) -> tuple[ApiKey, str]:
        """A new key and its secret, which is shown this once and stored nowhere."""
        key = ApiKey(key_id=new_request_id(), name=name, role=role, created_at=datetime.now(UTC), revoked_at=None)
        secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        self._store.add(key, secret_digest(secret))
        return key, secret

    def all(self) -> list[ApiKey]:
        """Every key there is, oldest first, without secrets."""
        return self._store.all()

    def revoke(self, key_id: UUID) -> bool:
        """Ends a key; False when no unrevoked key has that id. The bootstrap key ends with the setting API_KEY."""
        return self._store.revoke(key_id)

    def _remember(self, digest: bytes, caller: Caller) -> None:
        with self._confirmed_lock:
            self._confirmed[digest] = (caller, time.monotonic())
            self._confirmed.move_to_end(digest)
            if len(self._confirmed) > REMEMBERED_KEYS:
                self._confirmed.popitem(last=False)

    def _forget(self, digest: bytes) -> None:
        with self._confirmed_lock:
            self._confirmed.pop(digest, None)

    def _recently_confirmed(self, digest: bytes) -> Caller | None:
        with self._confirmed_lock:
            caller, confirmed_at = self._confirmed.get(digest, (None, 0.0))
        return caller if caller and time.monotonic() - confirmed_at < REMEMBERED_SECONDS else None
