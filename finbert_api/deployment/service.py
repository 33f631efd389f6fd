"""The service in ECS: what runs, and the calls that change it."""

from dataclasses import dataclass
from typing import Any

from finbert_api.deployment.aws import aws_errors
from finbert_api.deployment.errors import AwsError, DeploymentRefused

CONTAINER = "app"
# The revision that a revision was made from, which is where a rollback leads.
REPLACES = "finbert:replaces"


@dataclass(frozen=True)
class Rollout:
    """How far ECS is with bringing the service to a revision: its PRIMARY deployment."""

    deployment: str
    revision: str
    state: str
    reason: str
    desired: int
    running: int
    failed: int

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.revision}: {self.running} of {self.desired} tasks running{failed}"


@dataclass(frozen=True)
class ServiceState:
    """The service at a moment."""

    rollout: Rollout
    deployments: int
    last_event: str

    @property
    def revision(self) -> str:
        """The revision (family:number) that the service runs or is being brought to."""
        return self.rollout.revision

    @property
    def is_steady(self) -> bool:
        """Whether all wanted tasks run that revision, and none another."""
        rollout = self.rollout
        return rollout.state == "COMPLETED" and self.deployments == 1 and rollout.running == rollout.desired

    @property
    def why(self) -> str:
        """What ECS says of it, to stand behind a sentence; may be empty."""
        said = " ".join((self.last_event or self.rollout.reason).split())
        return f" (ECS: {said})" if said else ""


class EcsService:
    """One environment's service; every method raises AwsError when AWS refuses or can't be reached."""

    def __init__(self, environment: str, ecs: Any) -> None:
        self.environment = environment
        self.name = f"finbert-api-{environment}"
        self._ecs = ecs

    def named(self, number: int) -> str:
        """The revision of that number."""
        return f"{self.name}:{number}"

    def state(self) -> ServiceState:
        """What it runs now."""
        with aws_errors():
            found = self._ecs.describe_services(cluster=self.name, services=[self.name])["services"]
        if not found or found[0]["status"] != "ACTIVE":
            raise AwsError(f"there is no active service {self.name} in a cluster of that name", is_certain=True)
        deployments = found[0]["deployments"]
        primary = _primary(deployments)
        events = found[0].get("events", [])
        return ServiceState(
            Rollout(
                deployment=primary["id"],
                revision=_short(primary["taskDefinition"]),
                state=primary["rolloutState"],
                reason=primary.get("rolloutStateReason", ""),
                desired=primary["desiredCount"],
                running=primary["runningCount"],
                failed=primary.get("failedTasks", 0),
            ),
            deployments=len(deployments),
            last_event=events[0]["message"] if events else "",
        )

    def image(self, revision: str) -> str:
        """The image that a revision runs."""
        return str(_container(self._definition(revision)["taskDefinition"])["image"])

    def replaced_by(self, revision: str) -> str | None:
        """The revision that `finbert deploy release` made this one from; None if something else made it."""
        tags = {tag["key"]: tag["value"] for tag in self._definition(revision).get("tags", [])}
        return tags.get(REPLACES)

    def register(self, like: str, image: str, replaces: str) -> str:
        """A new revision: one like that, with another image, that remembers which it replaces; gives its name."""
        described = self._definition(like)
        definition = described["taskDefinition"]
        _container(definition)["image"] = image
        # The description has members beside those that a registration takes.
        taken = self._ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
        tags = [tag for tag in described.get("tags", []) if tag["key"] != REPLACES]
        with aws_errors():
            answer = self._ecs.register_task_definition(
                **{member: value for member, value in definition.items() if member in taken},
                tags=[*tags, {"key": REPLACES, "value": replaces}],
            )
        return _short(answer["taskDefinition"]["taskDefinitionArn"])

    def update(self, revision: str) -> str:
        """Tells ECS to bring the service to a revision; gives the id of the deployment that does it."""
        with aws_errors():
            answer = self._ecs.update_service(cluster=self.name, service=self.name, taskDefinition=revision)
        return str(_primary(answer["service"]["deployments"])["id"])

    def _definition(self, revision: str) -> dict[str, Any]:
        with aws_errors():
            answer: dict[str, Any] = self._ecs.describe_task_definition(taskDefinition=revision, include=["TAGS"])
        return answer


def _primary(deployments: list[dict[str, Any]]) -> dict[str, Any]:
    return next(deployment for deployment in deployments if deployment["status"] == "PRIMARY")


def _container(definition: dict[str, Any]) -> dict[str, Any]:
    for container in definition["containerDefinitions"]:
        if container["name"] == CONTAINER:
            found: dict[str, Any] = container
            return found
    raise DeploymentRefused(f"{_short(definition['taskDefinitionArn'])} has no container named {CONTAINER!r}")


def _short(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
