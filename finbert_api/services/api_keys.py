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
# How long a key that the database confirmed needs no other check; and how long it still counts when there is none.
CONFIRMED_SECONDS = 5.0
OUTAGE_SECONDS = 600.0
REMEMBERED_KEYS = 10_000


def secret_digest(secret: str) -> bytes:
    """sha256 of a key's secret: enough for a random one of 32 bytes, which no one can guess from it."""
    return hashlib.sha256(secret.encode()).digest()


class ApiKeyService:
    """The keys, and who stands behind one.

    A key that the database confirmed is asked for again after five seconds, so that a revoked one ends at once in the
    process that revokes it and within that time in every other. While the database is out of reach a key that it
    confirmed less than ten minutes ago still counts: predictions go on through an outage. Unknown keys are not
    remembered.
    """

    def __init__(self, store: ApiKeyStore, bootstrap_secret: str | None) -> None:
        self._store = store
        self._bootstrap_digest = secret_digest(bootstrap_secret) if bootstrap_secret else None
        self._confirmed: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()
        self._confirmed_lock = threading.Lock()
        self._revocations = 0

    def authenticate(self, secret: str | None) -> Caller:
        """Who calls with this secret.

        Raises Unauthenticated when it is none or unknown, StorageUnavailable when only the database could tell and
        does not answer.
        """
        if not secret:
            raise Unauthenticated("An API key is needed: send it as X-API-Key")
        if caller := self.recognise(secret):
            return caller
        digest = secret_digest(secret)
        revocations = self._revocations
        try:
            # Found by digest: how long the index takes tells nothing, since nobody can steer the digest of a guess.
            caller = self._store.find(digest)
        except StorageUnavailable:
            if caller := self._confirmed_within(OUTAGE_SECONDS, digest):
                return caller
            raise
        if caller is None:
            self._forget(digest)
            raise Unauthenticated("The API key is unknown or revoked")
        self._remember(digest, caller, revocations)
        return caller

    def recognise(self, secret: str) -> Caller | None:
        """Who calls with this secret, when that is known without asking the database."""
        digest = secret_digest(secret)
        if self._bootstrap_digest and hmac.compare_digest(digest, self._bootstrap_digest):
            return Caller(key_id=BOOTSTRAP_KEY_ID, role=Role.ADMIN)
        return self._confirmed_within(CONFIRMED_SECONDS, digest)

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
        ended = self._store.revoke(key_id)
        with self._confirmed_lock:
            self._revocations += 1
            for digest in [digest for digest, (caller, _) in self._confirmed.items() if caller.key_id == key_id]:
                del self._confirmed[digest]
        return ended

    def _remember(self, digest: bytes, caller: Caller, revocations: int) -> None:
        with self._confirmed_lock:
            # A key that was revoked while the database was asked for it may not come back.
            if revocations != self._revocations:
                return
            self._confirmed[digest] = (caller, time.monotonic())
            self._confirmed.move_to_end(digest)
            if len(self._confirmed) > REMEMBERED_KEYS:
                self._confirmed.popitem(last=False)

    def _forget(self, digest: bytes) -> None:
        with self._confirmed_lock:
            self._confirmed.pop(digest, None)

    def _confirmed_within(self, seconds: float, digest: bytes) -> Caller | None:
        with self._confirmed_lock:
            caller, confirmed_at = self._confirmed.get(digest, (None, 0.0))
        return caller if caller and time.monotonic() - confirmed_at < seconds else None
