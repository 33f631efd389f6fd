import signal
import time

import pytest
from mock_ecs import NAME, image
from scripted_service import READY

from finbert_api.deployment.errors import (
    AwsError,
    DeploymentRefused,
    Interrupted,
    Overtaken,
    ReleaseFailed,
    SmokeTestFailed,
    Unfinished,
)
from finbert_api.deployment.release import release, roll_back

FIRST, SECOND, THIRD = (f"{NAME}:{number}" for number in (1, 2, 3))


@pytest.fixture
def run(service, smoke_test):
    """Releases an image; within a time that nothing needs that goes well."""

    def run(name, seconds=30.0, **options):
        return release(service, name, smoke_test, seconds, run.said.append, **options)

    run.said = []
    return run


def test_a_good_image_becomes_a_new_revision(run, ecs, service):
    assert run(image("a")) == SECOND
    assert ecs.revision == SECOND
    assert service.image(SECOND) == image("a")
    assert run.said == [
        f"{SECOND} is registered with {image('a')}; it replaces {FIRST}",
        f"{SECOND}: 1 of 1 tasks running",
        "ready with finbert-1",
        "predicts, keeps and is healthy",
    ]


def test_all_but_the_image_may_come_from_another_revision(run, ecs, service):
    ecs.register(image("b"))
    assert run(image("a"), like=2) == THIRD
    assert service.image(THIRD) == image("a")
    assert service.replaced_by(THIRD) == FIRST


def test_a_tag_is_refused_before_anything_is_asked(run, ecs):
    with pytest.raises(DeploymentRefused):
        run("finbert-api:latest")
    assert run.said == []
    assert ecs.revision == FIRST


def test_a_running_deployment_is_left_alone(run, ecs, tasks):
    tasks.health_of[image("b")] = "PENDING"
    ecs.update(ecs.register(image("b")))
    with pytest.raises(DeploymentRefused, match="already running"):
        run(image("a"))
    assert ecs.revision == SECOND


def test_a_rollout_that_never_ends_is_undone_within_the_bound(run, ecs, tasks):
    tasks.health_of[image("a")] = "PENDING"
    began = time.monotonic()
    with pytest.raises(ReleaseFailed, match=rf"0 of 1 tasks running after 1 s; {FIRST} runs again, 1 s after"):
        run(image("a"), seconds=2)
    assert 1.2 <= time.monotonic() - began < 2
    assert ecs.revision == FIRST


def test_tasks_that_fail_twice_are_not_waited_for(run, ecs, tasks):
    tasks.health_of[image("a")] = "FAILED"
    with pytest.raises(ReleaseFailed, match=r"2 failed \(ECS: .*exited with code 1\)"):
        run(image("a"))
    assert ecs.revision == FIRST


def test_a_failed_smoke_test_is_undone(run, ecs, answers):
    answers.by_route["GET /health"] = [(500, {}, {})]
    with pytest.raises(ReleaseFailed, match="GET /health answers 500"):
        run(image("a"))
    assert ecs.revision == FIRST


def test_wait_and_smoke_test_share_the_time(run, ecs, answers):
    answers.by_route["GET /ready"] = [(503, READY, {})]
    began = time.monotonic()
    with pytest.raises(ReleaseFailed, match="not ready within 1 s"):
        run(image("a"), seconds=2.4)
    assert time.monotonic() - began < 2


def test_ecs_that_goes_back_by_itself_is_noticed(run, ecs, tasks):
    def give_up():
        tasks.health_of[image("a")] = "PENDING"
        ecs.update(FIRST)
        return "PENDING"

    def begin():
        tasks.health_of[image("a")] = give_up
        return "PENDING"

    tasks.health_of[image("a")] = begin
    with pytest.raises(ReleaseFailed, match=f"ECS gave up on {SECOND}"):
        run(image("a"))
    assert ecs.revision == FIRST


def test_a_release_that_another_overtakes_leaves_it_alone(run, ecs, tasks):
    def overtake():
        tasks.health_of[image("a")] = "PENDING"
        ecs.update(ecs.register(image("b")))
        return "PENDING"

    tasks.health_of[image("a")] = overtake
    with pytest.raises(Overtaken, match=f"somebody else brings the service to {THIRD}"):
        run(image("a"))
    assert ecs.revision == THIRD


def test_a_failed_smoke_test_undoes_nothing_of_anothers(run, ecs, answers, smoke_test, monkeypatch):
    def overtake_and_fail(deadline, progress):
        ecs.update(ecs.register(image("b")))
        type(smoke_test).run(smoke_test, deadline, progress)

    answers.by_route["GET /health"] = [(500, {}, {})]
    monkeypatch.setattr(smoke_test, "run", overtake_and_fail)
    with pytest.raises(Overtaken):
        run(image("a"))
    assert ecs.revision == THIRD


def test_permissions_that_are_lost_meanwhile_leave_a_state_that_is_said(run, ecs, tasks):
    def lose():
        ecs.allow_all_but("ecs:DescribeServices", "ecs:UpdateService")
        return "PENDING"

    tasks.health_of[image("a")] = lose
    with pytest.raises(Unfinished) as raised:
        run(image("a"))
    said = str(raised.value)
    assert said.startswith("AWS refuses DescribeServices: AccessDenied")
    assert f"{FIRST} is not back (AWS refuses UpdateService: AccessDenied" in said
    assert f"{SECOND} may go on rolling out" in said
    assert said.endswith("finbert deploy rollback --environment dev --to 1")
    assert ecs.revision == SECOND


