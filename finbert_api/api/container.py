"""What create_app wired for the views."""

from dataclasses import dataclass

from apispec import APISpec
from flask import current_app

from finbert_api.observability.metrics import Metrics
from finbert_api.services.api_keys import ApiKeyService
from finbert_api.services.predict import PredictionService

EXTENSION_NAME = "finbert"


@dataclass(frozen=True, slots=True)
class Container:
    """The use cases, metrics, OpenAPI document and time allowed to a request of one application."""

    predictions: PredictionService
    api_keys: ApiKeyService
    metrics: Metrics
    openapi: APISpec
    request_timeout_seconds: int


def container() -> Container:
    """The container of the application that answers the current request."""
    wired: Container = current_app.extensions[EXTENSION_NAME]
    return wired
