"""The API under /api/v1: one guarded blueprint that everything in it is nested in."""

from flask import g, request

from finbert_api.api.container import container
from finbert_api.api.parsing import StrictBlueprint
from finbert_api.api.predictions import blueprint as predictions

KEY_HEADER = "X-API-Key"

blueprint = StrictBlueprint("v1", __name__, url_prefix="/api/v1")
blueprint.register_blueprint(predictions)


@blueprint.before_request
def authenticate() -> None:
    """Lets no request through without a known key; for every route below, those of nested blueprints too."""
    g.caller = container().api_keys.authenticate(request.headers.get(KEY_HEADER))
