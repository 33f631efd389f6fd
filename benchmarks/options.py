"""Options that several benchmarks share."""

from pathlib import Path

import click

from benchmarks.report import RESULTS

MODELS = ("bert-base", "compact")


def numbers(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
    """The whole numbers of a list separated by commas, each once, in rising order."""
    parts = value.split(",")
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise click.BadParameter(f"{value!r} is no list of numbers such as 1,4,16")
    return tuple(sorted(set(map(int, parts))))


model_option = click.option(
    "--model",
    type=click.Choice(MODELS),
    default=MODELS[0],
    show_default=True,
    help="BERT-base with random weights, or the bundled model.",
)
clients_option = click.option("--clients", callback=numbers, default="1,4,16,64", show_default=True, help="At a time.")
seconds_option = click.option(
    "--seconds", type=click.FloatRange(0.1), default=6.0, show_default=True, help="Of each measurement."
)
warm_up_option = click.option(
    "--warm-up", type=click.FloatRange(0), default=2.0, show_default=True, help="Seconds before each measurement."
)
results_option = click.option(
    "--results", type=click.Path(file_okay=False, path_type=Path), default=RESULTS, help="Where files go."
)
