"""Every error as problem details (RFC 9457), and the one table that gives each exception its status."""

import math
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, current_app
from flask_smorest import Api
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.response import Response

from finbert_api.domain.errors import (
    DeadlinePassed,
    FinbertError,
    Forbidden,
    IdempotencyConflict,
    InferenceFailed,
    KeyNotFound,
    ModelUnavailable,
    Overloaded,
    PredictionNotFound,
    StorageUnavailable,
    TokensOff,
    Unauthenticated,
)
from finbert_api.observability.logging import current_request_id

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 5
ERRORS_IN_DETAIL = 5

STATUS_OF: Mapping[type[FinbertError], HTTPStatus] = {
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    KeyNotFound: HTTPStatus.NOT_FOUND,
    TokensOff: HTTPStatus.NOT_FOUND,
    PredictionNotFound: HTTPStatus.NOT_FOUND,
    IdempotencyConflict: HTTPStatus.CONFLICT,
    ModelUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    DeadlinePassed: HTTPStatus.GATEWAY_TIMEOUT,
    InferenceFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

_HEADERS_OF: Mapping[HTTPStatus, Mapping[str, str]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": 'ApiKey realm="finbert", Bearer realm="finbert"'},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": str(RETRY_AFTER_SECONDS)},
}


class ProblemSchema(Schema):
    """An error, as RFC 9457 describes it."""

    type = fields.String(
        required=True, metadata={"description": "Kind of problem; about:blank: its status", "example": "about:blank"}
    )
    title = fields.String(
        required=True, metadata={"description": "The status in words", "example": "Unprocessable Entity"}
    )
    status = fields.Integer(required=True, metadata={"description": "The HTTP status", "example": 422})
    detail = fields.String(
        required=True, metadata={"description": "What is wrong here", "example": "text: must not be blank"}
    )
    request_id = fields.String(
        required=True,
        metadata={
            "description": "Also in X-Request-ID and in the logs",
            "example": "0199d6f2-3c5e-7a41-b1d2-5f0e8c9a7b31",
        },
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "With 422: what is wrong, by field", "example": {"text": ["must not be blank"]}},
    )


class ProblemApi(Api):
    """flask-smorest's Api, with problem details in place of its own error bodies, in answers and in the documents."""

    ERROR_SCHEMA = ProblemSchema
    # Every error of an operation is listed, so that there is no other.
    DEFAULT_ERROR_RESPONSE_NAME = None

    def handle_http_exception(self, error: HTTPException) -> Response:
        """The response for an HTTP error; uncaught exceptions arrive here as a 500, logged, with nothing revealed."""
        messages = (getattr(error, "data", None) or {}).get("messages") or {}
        errors = errors_by_field(messages.values())
        detail = in_words(errors)
        headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
        return problem(HTTPStatus(error.code or 500), detail or error.description or "", headers, errors)

    def _register_responses(self) -> None:
        """Keeps flask-smorest's own errors out of the document: finbert_api.api.document describes ours."""

    def _register_pagination_header(self) -> None:
        """Keeps flask-smorest's own pagination, which no route here uses, out of the document."""


def register_error_handlers(app: Flask) -> None:
    """Gives every exception of the domain that a request may raise its response."""
    app.register_error_handler(FinbertError, _handle_domain_error)


def problem(
    status: HTTPStatus,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: Mapping[str, list[str]] | None = None,
) -> Response:
    """A problem details response."""
    response = current_app.json.response(problem_document(status, detail, current_request_id.get() or "", errors))
    response.status_code = status
    response.headers.update({**_HEADERS_OF.get(status, {}), **(headers or {})})
    response.content_type = PROBLEM_JSON
    return response


def problem_document(
    status: HTTPStatus, detail: str, request_id: str, errors: Mapping[str, list[str]] | None = None
) -> dict[str, Any]:
    """Problem details."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "request_id": request_id,
    }
    if errors:
        document["errors"] = errors
    return document


def retry_after(error: Overloaded) -> str:
    """The header Retry-After of a refusal, in whole seconds."""
    return str(max(1, math.ceil(error.retry_after_seconds)))


def errors_by_field(messages: Iterable[object]) -> dict[str, list[str]]:
    """Marshmallow's messages, each {field: [message] or nested}, as {field: [message]}."""
    flat: dict[str, list[str]] = {}
    for each in messages:
        _flatten("", each, flat)
    return flat


def in_words(errors: Mapping[str, list[str]]) -> str:
    """What is wrong, by field, in one line."""
    named = [f"{field}: {', '.join(words)}" for field, words in list(errors.items())[:ERRORS_IN_DETAIL]]
    return "; ".join(named) + (" and more" if len(errors) > ERRORS_IN_DETAIL else "")


def _handle_domain_error(error: FinbertError) -> Response:
    status = STATUS_OF.get(type(error))
    if status is None:  # none that a request should raise: a defect of ours, so it goes the way of all defects
        raise error
    headers = {"Retry-After": retry_after(error)} if isinstance(error, Overloaded) else {}
    return problem(status, str(error), headers)


def _flatten(path: str, messages: object, flat: dict[str, list[str]]) -> None:
    if isinstance(messages, Mapping):
        for name, nested in messages.items():
            _flatten(path if name == "_schema" else f"{path}.{name}".lstrip("."), nested, flat)
    elif isinstance(messages, list):
        flat[path or "body"] = [str(message) for message in messages]
