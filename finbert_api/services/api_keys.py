"""API keys: made, listed, revoked, and checked on every request."""

import hashlib
import hmac
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from uuid import UUID

from finbert_api.domain.caller import BOOTSTRAP_KEY_ID, ApiKey, ApiKeyPage, Caller, Role, Tier
from finbert_api.domain.errors import KeyNotFound, StorageUnavailable, Unauthenticated
from finbert_api.domain.identifiers import new_request_id
from finbert_api.storage.api_keys import ApiKeyStore
from finbert_api.storage.key_watch import KeyWatch, NoKeyWatch

logger = logging.getLogger(__name__)

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

    A key that the database confirmed is asked for again after five seconds. The watch tells at once of a key that is
    revoked, in this process or another; so the five seconds count while the watch has no connection alone. While the
    database is out of reach a key that it confirmed less than ten minutes ago still counts: predictions go on through
    an outage. Unknown keys are not remembered.
    """

    def __init__(
        self, store: ApiKeyStore, bootstrap_secret: str | None, watch: KeyWatch | NoKeyWatch | None = None
    ) -> None:
        self._store = store
        self._bootstrap_digest = secret_digest(bootstrap_secret) if bootstrap_secret else None
        self._watch = watch or NoKeyWatch()
        self._watched_since = 0.0
        # By the digest of a secret, or by the bytes of the id that a token names.
        self._confirmed: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()
        self._confirmed_lock = threading.Lock()
        self._changes = 0
        self._uses: dict[UUID, datetime] = {}

    @property
    def bootstrap_digest(self) -> bytes | None:
        """sha256 of the bootstrap key's secret, None when there is no bootstrap key."""
        return self._bootstrap_digest

    def authenticate(self, secret: str | None) -> Caller:
        """Who calls with this secret.

        Raises Unauthenticated when it is none or unknown, StorageUnavailable when only the database could tell and
        does not answer.
        """
        if not secret:
            raise Unauthenticated("An API key is needed: send it as X-API-Key, or a token of one as a Bearer token")
        caller = self.recognise(secret)
        if caller is None:
            digest = secret_digest(secret)
            # Found by digest: how long the index takes tells nothing, since nobody can steer the digest of a guess.
            caller = self._confirm(digest, lambda: self._store.find(digest))
        if caller is None:
            raise Unauthenticated("The API key is unknown or revoked")
        return self._used(caller)

    def authenticate_by_id(self, key_id: UUID) -> Caller:
        """Who calls with a valid token of this key.

        Raises Unauthenticated when the key was revoked, StorageUnavailable as `authenticate` does.
        """
        if key_id == BOOTSTRAP_KEY_ID:
            caller = self._bootstrap_caller() if self._bootstrap_digest else None
        else:
            caller = self._known(key_id.bytes) or self._confirm(key_id.bytes, lambda: self._store.find_by_id(key_id))
        if caller is None:
            raise Unauthenticated("The key of this token is unknown or revoked")
        return self._used(caller)

    def known_caller(self, secret: str) -> Caller | None:
        """Who calls with this secret, as `authenticate` says, when that is known without asking the database."""
        caller = self.recognise(secret)
        return self._used(caller) if caller else None

    def recognise(self, secret: str) -> Caller | None:
        """Who calls with this secret, when that is known without asking the database."""
        digest = secret_digest(secret)
        if self._bootstrap_digest and hmac.compare_digest(digest, self._bootstrap_digest):
            return self._bootstrap_caller()
        return self._known(digest)

    def create(self, name: str, role: Role, tier: Tier = Tier.STANDARD) -> tuple[ApiKey, str]:
        """A new key and its secret, which is shown this once and stored nowhere. Raises StorageUnavailable."""
        key = ApiKey(
            key_id=new_request_id(),
            name=name,
            role=role,
            tier=tier,
            created_at=datetime.now(UTC),
            last_used_at=None,
            revoked_at=None,
        )
        secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        self._store.add(key, secret_digest(secret))
        logger.info("key created", extra={"created_key_id": str(key.key_id), "role": role, "tier": tier})
        return key, secret

    def all(self) -> list[ApiKey]:
        """Every key there is, oldest first, without secrets. Raises StorageUnavailable."""
        return self._store.all()

    def page(self, limit: int, cursor: UUID | None) -> ApiKeyPage:
        """A page of the keys, newest first, without secrets. Raises StorageUnavailable."""
        return self._store.page(limit, cursor)

    def revoke(self, key_id: UUID) -> None:
        """Ends a key, and with it its tokens.

        Raises KeyNotFound when no unrevoked key has that id, StorageUnavailable.
        """
        ended = self._store.revoke(key_id)
        self.key_changed(key_id)
        if not ended:
            raise KeyNotFound("No active key has this id (the bootstrap key ends with the setting API_KEY)")
        logger.info("key revoked", extra={"revoked_key_id": str(key_id)})

    def close(self) -> None:
        """Ends what runs beside the requests, once the last uses of keys are written."""
        self._watch.close()

    def watch_began(self) -> None:
        """Has every key confirmed anew: one may have been revoked while nothing told of it."""
        with self._confirmed_lock:
            self._changes += 1
            self._watched_since = time.monotonic()

    def key_changed(self, key_id: UUID) -> None:
        """Forgets what is known of a key."""
        with self._confirmed_lock:
            self._changes += 1
            for handle in [handle for handle, (caller, _) in self._confirmed.items() if caller.key_id == key_id]:
                del self._confirmed[handle]

    def take_uses(self) -> dict[UUID, datetime]:
        """When keys were last used, of those used since this was asked last."""
        return {key_id: self._uses.pop(key_id) for key_id in list(self._uses)}

    def give_back_uses(self, uses: Mapping[UUID, datetime]) -> None:
        """Keeps uses that could not be written, unless there are later ones."""
        for key_id, used_at in uses.items():
            self._uses.setdefault(key_id, used_at)

    def _bootstrap_caller(self) -> Caller:
        return Caller(key_id=BOOTSTRAP_KEY_ID, role=Role.ADMIN)

    def _used(self, caller: Caller) -> Caller:
        self._uses[caller.key_id] = datetime.now(UTC)
        self._watch.start(self)
        return caller

    def _confirm(self, handle: bytes, find: Callable[[], Caller | None]) -> Caller | None:
        """Who the database says stands behind a key; in an outage, who it said so of within ten minutes."""
        changes = self._changes
        try:
            caller = find()
        except StorageUnavailable:
            if caller := self._confirmed_after(time.monotonic() - OUTAGE_SECONDS, handle):
                return caller
            raise
        if caller is None:
            self._forget(handle)
        else:
            self._remember(handle, caller, changes)
        return caller

    def _remember(self, handle: bytes, caller: Caller, changes: int) -> None:
        with self._confirmed_lock:
            # A key that was revoked while the database was asked for it may not come back.
            if changes != self._changes:
                return
            self._confirmed[handle] = (caller, time.monotonic())
            self._confirmed.move_to_end(handle)
            if len(self._confirmed) > REMEMBERED_KEYS:
                self._confirmed.popitem(last=False)

    def _forget(self, handle: bytes) -> None:
        with self._confirmed_lock:
            self._confirmed.pop(handle, None)

    def _known(self, handle: bytes) -> Caller | None:
        return self._confirmed_after(max(time.monotonic() - CONFIRMED_SECONDS, self._watched_since), handle)

    def _confirmed_after(self, moment: float, handle: bytes) -> Caller | None:
        with self._confirmed_lock:
            caller, confirmed_at = self._confirmed.get(handle, (None, 0.0))
        return caller if confirmed_at > moment else None
