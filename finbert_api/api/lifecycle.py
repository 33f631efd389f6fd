"""What happens around every request: its id, its time, its log line, its headers."""

import logging
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPMethod, HTTPStatus
from uuid import UUID

from flask import Flask, Response, g, request

from finbert_api.api.container import Container, container
from finbert_api.domain.caller import Caller
from finbert_api.domain.identifiers import new_request_id
from finbert_api.observability.logging import current_request_id
from finbert_api.observability.metrics import Metrics
from finbert_api.services.predict import Outcome

logger = logging.getLogger("finbert_api.access")

REQUEST_ID_HEADER = "X-Request-ID"
_WELL_FORMED_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

DISCARDED_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # No page of another origin may embed an answer; those of CORS_ORIGINS ask in another mode.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
    # A prediction is its key's alone, and gone when it is deleted: no cache on the way and no browser may keep it.
    "Cache-Control": "no-store",
}


def register_lifecycle(app: Flask) -> None:
    """Runs the hooks of this module around every request of the app."""
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_forget)


def request_id_of(given: str | None, new_id: UUID) -> str:
    """The id of a request: the one that its client gave it when that is well formed, else the new one."""
    return given if given and _WELL_FORMED_REQUEST_ID.fullmatch(given) else str(new_id)


def answer_headers(given: Iterable[str], request_id: str) -> dict[str, str]:
    """What an answer with these headers lacks: its request's id, and what keeps browsers and caches safe."""
    present = {name.lower() for name in given}
    return {REQUEST_ID_HEADER: request_id} | {
        name: value for name, value in SECURITY_HEADERS.items() if name.lower() not in present
    }


def record_answer(
    parts: Container,
    method: str,
    route: str,
    *,
    status: int,
    seconds: float,
    caller: Caller | None,
    outcome: Outcome | None,
) -> None:
    """Counts an answer, and writes its line."""
    parts.metrics.answered(method, route, status, seconds)
    if outcome:
        parts.metrics.prediction_answered(seconds)
    prediction_id = {"prediction_id": str(outcome.prediction.request_id)} if outcome else {}
    parts.tracing.annotate({"request_id": current_request_id.get() or ""} | prediction_id)
    logger.info(
        "request",
        extra={
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            **({"trace_id": trace_id} if (trace_id := parts.tracing.trace_id) else {}),
            **({"key_id": str(caller.key_id)} if caller else {}),
            **prediction_id,
            **(_about(outcome) if outcome else {}),
        },
    )


def record_refusals(metrics: Metrics, route: str, status: int, request_ids: list[str], key_ids: set[str]) -> None:
    """Counts requests that were refused before they were taken up, and writes one line for all."""
    metrics.refused("POST", route, status, len(request_ids))
    refused = {"method": "POST", "route": route, "status": status, "requests": len(request_ids)}
    logger.info("requests refused", extra=refused | {"request_ids": request_ids, "key_ids": sorted(key_ids)})


def _begin() -> None:
    g.started = time.perf_counter()
    g.deadline = time.monotonic() + container().request_timeout_seconds
    g.new_id = new_request_id()
    current_request_id.set(request_id_of(request.headers.get(REQUEST_ID_HEADER), g.new_id))


def _finish(response: Response) -> Response:
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        _discard_body()
    seconds = time.perf_counter() - g.started
    # The rule, not the path, and known methods alone: a client can make up the rest, and each would be a label.
    route = request.url_rule.rule if request.url_rule else "none"
    method = request.method if request.method in HTTPMethod.__members__ else "other"
    record_answer(
        container(),
        method,
        route,
        status=response.status_code,
        seconds=seconds,
        caller=g.get("caller"),
        outcome=g.get("outcome"),
    )
    if response.status_code == HTTPStatus.NO_CONTENT:
        response.headers.pop("Content-Type", None)
    response.headers.update(answer_headers(response.headers.keys(), current_request_id.get() or ""))
    return response


def _about(outcome: Outcome) -> dict[str, str | float]:
    """What a log line says of a prediction: never its text."""
    return {
        "model_version": outcome.prediction.model_version,
        "cache": "hit" if outcome.cache_hit else "miss",
        **{f"{stage}_ms": round(seconds * 1000, 1) for stage, seconds in outcome.stages.items()},
    }


def _discard_body() -> None:
    """Reads what a refused client still sends, up to a bound.

    A connection closed before that would reach the client as a broken pipe, and the answer not at all.
    """
    body = request.environ["wsgi.input"]
    with suppress(Exception):  # whatever a broken body raises: nobody wants it any more
        for _ in range(DISCARDED_BYTES // _CHUNK_BYTES):
            if not body.read(_CHUNK_BYTES):
                return


def _forget(_error: BaseException | None) -> None:
    current_request_id.set(None)
