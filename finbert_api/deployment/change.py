"""One revision of the service taking the place of another."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from finbert_api.deployment.deadline import Deadline
from finbert_api.deployment.errors import AwsError, DeploymentRefused, Overtaken, RolloutFailed
from finbert_api.deployment.service import EcsService, ServiceState

Progress = Callable[[str], None]

POLL_SECONDS = 2.0
# ECS starts a failed task again and again; its own circuit breaker gives up after three at the least, minutes later.
FAILED_TASKS_ALLOWED = 1


@dataclass(frozen=True)
class Change:
    """The way of a service from one revision to another."""

    service: EcsService
    old: str
    new: str
    progress: Progress

    @property
    def back(self) -> "Change":
        """The way back."""
        return Change(self.service, self.new, self.old, self.progress)

    def begin(self) -> str:
        """Tells ECS to go, and gives the id of the deployment.

        Raises DeploymentRefused when AWS said no, AwsError when it did not say, so that it may have happened.
        """
        try:
            return self.service.update(self.new)
        except AwsError as error:
            if error.is_certain:
                raise DeploymentRefused(f"{error}; the service was not changed") from error
            raise

    def begin_unless_overtaken(self) -> str:
        """The same, after a while in which others may have changed the service: then raises Overtaken."""
        # Who may not look may still be allowed to go.
        with suppress(AwsError):
            self._require_ours(self.service.state())
        return self.begin()

    def wait(self, deployment: str, deadline: Deadline) -> None:
        """Returns when that deployment is there and nothing else runs.

        Raises RolloutFailed if ECS gives up, tasks fail, or the deadline comes; Overtaken if the service is brought to
        a third revision; AwsError if AWS refuses to tell.
        """
        said = ""
        was_seen = False
        while True:
            why = ""
            try:
                state = self.service.state()
            except AwsError as error:
                if error.is_certain:
                    raise
                seen = str(error)
            else:
                seen, why = str(state.rollout), state.why
                self._require_ours(state)
                # For a moment ECS may show what was before the update; later that means that it went back by itself.
                was_seen = was_seen or state.rollout.deployment == deployment
                if was_seen and self._is_done(state):
                    self.progress(seen)
                    return
            if seen != said:
                self.progress(seen)
                said = seen
            if not deadline.sleep(POLL_SECONDS):
                raise RolloutFailed(f"{seen} after {deadline.seconds:.0f} s{why}")

    def _is_done(self, state: ServiceState) -> bool:
        if state.revision == self.old:
            raise RolloutFailed(f"ECS gave up on {self.new}{state.why}")
        if state.is_steady:
            return True
        if state.rollout.state == "FAILED" or state.rollout.failed > FAILED_TASKS_ALLOWED:
            raise RolloutFailed(f"{state.rollout}{state.why}")
        return False

    def _require_ours(self, state: ServiceState) -> None:
        if state.revision not in {self.old, self.new}:
            raise Overtaken(f"somebody else brings the service to {state.revision}, and was left alone")
