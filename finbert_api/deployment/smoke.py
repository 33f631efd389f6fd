"""The smoke test: is a model loaded, is a sentence predicted and kept, is the service healthy."""

import http.client
import json
import math
import re
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from finbert_api.deployment.deadline import Deadline
from finbert_api.deployment.errors import DeploymentRefused, SmokeTestFailed
from finbert_api.domain.sentiment import Label

TEXT = "Smoke test: the company beat earnings expectations and raised its full-year guidance."
POLL_SECONDS = 2.0
LONGEST_ANSWER_SECONDS = 30.0
LONGEST_ANSWER_BYTES = 100_000
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")


class SmokeTest:
    """Asks the service at an address as a client would."""

    def __init__(self, url: str, api_key: str) -> None:
        """Raises DeploymentRefused for an address that is not http:// or https://."""
        if _ADDRESS.fullmatch(url) is None:
            raise DeploymentRefused(f"{url!r} is not the address of a service: https://HOST")
        parts = urlsplit(url)
        self.url = url.rstrip("/")
        self._prefix = parts.path.rstrip("/")
        self._place = parts.netloc
        self._connection = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._key = {"X-API-Key": api_key}

    def run(self, deadline: Deadline, progress: Callable[[str], None]) -> None:
        """Returns if all is well; raises SmokeTestFailed with the first thing that is not, at the deadline at last."""
        version = self._wait_until_ready(deadline, progress)
        progress(f"ready with {version}")
        self._predict(deadline)
        self._require(deadline, "GET", "/health", lambda body: body.get("status") == "ok")
        progress("predicts, keeps and is healthy")

    def _wait_until_ready(self, deadline: Deadline, progress: Callable[[str], None]) -> str:
        said = ""
        while True:
            try:
                status, _, body = self._ask(deadline, "GET", "/ready")
            except SmokeTestFailed as error:
                seen = str(error)
            else:
                if status == http.HTTPStatus.OK and body.get("model_loaded") is True:
                    return str(body.get("model_version"))
                seen = f"GET /ready answers {status} {json.dumps(body)}"
            if seen != said:
                progress(f"not ready yet: {seen}")
                said = seen
            if not deadline.sleep(POLL_SECONDS):
                raise SmokeTestFailed(f"the service was not ready within {deadline.seconds:.0f} s: {seen}")

    def _predict(self, deadline: Deadline) -> None:
        headers = self._require(deadline, "POST", "/api/v1/predict", _is_prediction, {"text": TEXT})
        if warning := headers.get("X-Storage-Warning"):
            raise SmokeTestFailed(f"the prediction was not kept (X-Storage-Warning: {warning})")

    def _require(
        self,
        deadline: Deadline,
        method: str,
        path: str,
        is_right: Callable[[dict[str, Any]], bool],
        body: dict[str, str] | None = None,
    ) -> http.client.HTTPMessage:
        status, headers, answer = self._ask(deadline, method, path, body)
        if status != http.HTTPStatus.OK or not is_right(answer):
            raise SmokeTestFailed(f"{method} {path} answers {status} {json.dumps(answer)}")
        return headers

    def _ask(
        self, deadline: Deadline, method: str, path: str, body: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, dict[str, Any]]:
        """Status, headers and JSON object of an answer; redirects are not followed, since the key would go along."""
        # A request that begins at the deadline is answered, or not, within a second.
        seconds = min(LONGEST_ANSWER_SECONDS, max(1.0, deadline.left))
        headers = {"Content-Type": "application/json", **self._key} if body else {}
        try:
            with closing(self._connection(self._place, timeout=seconds)) as connection:
                connection.request(method, self._prefix + path, json.dumps(body) if body else None, headers)
                answer = connection.getresponse()
                content = json.loads(answer.read(LONGEST_ANSWER_BYTES))
        except (OSError, http.client.HTTPException) as error:
            raise SmokeTestFailed(f"{method} {self.url}{path}: {error or type(error).__name__}") from error
        except ValueError as error:
            raise SmokeTestFailed(f"{method} {path} answers {answer.status} without JSON") from error
        return answer.status, answer.headers, content if isinstance(content, dict) else {}


def _is_prediction(body: dict[str, Any]) -> bool:
    scores = body.get("scores")
    labels = {label.value for label in Label}
    return (
        isinstance(scores, dict)
        and set(scores) == labels
        and body.get("label") in labels
        and all(isinstance(score, int | float) for score in scores.values())
        and math.isclose(sum(scores.values()), 1.0, abs_tol=0.001)
    )
