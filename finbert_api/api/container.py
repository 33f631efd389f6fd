"""What create_app wired for the views."""

from dataclasses import dataclass

from apispec import APISpec
from flask import current_app

from finbert_api.observability.metrics import Metrics
from finbert_api.observability.tracing import Tracing
from finbert_api.services.analyse import AnalysisService
from finbert_api.services.analytics import AnalyticsService
from finbert_api.services.api_keys import ApiKeyService
from finbert_api.services.explain import ExplanationService
from finbert_api.services.history import HistoryService
from finbert_api.services.idempotency import IdempotencyService
from finbert_api.services.predict import PredictionService
from finbert_api.services.tokens import TokenService

EXTENSION_NAME = "finbert"


@dataclass(frozen=True, slots=True)
class Container:
    """The use cases, metrics, OpenAPI document and time allowed to a request of one application."""

    predictions: PredictionService
    idempotency: IdempotencyService
    history: HistoryService
    analyses: AnalysisService
    explanations: ExplanationService
    analytics: AnalyticsService
    api_keys: ApiKeyService
    tokens: TokenService
    metrics: Metrics
    tracing: Tracing
    openapi: APISpec
    request_timeout_seconds: int


def container() -> Container:
    """The container of the application that answers the current request."""
    wired: Container = current_app.extensions[EXTENSION_NAME]
    return wired
