"""Which web pages of other origins may call the API from a browser: those of CORS_ORIGINS, by default none."""

import re
from collections.abc import Sequence
from http import HTTPMethod

from flask import Flask, current_app, request
from flask_cors import CORS
from werkzeug.sansio.response import Response

_PATHS = r"/api/v1/.*"
_METHODS = [HTTPMethod.GET, HTTPMethod.POST, HTTPMethod.PUT, HTTPMethod.DELETE]
_REQUEST_HEADERS = ["Accept", "Authorization", "Content-Type", "Idempotency-Key", "X-API-Key", "X-Request-ID"]
_RESPONSE_HEADERS = [
    "Content-Disposition",
    "Idempotency-Replayed",
    "Retry-After",
    "Server-Timing",
    "X-Cache",
    "X-Model-Version",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-ID",
    "X-Storage-Warning",
]
MAX_AGE_SECONDS = 7200  # as long as the browser that keeps a preflight's answer longest but one does


def register_cors(app: Flask, origins: Sequence[str]) -> None:
    """Lets pages of these origins call /api/v1; `*` stands for all. Never with cookies: keys travel in a header."""
    if not origins:
        return
    # As patterns: Flask-CORS takes an IPv6 host's brackets for those of a regular expression.
    exact = [re.compile(re.escape(origin) + r"\Z", re.IGNORECASE) for origin in origins]
    app.before_request(_answer_preflight)
    CORS(
        app,
        resources=_PATHS,
        origins="*" if "*" in origins else exact,
        methods=[str(method) for method in _METHODS],
        allow_headers=_REQUEST_HEADERS,
        expose_headers=_RESPONSE_HEADERS,
        max_age=MAX_AGE_SECONDS,
        send_wildcard=True,
        always_send=False,
        intercept_exceptions=False,  # every error has its response before hooks see it
    )


def _answer_preflight() -> Response | None:
    """Answers a browser that asks whether it may ask, which it does without a key."""
    if request.method != HTTPMethod.OPTIONS or "Access-Control-Request-Method" not in request.headers:
        return None
    return current_app.make_default_options_response() if request.url_rule else None
