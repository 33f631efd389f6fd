"""The short way out of an overloaded service: a refusal before a thread, Flask or a parser has done anything for it."""

import json
import time
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask

from finbert_api.api.access import KEY_HEADER
from finbert_api.api.container import EXTENSION_NAME, Container
from finbert_api.api.lifecycle import REQUEST_ID_HEADER, SECURITY_HEADERS, record_refusals, request_id_of
from finbert_api.api.predictions import PREDICT_ENDPOINT
from finbert_api.api.problems import PROBLEM_JSON, problem_document, retry_after
from finbert_api.domain.caller import Caller
from finbert_api.domain.errors import Overloaded
from finbert_api.domain.identifiers import new_request_id

REPORT_SECONDS = 0.5
MOST_IN_A_LINE = 100
_STATUS = HTTPStatus.SERVICE_UNAVAILABLE
_FIXED_HEADERS = {"Content-Type": PROBLEM_JSON, **SECURITY_HEADERS}


class Admission:
    """Tells which predictions have no room, and answers them.

    Under several times the load most answers are refusals, and what they cost is taken from the others. This is a short
    cut alone: it answers what the long way would, except that a faulty field shows only once there is room. Whatever it
    can't judge at once takes the long way: keys that the database must be asked for, bodies that are no JSON. It writes
    one line for many refusals, with the ids of all: one for each took a third of their time.
    """

    def __init__(self, app: Flask, most_requests: int) -> None:
        self.most_requests = most_requests
        self._container: Container = app.extensions[EXTENSION_NAME]
        (rule,) = app.url_map.iter_rules(PREDICT_ENDPOINT)
        self._path = rule.rule
        self._request_ids: list[str] = []
        self._key_ids: set[str] = set()
        self._refused_since = 0.0

    def refusal(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[HTTPStatus, dict[str, str], bytes] | None:
        """The status, headers and body that refuse a request; None when it is to take the long way.

        `headers` has lower-case names.
        """
        # A token takes more than a look, and a page of another origin needs headers of its own.
        if method != "POST" or path != self._path or "authorization" in headers or "origin" in headers:
            return None
        if headers.get("content-type") != "application/json" or "content-encoding" in headers:
            return None
        caller = self._container.api_keys.recognise(headers.get(KEY_HEADER.lower(), ""))
        text = _text(body) if caller else None
        error = self._container.predictions.refusal(text) if text else None
        return self._answer(caller, error, headers) if caller and error else None

    def report(self, *, at_once: bool = False) -> None:
        """Counts what was refused and writes a line about it, when that is due or to be done at once."""
        refused = len(self._request_ids)
        is_due = refused >= MOST_IN_A_LINE or time.monotonic() >= self._refused_since + REPORT_SECONDS
        if refused and (is_due or at_once):
            record_refusals(self._container.metrics, self._path, _STATUS, self._request_ids, self._key_ids)
            self._request_ids, self._key_ids = [], set()

    def _answer(
        self, caller: Caller, error: Overloaded, headers: Mapping[str, str]
    ) -> tuple[HTTPStatus, dict[str, str], bytes]:
        request_id = request_id_of(headers.get(REQUEST_ID_HEADER.lower()), new_request_id())
        if not self._request_ids:
            self._refused_since = time.monotonic()
        self._request_ids.append(request_id)
        self._key_ids.add(str(caller.key_id))
        body = json.dumps(problem_document(_STATUS, str(error), request_id)).encode()
        return _STATUS, _FIXED_HEADERS | {"Retry-After": retry_after(error), REQUEST_ID_HEADER: request_id}, body


def _text(body: bytes) -> str | None:
    """The text that a body asks for; None when it plainly asks for none."""
    try:
        text = json.loads(body.decode())["text"]
        text.encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return str(text)
