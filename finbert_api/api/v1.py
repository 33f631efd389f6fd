"""The API under /api/v1: one guarded blueprint that everything in it is nested in."""

from finbert_api.api.access import authenticate
from finbert_api.api.analytics import blueprint as analytics
from finbert_api.api.batch import blueprint as batch
from finbert_api.api.documents import blueprint as documents
from finbert_api.api.export import blueprint as export
from finbert_api.api.feedback import blueprint as feedback
from finbert_api.api.keys import blueprint as keys
from finbert_api.api.parsing import StrictBlueprint
from finbert_api.api.predictions import blueprint as predictions
from finbert_api.api.tokens import blueprint as tokens

blueprint = StrictBlueprint("v1", __name__, url_prefix="/api/v1")
blueprint.register_blueprint(predictions)
blueprint.register_blueprint(batch)
blueprint.register_blueprint(documents)
blueprint.register_blueprint(export)
blueprint.register_blueprint(feedback)
blueprint.register_blueprint(keys)
blueprint.register_blueprint(tokens)
blueprint.register_blueprint(analytics)


# Lets no request through without a known key; for every route above, those of nested blueprints too.
blueprint.before_request(authenticate)
