"""Tokens: for some minutes they stand for a key, so that the key itself need not travel with every request."""

import hashlib
import hmac
import time
from dataclasses import dataclass
from uuid import UUID

import jwt

from finbert_api.domain.caller import BOOTSTRAP_KEY_ID, Caller
from finbert_api.domain.errors import TokensOff, Unauthenticated
from finbert_api.services.api_keys import ApiKeyService

ALGORITHM = "HS256"
# Both at once: these tokens are made by this service for itself, and count nowhere else.
ISSUER = AUDIENCE = "finbert-api"
LEEWAY_SECONDS = 5
_REQUIRED = ["iss", "aud", "sub", "iat", "exp"]


@dataclass(frozen=True, slots=True)
class Token:
    """A signed token, and for how many seconds it counts."""

    text: str
    lifetime_seconds: int


class TokenService:
    """Makes tokens for keys, and tells who stands behind one.

    A token is a JWT (RFC 7519) that names its key. Role and tier are the key's at each request, never the token's own;
    so a token dies with its key, at once where the key does.
    """

    def __init__(self, api_keys: ApiKeyService, secret: str | None, lifetime_seconds: int) -> None:
        self._api_keys = api_keys
        self._secret = secret
        self._lifetime_seconds = lifetime_seconds

    def issue(self, caller: Caller) -> Token:
        """A token for the caller's key. Raises TokensOff when there is no secret to sign it with."""
        if self._secret is None:
            raise TokensOff("This service gives no tokens: its setting JWT_SECRET is not set")
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(caller.key_id),
            "iat": now,
            "exp": now + self._lifetime_seconds,
        }
        if caller.key_id == BOOTSTRAP_KEY_ID:
            claims["key"] = self._bootstrap_mark(self._secret)
        return Token(jwt.encode(claims, self._secret, ALGORITHM), self._lifetime_seconds)

    def authenticate(self, token: str) -> Caller:
        """Who calls with this token.

        Raises Unauthenticated when it is not ours, expired or altered, or when its key is revoked; StorageUnavailable
        when only the database could tell and does not answer.
        """
        if self._secret is None:
            raise Unauthenticated("This service takes no tokens: its setting JWT_SECRET is not set")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            )
            key_id = UUID(claims["sub"])
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired: ask for another with the API key") from None
        except (jwt.InvalidTokenError, ValueError):
            raise Unauthenticated("The token is not one of this service's") from None
        # The bootstrap key keeps its id when its secret changes, and the tokens of the old secret end with it.
        if key_id == BOOTSTRAP_KEY_ID and claims.get("key") != self._bootstrap_mark(self._secret):
            raise Unauthenticated("The key of this token is unknown or revoked")
        return self._api_keys.authenticate_by_id(key_id)

    def _bootstrap_mark(self, secret: str) -> str:
        """What tells one bootstrap key from the next, and nothing about either to who does not know the secret."""
        return hmac.new(secret.encode(), self._api_keys.bootstrap_digest or b"", hashlib.sha256).hexdigest()
