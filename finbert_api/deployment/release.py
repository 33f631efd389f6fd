"""A release: register, update, wait, smoke test; and the way back, within a bound and without being asked."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from finbert_api.deployment.change import Change, Progress
from finbert_api.deployment.deadline import Deadline
from finbert_api.deployment.errors import (
    AwsError,
    DeploymentRefused,
    Interrupted,
    Overtaken,
    ReleaseFailed,
    RolloutFailed,
    Unfinished,
)
from finbert_api.deployment.image import image_by_digest, is_by_digest
from finbert_api.deployment.service import EcsService
from finbert_api.deployment.smoke import SmokeTest

# Of the time that a release may take, the part that is kept for the way back.
SHARE_OF_THE_WAY_BACK = 0.4


def release(
    service: EcsService,
    image: str,
    smoke_test: SmokeTest,
    seconds: float,
    progress: Progress,
    *,
    like: int | None = None,
) -> str:
    """Brings the service to that image and gives the new revision, or puts the previous one back.

    The new revision is the running one with another image, or else `like` that number. All of it ends within
    `seconds`. Raises DeploymentRefused or AwsError when nothing was changed, ReleaseFailed when the previous revision
    runs again, Interrupted when a signal came, Overtaken when somebody else changed the service,
    Unfinished when even the way back failed.
    """
    whole = Deadline(seconds)
    image_by_digest(image)
    present = service.state()
    previous = present.revision
    # What Terraform made of a service before its first image can't run, and is nothing to go back to.
    is_first = not is_by_digest(service.image(previous))
    if not present.is_steady and not is_first:
        raise DeploymentRefused(f"a deployment is already running ({present.rollout}); nothing was changed")
    revision = service.register(service.named(like) if like else previous, image, replaces=previous)
    change = Change(service, previous, revision, progress)
    progress(f"{revision} is registered with {image}; it replaces {previous}")
    try:
        deployment = change.begin()
        there = Deadline(whole.left - SHARE_OF_THE_WAY_BACK * seconds)
        change.wait(deployment, there)
        smoke_test.run(there, progress)
    except (DeploymentRefused, Overtaken):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, a defect of ours too, the service must not be left so
        _put_back(change, whole, str(error) or type(error).__name__, is_first=is_first)
    except (KeyboardInterrupt, SystemExit) as ending:
        _ask_back(change, ending)
    return change.new


def roll_back(service: EcsService, number: int | None, seconds: float, progress: Progress) -> str:
    """Brings the service to the revision that the present one replaced, or to that number, and gives it.

    Also in the midst of a deployment: a stuck one is what calls for it. Raises DeploymentRefused or AwsError when
    nothing was changed, Interrupted, Overtaken, Unfinished.
    """
    present = service.state().revision
    target = service.named(number) if number else service.replaced_by(present)
    if target is None:
        raise DeploymentRefused(f"{present} was not made by a release, so it replaced none; choose one with --to")
    change = Change(service, present, target, progress)
    progress(f"replacing {present} with {target}")
    try:
        change.wait(change.begin(), Deadline(seconds))
    except (AwsError, RolloutFailed) as error:
        raise Unfinished(f"{error}; ECS was told to run {target} and goes on trying") from error
    except (KeyboardInterrupt, SystemExit) as ending:
        raise Interrupted(f"interrupted; ECS was told to run {target} and goes on by itself") from ending
    return target


def _put_back(change: Change, whole: Deadline, reason: str, *, is_first: bool) -> NoReturn:
    """Brings the service back to the previous revision and raises what became of it."""
    change.progress(f"{reason}; putting {change.old} back")
    back = change.back
    try:
        with _uninterrupted():
            deployment = back.begin_unless_overtaken()
        if is_first:
            raise ReleaseFailed(f"{reason}; it was the first release, so nothing runs, as before")
        back.wait(deployment, whole)
    except (AwsError, DeploymentRefused, RolloutFailed) as error:
        raise Unfinished(f"{reason}; {_not_back(change, error)}") from error
    except (KeyboardInterrupt, SystemExit) as ending:
        raise Interrupted(f"{reason}; interrupted, but {_told(change)}") from ending
    raise ReleaseFailed(f"{reason}; {change.old} runs again, {whole.passed:.0f} s after the release began")


def _ask_back(change: Change, ending: BaseException) -> NoReturn:
    """Tells ECS to go back and waits for nothing: who sends a signal soon sends one that can't be caught."""
    with _uninterrupted():
        try:
            change.back.begin_unless_overtaken()
        except (AwsError, DeploymentRefused) as error:
            raise Unfinished(f"interrupted; {_not_back(change, error)}") from error
    raise Interrupted(f"interrupted; {_told(change)}") from ending


def _told(change: Change) -> str:
    status = f"finbert deploy status --environment {change.service.environment}"
    return f"ECS was told to run {change.old} again and does so by itself; {status} shows it"


def _not_back(change: Change, error: Exception) -> str:
    number = change.old.rpartition(":")[2]
    command = f"finbert deploy rollback --environment {change.service.environment} --to {number}"
    return f"{change.old} is not back ({error}) and {change.new} may go on rolling out; put it back with: {command}"


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Lets no signal end the one call that must not be missed."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, handlers, strict=True):
            signal.signal(number, handler)
