"""`finbert model`: export a checkpoint as an artifact; train and evaluate."""

import json
from importlib import import_module
from pathlib import Path

import click
from tqdm import tqdm

from finbert_api.cli.model_training import evaluate_command, train_command
from finbert_api.inference.artifact import PRECISIONS
from finbert_api.modelling.known_points import KNOWN_POINTS, read_known_points

ARTIFACTS = Path("var/models")


@click.group()
def model() -> None:
    """Train, evaluate and export models."""


@model.command()
@click.option("--model", "model_id", required=True, help="Hub id or local folder in Hugging Face format.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="The artifact's directory.  [default: var/models/NAME-VERSION]"
)
@click.option("--precision", type=click.Choice(PRECISIONS), default="int8", show_default=True)
@click.option("--name", help="The artifact's name.  [default: the checkpoint's own]")
@click.option("--version", default="1.0.0", show_default=True, help="The artifact's version.")
@click.option(
    "--expect", type=click.Choice(sorted(KNOWN_POINTS)), help="The hub id whose weights a folder is said to hold."
)
@click.option(
    "--known-points",
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON file of published scores that the model must give: {points: [{text, positive, ...}]}.",
)
def export(
    *,
    model_id: str,
    output: Path | None,
    precision: str,
    name: str | None,
    version: str,
    expect: str | None,
    known_points: Path | None,
) -> None:
    """Export a PyTorch checkpoint to a model artifact, if it scores as the original does.

    The licence of the weights of ProsusAI/finbert is unclear (finBERT issue 76).
    """
    known_as = expect or model_id
    points = [*KNOWN_POINTS.get(known_as, ()), *(read_known_points(known_points) if known_points else ())]
    click.echo(f"loading {model_id}", err=True)
    # Imported here, so that the commands beside this one need no PyTorch.
    checkpoint = import_module("finbert_api.modelling.checkpoint").load_checkpoint(model_id)
    name = name or checkpoint.training.get("name") or checkpoint.name
    output = output or ARTIFACTS / f"{name}-{version}"
    click.echo(f"exporting to {output}", err=True)
    artifact = import_module("finbert_api.modelling.publish").export_artifact(
        checkpoint,
        output,
        name=name,
        version=version,
        precision=precision,
        known_as=expect,
        known_points=points,
        progress=tqdm,
    )
    summary = {
        "model_version": artifact.manifest.model_version,
        "path": str(output),
        "precision": precision,
        "bytes": sum(file.stat().st_size for file in output.iterdir()),
        "parity": artifact.manifest.parity,
    }
    click.echo(json.dumps(summary))


model.add_command(train_command)
model.add_command(evaluate_command)
