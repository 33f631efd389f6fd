"""A token for a key."""

from flask import g

from finbert_api.api.access import require_key
from finbert_api.api.container import container
from finbert_api.api.parsing import StrictBlueprint
from finbert_api.api.schemas.keys import TokenSchema
from finbert_api.services.tokens import Token

blueprint = StrictBlueprint("tokens", __name__, description="Tokens, which stand for a key for some minutes")
blueprint.before_request(require_key)


@blueprint.route("/auth/token", methods=["POST"])
@blueprint.doc(security=[{"ApiKey": []}])
@blueprint.response(200, TokenSchema)
@blueprint.alt_response(403, "FORBIDDEN")
@blueprint.alt_response(404, "NOT_FOUND", description="The service has no JWT_SECRET, and gives no tokens")
def create_token() -> Token:
    """Get a token for the key of this request.

    Send it as `Authorization: Bearer ...` instead of the key. It may do what its key may, and dies with it. A token
    gets no other token: that needs the key.
    """
    return container().tokens.issue(g.caller)
