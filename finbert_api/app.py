"""The composition root: the one place that builds the service's parts and wires them."""

import logging
import os
from collections.abc import Callable
from logging.config import dictConfig
from typing import Any

from flask import Flask

from finbert_api.api.admission import Admission
from finbert_api.api.container import EXTENSION_NAME, Container
from finbert_api.api.cors import register_cors
from finbert_api.api.docs import blueprint as docs
from finbert_api.api.document import OPENAPI, SharedDocumentation
from finbert_api.api.lifecycle import register_lifecycle
from finbert_api.api.limits import Rate, register_limits
from finbert_api.api.operations import blueprint as operations
from finbert_api.api.parsing import LARGEST_BODY_BYTES
from finbert_api.api.predictions import PREDICT_ENDPOINT
from finbert_api.api.problems import ProblemApi, register_error_handlers
from finbert_api.api.shortcut import PredictShortcut
from finbert_api.api.v1 import blueprint as v1
from finbert_api.domain.errors import ArtifactError, SettingsError
from finbert_api.extensions import db
from finbert_api.gunicorn_worker import ADMISSION
from finbert_api.inference.batching import EngineLimits
from finbert_api.inference.engine import Engine
from finbert_api.inference.registry import HostShare, load_engine, served_artifact
from finbert_api.inference.unavailable_engine import UnavailableEngine
from finbert_api.observability.cloudwatch import CloudWatchMetrics, sender
from finbert_api.observability.deferred import DeferredMetrics
from finbert_api.observability.logging import logging_config
from finbert_api.observability.metrics import CombinedMetrics, Metrics
from finbert_api.observability.prometheus import PrometheusMetrics
from finbert_api.observability.tracing import Tracing
from finbert_api.services.analyse import AnalysisService
from finbert_api.services.analytics import AnalyticsService
from finbert_api.services.api_keys import ApiKeyService
from finbert_api.services.explain import ExplanationService
from finbert_api.services.history import HistoryService
from finbert_api.services.idempotency import IdempotencyService
from finbert_api.services.predict import PredictionService
from finbert_api.services.scores import ScoreService
from finbert_api.services.tokens import TokenService
from finbert_api.settings import Settings, available_cpus, settings_from_environment
from finbert_api.storage.analytics import AnalyticsStore
from finbert_api.storage.api_keys import ApiKeyStore
from finbert_api.storage.cache import LocalCache, NoCache, ScoreCache
from finbert_api.storage.connections import observe_statements
from finbert_api.storage.database import bind_database
from finbert_api.storage.feedback import FeedbackStore
from finbert_api.storage.idempotency import IdempotencyStore
from finbert_api.storage.key_watch import KeyWatch
from finbert_api.storage.predictions import PredictionStore
from finbert_api.storage.windows import IN_THIS_PROCESS, WINDOWS_FILE, SharedWindows, Windows

logger = logging.getLogger(__name__)


