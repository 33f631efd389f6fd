"""`finbert deploy`: release an image to ECS, see what runs, go back, smoke-test."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from finbert_api.deployment.aws import api_key, base_url, client
from finbert_api.deployment.deadline import Deadline
from finbert_api.deployment.errors import (
    DeploymentError,
    Interrupted,
    Overtaken,
    ReleaseFailed,
    Unfinished,
)
from finbert_api.deployment.release import release as release_image
from finbert_api.deployment.release import roll_back
from finbert_api.deployment.service import EcsService
from finbert_api.deployment.smoke import SmokeTest

# docs/commands.md says them in words. What is not here ends with 1: nothing was changed.
EXIT_STATUS: dict[type[DeploymentError], int] = {ReleaseFailed: 3, Unfinished: 4, Overtaken: 4, Interrupted: 5}

Command = Callable[..., None]


def _environment(command: Command) -> Command:
    return click.option(
        "--environment",
        required=True,
        type=click.Choice(["dev", "prod"]),
        help="Whose service finbert-api-ENVIRONMENT.",
    )(command)


def _region(command: Command) -> Command:
    return click.option("--region", help="The AWS region.  [default: the AWS configuration's]")(command)


def _url(command: Command) -> Command:
    return click.option("--url", help="The address that clients call.  [default: the one that Terraform made]")(command)


def _timeout(seconds: int, what: str) -> Callable[[Command], Command]:
    return click.option(
        "--timeout", type=click.IntRange(10, 3600), default=seconds, show_default=True, help=f"Seconds for {what}."
    )


@click.group()
def deploy() -> None:
    """Release to ECS, go back, and see what runs."""


@deploy.command()
@_environment
@click.option("--image", required=True, help="REPOSITORY@sha256:DIGEST; a tag is refused.")
@_url
@click.option(
    "--like",
    type=click.IntRange(min=1),
    help="The revision's number to take all but the image from.  [default: running]",
)
@_timeout(290, "all of it, the way back included")
@_region
def release(
    *, environment: str, image: str, url: str | None, like: int | None, timeout: int, region: str | None
) -> None:
    """Run an image: new revision, wait, smoke test; if that fails the previous revision is put back."""
    with _exit_status():
        service = EcsService(environment, client("ecs", region))
        smoke_test = _smoke_test(url, environment, region)
        revision = release_image(service, image, smoke_test, timeout, _progress, like=like)
    click.echo(f"{revision} is released to {environment}")


@deploy.command()
@_environment
@_region
def status(*, environment: str, region: str | None) -> None:
    """Show what runs: revision, image, tasks, and what a rollback would lead to."""
    with _exit_status():
        service = EcsService(environment, client("ecs", region))
        state = service.state()
        click.echo(f"{state.rollout}; {'steady' if state.is_steady else f'not steady{state.why}'}")
        click.echo(f"image: {service.image(state.revision)}")
        click.echo(f"replaced: {service.replaced_by(state.revision) or 'none that a release knows of'}")


@deploy.command()
@_environment
@click.option("--to", "number", type=click.IntRange(min=1), help="A revision's number.  [default: the replaced one]")
@_timeout(290, "the wait")
@_region
def rollback(*, environment: str, number: int | None, timeout: int, region: str | None) -> None:
    """Go back to the revision that the present one replaced, even in the midst of a deployment."""
    with _exit_status():
        revision = roll_back(EcsService(environment, client("ecs", region)), number, timeout, _progress)
    click.echo(f"{revision} runs in {environment}")


@deploy.command()
@_environment
@_url
@_timeout(60, "the wait for /ready")
@_region
def smoke(*, environment: str, url: str | None, timeout: int, region: str | None) -> None:
    """Ask the running service: is a model loaded, is a sentence predicted and kept, is it healthy."""
    with _exit_status():
        smoke_test = _smoke_test(url, environment, region)
        smoke_test.run(Deadline(timeout), _progress)
    click.echo(f"{smoke_test.url} passes the smoke test")


def _smoke_test(url: str | None, environment: str, region: str | None) -> SmokeTest:
    """With the key of FINBERT_API_KEY, or else the one that the environment's tasks have."""
    key = os.environ.get("FINBERT_API_KEY") or api_key(environment, region)
    return SmokeTest(url or base_url(environment, region), key)


def _progress(line: str) -> None:
    click.echo(line, err=True)


@contextmanager
def _exit_status() -> Iterator[None]:
    """Ends an error as one line and the exit status of its kind."""
    try:
        yield
    except DeploymentError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(EXIT_STATUS.get(type(error), 1)) from error
