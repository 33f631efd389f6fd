"""Who calls, and who may: the hooks that stand before the views of whole blueprints."""

from flask import g, request

from finbert_api.api.container import container
from finbert_api.domain.caller import Role
from finbert_api.domain.errors import Forbidden

KEY_HEADER = "X-API-Key"


def authenticate() -> None:
    """Finds out who calls: by the key, or by a token when there is no key. Raises Unauthenticated."""
    secret = request.headers.get(KEY_HEADER)
    token = request.authorization.token if request.authorization and request.authorization.type == "bearer" else None
    g.by_token = secret is None and token is not None
    if secret is None and token is not None:
        g.caller = container().tokens.authenticate(token)
    else:
        g.caller = container().api_keys.authenticate(secret)


def require_admin() -> None:
    """Raises Forbidden unless an admin calls."""
    if g.caller.role is not Role.ADMIN:
        raise Forbidden("This needs an admin key")


def require_key() -> None:
    """Raises Forbidden when a token calls: one that could make others would never end."""
    if g.by_token:
        raise Forbidden("This needs the key itself, as X-API-Key; a token is not enough")