class Application(Flask):
    """Flask without a look, around each hook and view of each request, for coroutines: there are none."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func


def create_app(settings: Settings | None = None, engine: Engine | None = None) -> Flask:
    """The Flask application, with settings from the environment and the model they name unless given others.

    A model that fails its checks does not stop the app: it says so in the log, is never ready, and predicts nothing.
    Raises SettingsError when the environment has a bad value or names no database.
    """
    settings = settings or settings_from_environment()
    dictConfig(logging_config(settings.log_level, settings.log_file))
    if settings.database_url is None:
        raise SettingsError("DATABASE_URL is not set (`finbert run` starts an embedded PostgreSQL by itself)")
    app = Application("finbert_api", static_folder=None)
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's own provider
    app.config.update(
        OPENAPI,
        # One more than is accepted: Werkzeug cuts a chunked body there without a word, and the parser sees it by this.
        MAX_CONTENT_LENGTH=LARGEST_BODY_BYTES + 1,
    )
    bind_database(app, settings.database_url)
    metrics = _metrics(settings)
    with app.app_context():
        observe_statements(db.engine, metrics)
    tracing = _tracing(settings, app)
    api_keys = ApiKeyService(ApiKeyStore(), settings.api_key, KeyWatch(settings.database_url))
    api = ProblemApi(app, spec_kwargs={"extra_plugins": [SharedDocumentation()]})
    scores = ScoreService(
        engine or _load_engine(settings, metrics), _score_cache(settings, metrics), settings.most_waiting_requests
    )
    with app.app_context():
        store = PredictionStore(metrics)
    predictions = PredictionService(scores, store, metrics, tracing, settings.low_confidence)
    app.extensions[EXTENSION_NAME] = Container(
        predictions=predictions,
        idempotency=IdempotencyService(predictions, IdempotencyStore()),
        history=HistoryService(store, FeedbackStore(), scores),
        analyses=AnalysisService(scores),
        explanations=ExplanationService(scores),
        analytics=AnalyticsService(AnalyticsStore()),
        api_keys=api_keys,
        tokens=TokenService(api_keys, settings.jwt_secret, settings.jwt_lifetime_seconds),
        metrics=metrics,
        tracing=tracing,
        openapi=api.spec,
        request_timeout_seconds=settings.request_timeout_seconds,
    )
    register_lifecycle(app)
    register_error_handlers(app)
    api.register_blueprint(v1)
    api.register_blueprint(operations)
    app.register_blueprint(docs)
    rates = {
        Rate.PREDICT: settings.rate_limit_predict,
        Rate.BATCH: settings.rate_limit_batch,
        Rate.ANALYTICS: settings.rate_limit_analytics,
    }
    predict_limit = register_limits(app, rates, _windows(settings), metrics, unwrapped=PREDICT_ENDPOINT)
    register_cors(app, settings.cors_origins)
    app.extensions[ADMISSION] = Admission(app, settings.most_waiting_requests)
    app.wsgi_app = PredictShortcut(app, predict_limit)  # type: ignore[method-assign]  # as Flask's documentation has it
    return app


def _metrics(settings: Settings) -> Metrics:
    match settings.metrics_backend:
        case "none":
            return Metrics()
        case "prometheus":
            return DeferredMetrics(PrometheusMetrics())
        case "cloudwatch":
            return DeferredMetrics(CloudWatchMetrics(sender(settings.cloudwatch_namespace)))
        case _:
            prometheus = PrometheusMetrics()
            cloudwatch = CloudWatchMetrics(sender(settings.cloudwatch_namespace), prometheus.cloudwatch_failed)
            return DeferredMetrics(CombinedMetrics([prometheus, cloudwatch]))


def _tracing(settings: Settings, app: Flask) -> Tracing:
    if settings.otel_exporter_otlp_endpoint is None:
        return Tracing()
    from finbert_api.observability.opentelemetry_tracing import OpenTelemetryTracing  # noqa: PLC0415 - see its docstring

    tracing = OpenTelemetryTracing(settings.otel_exporter_otlp_endpoint)
    with app.app_context():
        tracing.follow(app, db.engine)
    return tracing


def _load_engine(settings: Settings, metrics: Metrics) -> Engine:
    try:
        artifact = served_artifact(settings)
        limits = EngineLimits(settings.max_batch_tokens, settings.max_queue_tokens)
        host = HostShare(settings.prepacked_dir, available_cpus())
        engine = load_engine(artifact, max(1, host.processors // settings.web_concurrency), limits, metrics, host)
    except ArtifactError as error:
        logger.error("model refused: never ready", extra={"cause": str(error)})  # noqa: TRY400 - the line names the fault
        return UnavailableEngine()
    logger.info("model loaded", extra={"model_version": engine.model_version})
    return engine


def _score_cache(settings: Settings, metrics: Metrics) -> ScoreCache:
    if settings.cache_ttl_seconds == 0:
        return NoCache()
    if settings.redis_url is None:
        return LocalCache(settings.cache_entries, settings.cache_ttl_seconds)
    from finbert_api.storage.redis_cache import RedisCache  # noqa: PLC0415 - its client costs each worker 10 MB and 0.1 s

    return RedisCache(settings.redis_url, settings.cache_ttl_seconds, settings.worker_threads, metrics)


def _windows(settings: Settings) -> Windows:
    if settings.redis_url is None:
        return SharedWindows(os.environ.get(WINDOWS_FILE, IN_THIS_PROCESS))
    from finbert_api.storage.redis_windows import RedisWindows  # noqa: PLC0415 - as for the cache

    return RedisWindows(settings.redis_url, settings.worker_threads)
