"""What traces are made of: an interface that does nothing, for a service without a collector."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext


class Tracing:
    """The stages of requests; this one keeps none."""

    @property
    def is_on(self) -> bool:
        """Whether traces are kept."""
        return False

    @property
    def trace_id(self) -> str | None:
        """The id of the trace that the present request belongs to, in hexadecimal; None when it belongs to none."""
        return None

    def span(self, name: str) -> AbstractContextManager[None]:
        """A stage of the present request, as long as the context."""
        return nullcontext()

    def stages_until_now(self, seconds: Mapping[str, float]) -> None:
        """Stages of the present span that ended just now, one after the other, and took so many seconds each."""

    def annotate(self, attributes: Mapping[str, str]) -> None:
        """Says more about the present request."""
