"""`python -m benchmarks NAME`: runs one benchmark."""

import click

from benchmarks.storage import storage


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure the service on this machine."""


main.add_command(storage)

if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
