"""The short way of a prediction: a plain request for one text is answered without Flask's way around each request."""

import io
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

from flask import Flask, g
from marshmallow import ValidationError

from finbert_api.api.access import KEY_HEADER
from finbert_api.api.container import EXTENSION_NAME, Container
from finbert_api.api.lifecycle import REQUEST_ID_HEADER, answer_headers, record_answer, request_id_of
from finbert_api.api.limits import EndpointLimit
from finbert_api.api.parsing import LARGEST_BODY_BYTES, json_values
from finbert_api.api.predictions import PREDICT_ENDPOINT, PredictArguments, headers_of
from finbert_api.api.schemas.predictions import PredictionSchema, PredictRequestSchema
from finbert_api.domain.caller import Caller
from finbert_api.domain.identifiers import new_request_id
from finbert_api.domain.prediction import Prediction
from finbert_api.observability.logging import during_request
from finbert_api.services.predict import Outcome

MOST_DIGITS = len(str(LARGEST_BODY_BYTES))
_METHOD = "POST"
_JSON = "application/json"
_OK = HTTPStatus.OK
# What makes more of a request than a key, a body and an id.
_NOT_PLAIN = ("AUTHORIZATION", "CONTENT_ENCODING", "IDEMPOTENCY_KEY", "ORIGIN", "TRANSFER_ENCODING")
_NOT_PLAIN_VARIABLES = frozenset(f"HTTP_{name}" for name in _NOT_PLAIN)
_KEY, _REQUEST_ID = (f"HTTP_{name.upper().replace('-', '_')}" for name in (KEY_HEADER, REQUEST_ID_HEADER))

_Environment = dict[str, Any]
_StartResponse = Callable[..., Any]


class _Asked(NamedTuple):
    """A plain request for a prediction that is as it should be."""

    started: float
    caller: Caller
    arguments: PredictArguments
    new_id: UUID
    request_id: str


class PredictShortcut:
    """WSGI middleware of an application that answers POST /predict as the application does, in a third of its time.

    Only what is plain and right is answered here, by the same schemas, services and limits. Whatever is not, a
    token, an Idempotency-Key, a page of another origin, a key that the database must be asked for, a fault of the body,
    one request too many, goes the application's own way, byte for byte as it came; and whatever goes wrong on the short
    way is answered by the application's own handlers. A test compares both ways.
    """

    def __init__(self, app: Flask, limit: EndpointLimit) -> None:
        self._app = app
        self._long_way = app.wsgi_app
        self._limit = limit
        self._container: Container = app.extensions[EXTENSION_NAME]
        (rule,) = app.url_map.iter_rules(PREDICT_ENDPOINT)
        self._route = rule.rule
        self._request_schema = PredictRequestSchema()
        self._prediction_schema = PredictionSchema()

    def __call__(self, environ: _Environment, start_response: _StartResponse) -> Iterable[bytes]:
        """Answers a request on the way that it needs."""
        asked = self._asked(environ) if self._is_plain(environ) else None
        limit_headers = self._limit.take(asked.caller) if asked else None
        if asked is None or limit_headers is None:
            return self._long_way(environ, start_response)
        with during_request(asked.request_id):
            return self._answer(asked, limit_headers, environ, start_response)

    def _is_plain(self, environ: _Environment) -> bool:
        return (
            environ["REQUEST_METHOD"] == _METHOD
            and environ["PATH_INFO"] == self._route
            and environ.get("CONTENT_TYPE") == _JSON
            and not environ.get("SCRIPT_NAME")
            and not environ.get("QUERY_STRING")
            and _NOT_PLAIN_VARIABLES.isdisjoint(environ)
            and not self._container.tracing.is_on
        )

    def _asked(self, environ: _Environment) -> _Asked | None:
        """What a plain request asks for; None when the long way has to say what is wrong with it."""
        started = time.perf_counter()
        length = environ.get("CONTENT_LENGTH") or ""
        # Python refuses to read a number of thousands of digits.
        if not length.isdecimal() or len(length) > MOST_DIGITS or int(length) > LARGEST_BODY_BYTES:
            return None
        caller = self._container.api_keys.known_caller(environ.get(_KEY, ""))
        if caller is None:
            return None
        try:
            body = environ["wsgi.input"].read(int(length))
        except Exception as error:  # noqa: BLE001 - whatever the server raises for a broken body, the long way finds it too
            environ["wsgi.input"] = _BrokenBody(error)
            return None
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            arguments: PredictArguments = self._request_schema.load(json_values(body))
        except (ValueError, ValidationError):
            return None
        if len(body) != int(length):
            return None
        new_id = new_request_id()
        return _Asked(started, caller, arguments, new_id, request_id_of(environ.get(_REQUEST_ID), new_id))

    def _answer(
        self,
        asked: _Asked,
        limit_headers: dict[str, str],
        environ: _Environment,
        start_response: _StartResponse,
    ) -> Iterable[bytes]:
        text, source = asked.arguments["text"], asked.arguments["source"]
        deadline = time.monotonic() + self._container.request_timeout_seconds
        body, headers = b"", dict[str, str]()

        def prepare(prediction: Prediction) -> None:
            """Makes all of the answer that does not depend on whether its row could be stored."""
            nonlocal body, headers
            body = self._body(prediction)
            headers = {"Content-Type": _JSON, "Content-Length": str(len(body))} | limit_headers
            headers |= answer_headers(headers, asked.request_id)

        try:
            outcome = self._container.predictions.predict(
                text, source, asked.caller, asked.new_id, deadline, meanwhile=prepare
            )
        except Exception as error:  # noqa: BLE001 - any: the application knows what to make of each
            return self._fail(error, asked, limit_headers, environ, start_response)
        headers |= headers_of(outcome)
        seconds = time.perf_counter() - asked.started
        start_response(f"{_OK.value} {_OK.phrase}", list(headers.items()))
        return self._sent(body, asked, outcome, seconds)

    def _sent(self, body: bytes, asked: _Asked, outcome: Outcome, seconds: float) -> Iterator[bytes]:
        """The body, then the answer's count and line: its client need not wait for them."""
        try:
            yield body
        finally:  # the client may be gone
            with during_request(asked.request_id):
                record_answer(
                    self._container,
                    _METHOD,
                    self._route,
                    status=_OK,
                    seconds=seconds,
                    caller=asked.caller,
                    outcome=outcome,
                )

    def _body(self, prediction: Prediction) -> bytes:
        document = self._prediction_schema.dump(prediction)
        return f"{self._app.json.dumps(document, separators=(',', ':'))}\n".encode()

    def _fail(
        self,
        error: Exception,
        asked: _Asked,
        limit_headers: dict[str, str],
        environ: _Environment,
        start_response: _StartResponse,
    ) -> Iterable[bytes]:
        """Answers as the application does when a view raises this."""
        with self._app.request_context(environ):
            g.started, g.caller = asked.started, asked.caller
            try:
                answer = self._app.finalize_request(self._app.handle_user_exception(error))
            except Exception as defect:  # noqa: BLE001 - what has no handler
                answer = self._app.handle_exception(defect)
            answer.headers.update(limit_headers)
            return answer(environ, start_response)


class _BrokenBody(io.RawIOBase):
    """A body whose reading failed, and fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, _buffer: Any) -> NoReturn:
        """Raises what the server's own body raised."""
        raise self._error