def test_who_may_no_longer_look_still_goes_back(run, ecs, tasks):
    def lose():
        ecs.allow_all_but("ecs:DescribeServices")
        return "PENDING"

    tasks.health_of[image("a")] = lose
    with pytest.raises(Unfinished, match="AWS refuses DescribeServices"):
        run(image("a"))
    assert ecs.revision == FIRST


def test_an_aws_that_is_away_for_a_moment_is_asked_again(run, service, monkeypatch):
    state = service.state
    away = iter([False, True, True, False, False])

    def sometimes():
        if next(away):
            raise AwsError("AWS can't be asked", is_certain=False)
        return state()

    monkeypatch.setattr(service, "state", sometimes)
    assert run(image("a")) == SECOND
    assert run.said.count("AWS can't be asked") == 1


def test_an_update_without_an_answer_may_have_happened_and_is_undone(run, ecs, service, monkeypatch):
    update = service.update

    def lose_answer(revision):
        monkeypatch.setattr(service, "update", update)
        update(revision)
        raise AwsError("AWS can't be asked: no answer", is_certain=False)

    monkeypatch.setattr(service, "update", lose_answer)
    with pytest.raises(ReleaseFailed, match="no answer"):
        run(image("a"))
    assert ecs.revision == FIRST


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interrupted_release_goes_back_without_waiting(run, ecs, tasks, smoke_test, ending):
    def interrupt(*_):
        tasks.health_of[image("0")] = "PENDING"
        raise ending

    smoke_test.run = interrupt
    with pytest.raises(Interrupted, match=f"ECS was told to run {FIRST} again and does so by itself"):
        run(image("a"))
    assert ecs.revision == FIRST
    assert ecs.deployments[0]["rolloutState"] == "IN_PROGRESS"


def test_the_first_release_needs_nothing_that_runs_and_has_nothing_to_go_back_to(run, ecs, tasks, answers):
    unreleased = "finbert-api:unreleased"
    tasks.health_of[unreleased] = "FAILED"
    ecs.update(ecs.register(unreleased))
    answers.by_route["GET /health"] = [(500, {}, {}), (200, {"status": "ok"}, {})]
    with pytest.raises(ReleaseFailed, match="it was the first release, so nothing runs, as before"):
        run(image("a"))
    assert ecs.revision == SECOND
    assert run(image("b")) == f"{NAME}:4"


def test_a_defect_of_ours_is_undone_too(run, ecs, smoke_test):
    def stumble(*_):
        raise ZeroDivisionError

    smoke_test.run = stumble
    with pytest.raises(ReleaseFailed, match=f"ZeroDivisionError; {FIRST} runs again"):
        run(image("a"))
    assert ecs.revision == FIRST


def test_an_interrupted_release_that_may_not_go_back_says_so(run, ecs, smoke_test, monkeypatch):
    def interrupt(*_):
        ecs.allow_all_but("ecs:UpdateService")
        raise KeyboardInterrupt

    monkeypatch.setattr(smoke_test, "run", interrupt)
    with pytest.raises(Unfinished, match=f"^interrupted; {FIRST} is not back"):
        run(image("a"))
    assert ecs.revision == SECOND


def test_a_signal_on_the_way_back_does_not_stop_it(run, ecs, answers, service, monkeypatch):
    update = service.update

    def with_a_signal(revision):
        if revision == FIRST:
            signal.raise_signal(signal.SIGINT)
        return update(revision)

    answers.by_route["GET /health"] = [(500, {}, {})]
    monkeypatch.setattr(service, "update", with_a_signal)
    with pytest.raises(ReleaseFailed):
        run(image("a"))
    assert ecs.revision == FIRST
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_while_it_waits_for_the_way_back_says_what_goes_on(run, ecs, tasks, smoke_test):
    def interrupt():
        tasks.health_of[image("0")] = "PENDING"
        signal.raise_signal(signal.SIGINT)
        return "PENDING"

    def fail(*_):
        tasks.health_of[image("0")] = interrupt
        raise SmokeTestFailed("it is ill")

    smoke_test.run = fail
    with pytest.raises(Interrupted, match=f"it is ill; interrupted, but ECS was told to run {FIRST} again"):
        run(image("a"))
    assert ecs.revision == FIRST


def test_a_rollback_leads_to_what_was_replaced_and_on_from_there(run, service, ecs):
    run(image("a"))
    run(image("b"))
    assert roll_back(service, None, 10, run.said.append) == SECOND
    assert roll_back(service, None, 10, run.said.append) == FIRST
    assert ecs.revision == FIRST
    with pytest.raises(DeploymentRefused, match=f"{FIRST} was not made by a release"):
        roll_back(service, None, 10, run.said.append)
    assert roll_back(service, 3, 10, run.said.append) == THIRD


def test_a_rollback_ends_a_stuck_deployment(service, ecs, tasks):
    tasks.health_of[image("a")] = "PENDING"
    ecs.update(ecs.register(image("a")))
    assert roll_back(service, 1, 10, lambda _: None) == FIRST
    assert len(ecs.deployments) == 1


def test_a_rollback_to_nothing_changes_nothing(service, ecs):
    with pytest.raises(DeploymentRefused, match="AWS refuses UpdateService"):
        roll_back(service, 7, 10, lambda _: None)
    assert ecs.revision == FIRST


def test_a_rollback_that_does_not_end_says_what_goes_on(run, service, ecs, tasks):
    run(image("a"))
    tasks.health_of[image("0")] = "PENDING"
    with pytest.raises(Unfinished, match=f"after 0 s.*; ECS was told to run {FIRST} and goes on trying"):
        roll_back(service, None, 0.1, lambda _: None)
