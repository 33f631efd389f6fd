"""How often a key may call a route: 429 beyond that, and on every answer of such a route what is left."""

import math
import time
from collections.abc import Callable, Mapping
from enum import StrEnum, auto
from typing import Any, NoReturn

from flask import Flask, Response, g
from flask_limiter import Limiter
from limits import parse
from limits.storage import MovingWindowSupport, Storage

from finbert_api.domain.caller import Caller, Tier
from finbert_api.observability.metrics import Metrics
from finbert_api.storage.windows import Windows

PREMIUM_FACTOR = 10
_MOVING_WINDOW = "moving-window"
_SCHEME = "finbert"


class Rate(StrEnum):
    """The limits that the settings RATE_LIMIT_... give."""

    PREDICT = auto()
    BATCH = auto()
    ANALYTICS = auto()


# Each endpoint that has a limit. Each is counted by itself: three that share a rate have it three times.
RATE_OF: Mapping[str, Rate] = {
    "v1.predictions.predict": Rate.PREDICT,
    "v1.documents.analyze": Rate.PREDICT,
    "v1.documents.explain": Rate.PREDICT,
    "v1.batch.predict_batch": Rate.BATCH,
    "v1.analytics.summary": Rate.ANALYTICS,
    "v1.analytics.timeseries": Rate.ANALYTICS,
    "v1.analytics.versions": Rate.ANALYTICS,
    "v1.analytics.accuracy": Rate.ANALYTICS,
}


class UncountedError(Exception):
    """How many requests count can't be told."""


class OpenStorage(Storage, MovingWindowSupport):
    """Windows as Flask-Limiter wants them; what can't be counted is let through, and that is counted."""

    STORAGE_SCHEME = [_SCHEME]  # noqa: RUF012 - the library's own attribute

    def __init__(self, uri: str, windows: Windows, metrics: Metrics) -> None:
        super().__init__(uri)
        self._windows = windows
        self._metrics = metrics

    @property
    def base_exceptions(self) -> type[Exception]:
        """What its methods raise."""
        return UncountedError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Whether one more request is within the limit, and if so counts it."""
        within = self._windows.hit(key, limit, expiry)
        if within is None:
            self._metrics.rate_limit_failed()
        return within is not False

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest request that counts came, in Unix seconds, and how many count. Raises UncountedError."""
        state = self._windows.state(key, limit, expiry)
        if state is None:
            raise UncountedError
        return state

    def check(self) -> bool:
        """True: without windows it lets all through, which is how it is meant to work."""
        return True

    # What other strategies than moving windows would call.
    def _of_another_strategy(self, *_arguments: object, **_options: object) -> NoReturn:
        raise NotImplementedError(f"only {_MOVING_WINDOW} is counted here")

    incr = get = get_expiry = reset = clear = _of_another_strategy


class EndpointLimit:
    """The limit of one endpoint, for who answers requests to it without Flask; None: there is none."""

    def __init__(self, limiter: Limiter | None, endpoint: str, amount: str | None) -> None:
        self._limiter = limiter
        self._endpoint = endpoint
        self._items = {tier: parse(each) for tier, each in _amounts(amount).items()} if amount else {}

    def take(self, caller: Caller) -> dict[str, str] | None:
        """Counts a request and gives its answer's headers; None, and nothing is counted, when it is one too many."""
        if self._limiter is None or not self._items:
            return {}
        item, names = self._items[caller.tier], (str(caller.key_id), self._endpoint)
        strategy = self._limiter.limiter
        if not strategy.hit(item, *names):
            return None
        try:
            return _headers(item.amount, *strategy.get_window_stats(item, *names))
        except UncountedError:
            return {}


def register_limits(
    app: Flask, rates: Mapping[Rate, str | None], windows: Windows, metrics: Metrics, unwrapped: str
) -> EndpointLimit:
    """Limits the endpoints of RATE_OF, and gives the limit of the one that is `unwrapped`; a rate of None is no limit.

    The limiter is not one of finbert_api.extensions, for Flask-Limiter keeps in itself what belongs to one app. It
    counts when the view is called: after the key was checked, before the body is read.
    """
    limited = {endpoint: amount for endpoint, rate in RATE_OF.items() if (amount := rates[rate])}
    if not limited:  # nor does any request pay for a limiter then
        return EndpointLimit(None, unwrapped, None)
    limiter = Limiter(
        _caller_id,
        strategy=_MOVING_WINDOW,
        storage_uri=f"{_SCHEME}://",
        storage_options={"windows": windows, "metrics": metrics},  # type: ignore[dict-item]  # passed on as they are
    )
    limiter.init_app(app)
    for endpoint, amount in limited.items():
        limit = limiter.limit(_Amount(amount), error_message=lambda: _refusal(limiter))
        view: Callable[..., Any] = app.view_functions[endpoint]
        app.view_functions[endpoint] = limit(view)
    app.after_request(lambda response: _add_headers(limiter, response))
    return EndpointLimit(limiter, unwrapped, limited.get(unwrapped))


class _Amount:
    """The limit of the key that calls."""

    def __init__(self, standard: str) -> None:
        self._of_tier = _amounts(standard)

    def __call__(self) -> str:
        return self._of_tier[g.caller.tier]


def _amounts(standard: str) -> dict[Tier, str]:
    """A limit for keys of each tier."""
    item = parse(standard)
    premium = type(item)(item.amount * PREMIUM_FACTOR)
    return {Tier.STANDARD: standard, Tier.PREMIUM: f"{premium.amount}/{premium.GRANULARITY.name}"}


def _caller_id() -> str:
    return str(g.caller.key_id)


def _refusal(limiter: Limiter) -> str:
    current = limiter.current_limit
    if current is None:  # never while a limit refuses
        return "Too many requests"
    return f"This key may call this route {current.limit.amount} times a {current.limit.GRANULARITY.name}"


def _add_headers(limiter: Limiter, response: Response) -> Response:
    """Says what is left; Flask-Limiter's own headers round the time to wait down, so that who waits comes too early."""
    current = limiter.current_limit
    if current is None:
        return response
    try:
        reset_time, remaining = current.window
    except UncountedError:
        return response
    response.headers.update(_headers(current.limit.amount, reset_time, remaining))
    if current.breached:
        response.headers["Retry-After"] = str(max(1, math.ceil(reset_time - time.time())))
    return response


def _headers(amount: int, reset_time: float, remaining: int) -> dict[str, str]:
    """How many requests are allowed, how many are left, and when the oldest of them counts no more."""
    return {
        "X-RateLimit-Limit": str(amount),
        "X-RateLimit-Remaining": str(max(0, remaining)),
        "X-RateLimit-Reset": str(math.ceil(reset_time)),
    }
