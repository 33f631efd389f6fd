"""`python -m benchmarks NAME`: runs one benchmark."""

from importlib import import_module

import click

NAMES = ("limit", "precision", "serve", "startup", "memory", "overload", "storage", "observability", "users")


class Benchmarks(click.Group):
    """The benchmarks by name, each imported when it is asked for: some need PyTorch, which takes seconds."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command in the module of that name."""
        if cmd_name not in NAMES:
            return None
        command: click.Command = getattr(import_module(f"benchmarks.{cmd_name}"), cmd_name)
        return command


@click.group(cls=Benchmarks, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure the service on this machine."""


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
