"""What takes an engine's place where there is no model."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from finbert_api.domain.errors import ModelUnavailable
from finbert_api.inference.batching import Scored
from finbert_api.inference.tokenizer import Window


class UnavailableEngine:
    """Stands where a model could not be loaded: the process lives, is never ready, and predicts nothing."""

    model_version = None
    identity = None
    backlog_seconds = 0.0

    def submit(self, text: str, deadline: float, then: Callable[[Scored], None] | None = None) -> Future[Scored]:
        """Raises ModelUnavailable, always."""
        raise ModelUnavailable("No verified model is loaded")

    def submit_all(self, texts: Sequence[str], deadline: float) -> list[Future[Scored]]:
        """Raises ModelUnavailable, always."""
        raise ModelUnavailable("No verified model is loaded")

    def score(self, text: str, deadline: float, then: Callable[[Scored], None] | None = None) -> Scored:
        """Raises ModelUnavailable, always."""
        raise ModelUnavailable("No verified model is loaded")

    def windows(self, text: str) -> list[Window]:
        """Raises ModelUnavailable, always."""
        raise ModelUnavailable("No verified model is loaded")

    def close(self) -> None:
        """Has nothing to end."""
