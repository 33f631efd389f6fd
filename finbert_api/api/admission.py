"""The short way out of an overloaded service: a refusal before a thread, Flask or a parser has done anything for it."""

import json
import time
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask

from finbert_api.api.container import EXTENSION_NAME, Container
from finbert_api.api.lifecycle import REQUEST_ID_HEADER, SECURITY_HEADERS, record, request_id_of
from finbert_api.api.problems import PROBLEM_JSON, problem_document, retry_after
from finbert_api.api.v1 import KEY_HEADER
from finbert_api.domain.caller import Caller
from finbert_api.domain.errors import Overloaded
from finbert_api.domain.identifiers import new_request_id
from finbert_api.observability.logging import current_request_id

PREDICT_ENDPOINT = "v1.predictions.predict"
_STATUS = HTTPStatus.SERVICE_UNAVAILABLE
_FIXED_HEADERS = {"Content-Type": PROBLEM_JSON, **SECURITY_HEADERS}


class Admission:
    """Tells which predictions have no room, and answers them.

    Under several times the load most answers are refusals, and what they cost is taken from the others. This is a short
    cut alone: it answers what the long way would, except that a faulty field shows only once there is room. Whatever it
    can't judge at once takes the long way: keys that the database must be asked for, bodies that are no JSON.
    """

    def __init__(self, app: Flask, most_requests: int) -> None:
        self.most_requests = most_requests
        self._container: Container = app.extensions[EXTENSION_NAME]
        (rule,) = app.url_map.iter_rules(PREDICT_ENDPOINT)
        self._path = rule.rule

    def refusal(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[HTTPStatus, dict[str, str], bytes] | None:
        """The status, headers and body that refuse a request; None when it is to take the long way.

        `headers` has lower-case names.
        """
        started = time.perf_counter()
        if method != "POST" or path != self._path or "authorization" in headers:
            return None
        if headers.get("content-type") != "application/json" or "content-encoding" in headers:
            return None
        caller = self._container.api_keys.recognise(headers.get(KEY_HEADER.lower(), ""))
        text = _text(body) if caller else None
        error = self._container.predictions.refusal(text) if text else None
        return self._answer(caller, error, headers, started) if caller and error else None

    def _answer(
        self, caller: Caller, error: Overloaded, headers: Mapping[str, str], started: float
    ) -> tuple[HTTPStatus, dict[str, str], bytes]:
        request_id = request_id_of(headers.get(REQUEST_ID_HEADER.lower()), new_request_id())
        token = current_request_id.set(request_id)
        try:
            body = json.dumps(problem_document(_STATUS, str(error))).encode()
            seconds = time.perf_counter() - started
            record(self._container.metrics, "POST", self._path, _STATUS, seconds, key_id=caller.key_id)
        finally:
            current_request_id.reset(token)
        return _STATUS, _FIXED_HEADERS | {"Retry-After": retry_after(error), REQUEST_ID_HEADER: request_id}, body


def _text(body: bytes) -> str | None:
    """The text that a body asks for; None when it plainly asks for none."""
    try:
        text = json.loads(body.decode())["text"]
        text.encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return str(text)
