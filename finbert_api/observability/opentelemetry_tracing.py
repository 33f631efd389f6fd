"""Traces by OpenTelemetry: each request, its statements and its stages as spans, sent to a collector by OTLP.

Imported only where there is a collector: the packages take a worker some megabytes and a start some tenths of a second.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Flask
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.propagate import set_global_textmap
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import Engine

from finbert_api import __version__
from finbert_api.observability.tracing import Tracing

TRACES_PATH = "/v1/traces"  # of the OTLP specification, over HTTP
# Asked every few seconds by machines; nobody looks for one of them.
NOT_TRACED = "/health,/ready,/metrics"
SERVICE_NAME = "finbert-api"
_NANOSECONDS = 1e9


class _OfRequests(BatchSpanProcessor):
    """Keeps what belongs to a request: the statements of /ready and of the background start no traces of their own."""

    def on_end(self, span: ReadableSpan) -> None:
        if span.parent or span.kind is trace.SpanKind.SERVER:
            super().on_end(span)


class OpenTelemetryTracing(Tracing):
    """Spans of an application's requests, sent in the background; a collector that is down costs spans, never answers.

    A request continues its caller's trace, told by `traceparent` (W3C) or `X-Amzn-Trace-Id` (X-Ray). The environment's
    own variables of OpenTelemetry count (OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES and so on).
    """

    def __init__(self, endpoint: str) -> None:
        name = os.environ.get("OTEL_SERVICE_NAME", SERVICE_NAME)
        resource = Resource.create({"service.name": name, "service.version": __version__})
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + TRACES_PATH)
        self._provider.add_span_processor(_OfRequests(exporter))
        self._tracer = self._provider.get_tracer("finbert_api", __version__)
        # The last that finds a caller's trace counts.
        set_global_textmap(CompositePropagator([AwsXRayPropagator(), TraceContextTextMapPropagator()]))

    def follow(self, app: Flask, engine: Engine) -> None:
        """Makes spans of the application's requests and of the engine's statements (never of their parameters)."""
        instrumentor: Any = FlaskInstrumentor()  # has no types
        instrumentor.instrument_app(app, tracer_provider=self._provider, excluded_urls=NOT_TRACED)
        # It names SQLAlchemy below 2.1 as what it knows; a test shows the spans with the version that is pinned.
        SQLAlchemyInstrumentor().instrument(engine=engine, tracer_provider=self._provider, skip_dep_check=True)

    @property
    def is_on(self) -> bool:
        """True."""
        return True

    @property
    def trace_id(self) -> str | None:
        """The id of the present request's trace, as X-Ray and W3C write its 32 digits."""
        context = trace.get_current_span().get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid else None

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """A span within the present one."""
        # An exception's message can quote what it failed on; the log tells the cause.
        with self._tracer.start_as_current_span(name, record_exception=False):
            yield

    def stages_until_now(self, seconds: Mapping[str, float]) -> None:
        """Spans within the present one; they are right but for the hand-over between threads, some 0.1 ms."""
        started = time.time_ns() - int(sum(seconds.values()) * _NANOSECONDS)
        for name, taken in seconds.items():
            ended = started + int(taken * _NANOSECONDS)
            if taken:
                self._tracer.start_span(name, start_time=started).end(ended)
            started = ended

    def annotate(self, attributes: Mapping[str, str]) -> None:
        """Attributes of the present span."""
        trace.get_current_span().set_attributes(attributes)
