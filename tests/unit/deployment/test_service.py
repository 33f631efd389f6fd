import pytest
from mock_ecs import NAME, REPOSITORY, image

from finbert_api.deployment.errors import AwsError, DeploymentRefused
from finbert_api.deployment.service import EcsService


def test_a_new_revision_differs_in_the_image_and_in_what_it_replaces(service, ecs):
    revision = service.register(f"{NAME}:1", image("a"), replaces=f"{NAME}:1")
    assert revision == f"{NAME}:2"
    old, new = ecs.definition(f"{NAME}:1"), ecs.definition(revision)
    assert old["tags"] == [{"key": "project", "value": "finbert-api"}]
    assert new["tags"] == [*old["tags"], {"key": "finbert:replaces", "value": f"{NAME}:1"}]
    for answer in (old, new):
        for member in ("taskDefinitionArn", "revision"):
            del answer["taskDefinition"][member]
    assert service.image(f"{NAME}:1") == image("0")
    assert new["taskDefinition"]["containerDefinitions"][1].pop("image") == image("a")
    assert old["taskDefinition"]["containerDefinitions"][1].pop("image") == image("0")
    assert new["taskDefinition"] == old["taskDefinition"]
    assert old["taskDefinition"]["containerDefinitions"][0]["image"].startswith(f"{REPOSITORY}-collector@")


def test_a_revision_remembers_only_the_one_it_replaced_itself(service, ecs):
    service.register(f"{NAME}:1", image("a"), replaces=f"{NAME}:1")
    service.register(f"{NAME}:2", image("b"), replaces=f"{NAME}:2")
    assert [service.replaced_by(f"{NAME}:{number}") for number in (1, 2, 3)] == [None, f"{NAME}:1", f"{NAME}:2"]
    assert [tag["key"] for tag in ecs.definition(f"{NAME}:3")["tags"]] == ["project", "finbert:replaces"]


def test_a_service_that_is_not_there_is_named(ecs_client):
    with pytest.raises(AwsError, match="ClusterNotFoundException"):
        EcsService("prod", ecs_client).state()
    ecs_client.create_cluster(clusterName="finbert-api-prod")
    with pytest.raises(AwsError, match="no active service finbert-api-prod"):
        EcsService("prod", ecs_client).state()


def test_a_definition_without_our_container_is_refused(service, ecs_client):
    ecs_client.register_task_definition(
        family=NAME, containerDefinitions=[{"name": "web", "image": image("1"), "memory": 64}]
    )
    with pytest.raises(DeploymentRefused, match=f"{NAME}:2 has no container named 'app'"):
        service.register(f"{NAME}:2", image("a"), replaces=f"{NAME}:1")


def test_a_rollout_is_steady_when_all_its_tasks_run_and_none_other(service, ecs, tasks):
    assert service.state().is_steady
    tasks.health_of[image("b")] = "PENDING"
    ecs.update(ecs.register(image("b")))
    state = service.state()
    assert not state.is_steady
    assert str(state.rollout) == f"{NAME}:2: 0 of 1 tasks running"
    tasks.health_of[image("b")] = "FAILED"
    state = service.state()
    assert str(state.rollout) == f"{NAME}:2: 0 of 1 tasks running, 1 failed"
    assert state.why == f" (ECS: (service {NAME}) a task stopped: exited with code 1)"
