"""ECS as moto's server plays it, mended: no task ever runs there, so that a rollout would never end."""

import json
import logging
from contextlib import contextmanager
from uuid import uuid4

import boto3
from moto import settings as moto_settings
from moto.backends import get_backend
from moto.core.exceptions import JsonRESTError
from moto.ecs.models import EC2ContainerServiceBackend
from moto.iam.access_control import IAMRequest
from moto.server import ThreadedMotoServer

NAME = "finbert-api-dev"
ACCOUNT = "123456789012"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/finbert-api"
ADMINISTRATOR = boto3.Session("testing", "testing", region_name="eu-central-1")
# What the role of the pipeline needs.
PERMISSIONS = (
    "ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition", "ecs:TagResource",
    "ecs:UpdateService", "ssm:GetParameter",
)  # fmt: skip


def image(digit):
    """The name of an image whose digest is of that one hexadecimal digit."""
    return f"{REPOSITORY}@sha256:{digit * 64}"


@contextmanager
def moto_server():
    """The address of a moto server: one for many tests, since it takes half a second to notice that it is to end."""
    disabled = logging.getLogger("werkzeug").disabled
    logging.getLogger("werkzeug").disabled = True
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()
    logging.getLogger("werkzeug").disabled = disabled


class MockEcs:
    """What a moto server plays, all new: one service, which runs revision 1 with image("0") in one task.

    `run(image)` is called when tasks of a revision are to replace what runs; `health()` then tells what they do
    whenever ECS is asked: "PENDING", "RUNNING", or "FAILED", after which ECS starts them again.
    """

    def __init__(self, monkeypatch, url, run, health):
        self._run = run
        self._health = health
        self._monkeypatch = monkeypatch
        for service in ("ecs", "iam", "ssm"):
            get_backend(service).reset()
        self._mend()
        self._url = url
        monkeypatch.setenv("AWS_ENDPOINT_URL", self._url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        self._clients = []
        self.ecs = self.client("ecs")
        self._make_service()
        self._make_caller()

    def close(self):
        for client in self._clients:
            client.close()

    def client(self, service):
        """A client that may do all, until `allow_all_but`."""
        self._clients.append(ADMINISTRATOR.client(service, endpoint_url=self._url))
        return self._clients[-1]

    def allow_all_but(self, *actions):
        """From now on commands run with the permissions of the pipeline's role, without these."""
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*"}]}
        document["Statement"][0]["Action"] = [action for action in PERMISSIONS if action not in actions]
        self._iam.put_user_policy("pipeline", "release", json.dumps(document))
        self._monkeypatch.setattr(moto_settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)

    def _make_caller(self):
        self._iam = get_backend("iam")[ACCOUNT]["aws"]
        self._iam.create_user("eu-central-1", "pipeline")
        key = self._iam.create_access_key("pipeline")
        self._monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.access_key_id)
        self._monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_access_key)

    @property
    def deployments(self):
        """What ECS says of the service, the revision that it is to run first."""
        services, _ = get_backend("ecs")[ACCOUNT]["eu-central-1"].describe_services(NAME, [NAME])
        return services[0].deployments

    @property
    def revision(self):
        """The revision that the service is to run."""
        return self.deployments[0]["taskDefinition"].rpartition("/")[2]

    def definition(self, revision):
        return self.ecs.describe_task_definition(taskDefinition=revision, include=["TAGS"])

    def update(self, revision):
        """What somebody else may do to the service."""
        self.ecs.update_service(cluster=NAME, service=NAME, taskDefinition=revision)

    def register(self, app_image):
        """A new revision with that image, by another way than a release."""
        answer = self.ecs.register_task_definition(
            family=NAME,
            networkMode="bridge",
            executionRoleArn="arn:aws:iam::123456789012:role/execution",
            containerDefinitions=[
                {"name": "collector", "image": f"{REPOSITORY}-collector@sha256:{'e' * 64}", "memory": 64},
                {
                    "name": "app",
                    "image": app_image,
                    "memory": 1024,
                    "readonlyRootFilesystem": True,
                    "environment": [{"name": "PORT", "value": "8000"}],
                    "secrets": [{"name": "API_KEY", "valueFrom": "/finbert-api/dev/API_KEY"}],
                    "stopTimeout": 30,
                    "linuxParameters": {"initProcessEnabled": True, "maxSwap": 512},
                },
            ],
            tags=[{"key": "project", "value": "finbert-api"}],
        )
        return f"{NAME}:{answer['taskDefinition']['revision']}"

    def _make_service(self):
        self.ecs.create_cluster(clusterName=NAME)
        revision = self.register(image("0"))
        self.ecs.create_service(cluster=NAME, serviceName=NAME, taskDefinition=revision, desiredCount=1)
        self.update(revision)

    def _mend(self):
        """Lets `update_service` begin a deployment, and `describe_services` see how far it is."""
        update_service = EC2ContainerServiceBackend.update_service
        describe_services = EC2ContainerServiceBackend.describe_services

        def update(backend, properties):
            service = update_service(backend, properties)
            arn = backend.describe_task_definition(service.task_definition).arn
            self._begin(backend, service, arn)
            return service

        def describe(backend, *arguments):
            services, failures = describe_services(backend, *arguments)
            for service in services:
                self._proceed(service)
            return services, failures

        def deny(request):
            # moto answers in XML, whatever the service speaks.
            who = f"User: {request._access_key.arn} is not authorized to perform: {request._action}"
            raise JsonRESTError("AccessDeniedException", who)

        self._monkeypatch.setattr(IAMRequest, "_raise_access_denied", deny)
        self._monkeypatch.setattr(EC2ContainerServiceBackend, "update_service", update)
        self._monkeypatch.setattr(EC2ContainerServiceBackend, "describe_services", describe)

    def _begin(self, backend, service, arn):
        present = service.deployments[0]
        # Told to run what it is being brought to already, ECS begins nothing new.
        if present.get("begun") and present["taskDefinition"] == arn:
            return
        deployment = present | {
            "id": f"ecs-svc/{uuid4().int}", "status": "PRIMARY", "taskDefinition": arn, "runningCount": 0,
            "failedTasks": 0, "rolloutState": "IN_PROGRESS", "rolloutStateReason": "", "begun": True,
            "desiredCount": service.desired_count,
        }  # fmt: skip
        service.deployments = [deployment, present | {"status": "ACTIVE"}]
        definition = backend.describe_task_definition(arn)
        self._run(next(c["image"] for c in definition.container_definitions if c["name"] == "app"))

    def _proceed(self, service):
        deployment = service.deployments[0]
        if deployment["rolloutState"] != "IN_PROGRESS":
            return
        match self._health():
            case "RUNNING":
                deployment |= {"runningCount": service.desired_count, "rolloutState": "COMPLETED"}
                service.deployments = [deployment]
            case "FAILED":
                deployment["failedTasks"] += 1
                service.events.insert(0, {"id": "1", "message": f"(service {NAME}) a task stopped: exited with code 1"})
