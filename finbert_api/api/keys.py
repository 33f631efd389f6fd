"""Create, list and revoke API keys: for admins."""

from typing import Any, TypedDict
from uuid import UUID

from finbert_api.api.access import require_admin
from finbert_api.api.container import container
from finbert_api.api.parsing import StrictBlueprint
from finbert_api.api.schemas.keys import KeyPageQuerySchema, KeyPageSchema, NewKeyRequestSchema, NewKeySchema
from finbert_api.domain.caller import ApiKeyPage, Role, Tier

blueprint = StrictBlueprint("keys", __name__, description="API keys, for admins")
blueprint.before_request(require_admin)


class NewKeyArguments(TypedDict):
    """NewKeyRequestSchema, loaded."""

    name: str
    role: Role
    tier: Tier


class KeyPageArguments(TypedDict):
    """KeyPageQuerySchema, loaded."""

    limit: int
    cursor: UUID | None


@blueprint.route("/keys")
@blueprint.arguments(KeyPageQuerySchema, location="query")
@blueprint.response(200, KeyPageSchema)
@blueprint.alt_response(403, "FORBIDDEN")
def list_keys(arguments: KeyPageArguments) -> ApiKeyPage:
    """List all keys, newest first, without their secrets.

    Revoked ones stay in the list, since predictions were made with them; the bootstrap key is the last.
    """
    return container().api_keys.page(**arguments)


@blueprint.route("/keys", methods=["POST"])
@blueprint.arguments(NewKeyRequestSchema)
@blueprint.response(201, NewKeySchema)
@blueprint.alt_response(403, "FORBIDDEN")
def create_key(arguments: NewKeyArguments) -> dict[str, Any]:
    """Create a key and show its secret, this once.

    The service keeps a digest of the secret alone: one that is lost can't be found again, only replaced.
    """
    key, secret = container().api_keys.create(**arguments)
    return {**{name: getattr(key, name) for name in key.__slots__}, "key": secret}


@blueprint.route("/keys/<uuid:key_id>", methods=["DELETE"])
@blueprint.response(204)
@blueprint.alt_response(403, "FORBIDDEN")
def revoke_key(key_id: UUID) -> None:
    """Revoke a key, and with it its tokens.

    Every worker refuses it at once. Its predictions stay. The bootstrap key can't be revoked: it ends with the setting
    API_KEY.
    """
    container().api_keys.revoke(key_id)
