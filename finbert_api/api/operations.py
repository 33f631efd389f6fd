"""What operators and their machines ask: is it up, is it ready, what are its figures. No key needed."""

import time
from http import HTTPStatus
from typing import Any

from flask import Response, abort
from prometheus_client import CONTENT_TYPE_LATEST

from finbert_api import __version__
from finbert_api.api.container import container
from finbert_api.api.parsing import StrictBlueprint
from finbert_api.api.schemas.operations import HealthSchema, ReadinessSchema

blueprint = StrictBlueprint("operations", __name__, description="Health, readiness and metrics of the service")

_STARTED = time.monotonic()


@blueprint.route("/health")
@blueprint.doc(security=[])
@blueprint.response(200, HealthSchema)
def health() -> dict[str, Any]:
    """Tell that the process is up; touches nothing else."""
    return {"status": "ok", "version": __version__, "uptime_seconds": round(time.monotonic() - _STARTED, 1)}


@blueprint.route("/ready")
@blueprint.doc(security=[])
@blueprint.response(200, ReadinessSchema)
@blueprint.alt_response(503, schema=ReadinessSchema, description="Not ready: the body says what is missing")
def ready() -> tuple[dict[str, Any], int]:
    """Tell whether a verified model is loaded and PostgreSQL can be reached."""
    predictions = container().predictions
    state = {
        "model_loaded": predictions.model_version is not None,
        "db_connected": predictions.is_storage_connected(),
        "model_version": predictions.model_version,
    }
    is_ready = state["model_loaded"] and state["db_connected"]
    return state, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE


@blueprint.route("/metrics")
@blueprint.doc(security=[])
@blueprint.response(200, {"type": "string"}, content_type="text/plain", description="Prometheus' text format")
@blueprint.alt_response(404, "NOT_FOUND")
def metrics() -> Response:
    """Give the figures of all workers together in Prometheus' text format.

    There are none where the settings send them elsewhere or nowhere.
    """
    exposition = container().metrics.exposition()
    if exposition is None:
        abort(HTTPStatus.NOT_FOUND, "METRICS_BACKEND keeps no figures for Prometheus")
    return Response(exposition, content_type=CONTENT_TYPE_LATEST)
