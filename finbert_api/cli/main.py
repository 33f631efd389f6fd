"""The group of all commands; each is imported only when it is called, so that none pays for another's libraries."""

from typing import Any

import click

from finbert_api import __version__
from finbert_api.collector import imported
from finbert_api.domain.errors import FinbertError, StorageUnavailable

COMMANDS = {
    "run": "finbert_api.cli.run:run",
    "migrate": "finbert_api.cli.migrate:migrate",
    "keys": "finbert_api.cli.keys:keys",
    "model": "finbert_api.cli.model:model",
    "deploy": "finbert_api.cli.deploy:deploy",
}


class LazyGroup(click.Group):
    """Finds its commands by name when they are asked for; ends a user's errors as one line and status 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(imported(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except StorageUnavailable as error:
            raise click.ClickException(f"{error} ({error.reason})" if error.reason else str(error)) from error
        except FinbertError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=LazyGroup)
@click.version_option(__version__)
def finbert() -> None:
    """Financial sentiment: serve it, look after its keys, make its models."""
