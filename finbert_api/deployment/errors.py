"""What can go wrong with a deployment; each message is one line that says what state is left."""

from finbert_api.domain.errors import FinbertError


class DeploymentError(FinbertError):
    """Base of all of them."""


class DeploymentRefused(DeploymentError):
    """Nothing was changed: what was asked for is not possible, or not now."""


class AwsError(DeploymentError):
    """AWS refuses a call or can't be reached.

    `is_certain` tells that AWS itself said no, so that the call changed nothing; a call without an answer may have.
    """

    def __init__(self, message: str, *, is_certain: bool) -> None:
        super().__init__(message)
        self.is_certain = is_certain


class RolloutFailed(DeploymentError):
    """A revision did not come to run, or not in time."""


class SmokeTestFailed(DeploymentError):
    """The service at its address is not ready, or does not answer as it should."""


class Overtaken(DeploymentError):
    """Another release or rollback changed the service meanwhile, and was left alone."""


class ReleaseFailed(DeploymentError):
    """The new revision failed and the previous one runs again."""


class Interrupted(DeploymentError):
    """A signal ended the wait; the message says what ECS does now."""


class Unfinished(DeploymentError):
    """The service is in neither of the two states that were wanted; the message says in which, and what to do."""
