"""What can go wrong, as plain exceptions; the HTTP status of each is known to finbert_api.api.problems alone."""


class FinbertError(Exception):
    """Base of every error the service raises on purpose; its message is safe to show to a client."""


class SettingsError(FinbertError):
    """A setting from the environment is missing or has a bad value; the boot stops with this one line."""


class ArtifactError(FinbertError):
    """A model artifact is incomplete, altered, or does not compute what its manifest promises."""


class ModelUnavailable(FinbertError):
    """No verified model is loaded, so nothing can be predicted."""


class Overloaded(FinbertError):
    """More texts wait than can be scored soon; `retry_after_seconds` is how long the backlog is expected to take."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__("Too many texts are waiting; try again later")
        self.retry_after_seconds = retry_after_seconds


class DeadlinePassed(FinbertError):
    """The request's deadline came before its answer."""

    def __init__(self) -> None:
        super().__init__("The answer did not come in the time allowed to a request")


class InferenceFailed(FinbertError):
    """The model could not score a text, though others may go on: a defect, whose cause the log names."""


class StorageUnavailable(FinbertError):
    """PostgreSQL can't be reached or refuses.

    `reason` is its own word on it, for the log and never for a client.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class PredictionNotFound(FinbertError):
    """No prediction of that request_id exists for this caller."""


class IdempotencyConflict(FinbertError):
    """An Idempotency-Key came again with another body."""


class Unauthenticated(FinbertError):
    """No key or token was given, or none that is known, unrevoked and unexpired."""


class Forbidden(FinbertError):
    """The caller is known, but what it asks for is not for its like."""


class KeyNotFound(FinbertError):
    """No key of that id can be revoked."""


class TokensOff(FinbertError):
    """Tokens can be neither made nor checked, since there is no secret to sign them with."""


class ParityError(FinbertError):
    """An exported model differs from its PyTorch original by more than the gate allows."""


class CorpusError(FinbertError):
    """Training or evaluation data is missing or can't be read."""


class CheckpointError(FinbertError):
    """A PyTorch checkpoint can't be found, read, or exported as one of BERT with the three labels."""
