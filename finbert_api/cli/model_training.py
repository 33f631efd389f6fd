"""`finbert model train` and `finbert model evaluate`."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import click
from tqdm import tqdm

from finbert_api.inference.artifact import read_artifact
from finbert_api.modelling.corpus import SPLIT_SEED, generated_corpus, read_corpus, split
from finbert_api.modelling.evaluate import (
    macro_f1_difference,
    read_evaluation_set,
    record_evaluation,
    report,
    score_texts,
)
from finbert_api.modelling.training_settings import DEFAULT_BASE, TrainingSettings
from finbert_api.settings import BUNDLED_MODEL

_DEFAULTS = TrainingSettings()
_DIRECTORY = click.Path(file_okay=False, path_type=Path)


@click.command("train")
@click.option("--data", required=True, type=_DIRECTORY, help="Holds sentfin/SEntFiN.csv and tfns/train.json.")
@click.option("--output", required=True, type=_DIRECTORY, help="The checkpoint's folder.")
@click.option("--base", default=DEFAULT_BASE, show_default=True, help="Hub id or local folder to start from.")
@click.option("--epochs", default=_DEFAULTS.epochs, show_default=True, type=click.IntRange(1))
@click.option("--batch-size", default=_DEFAULTS.batch_size, show_default=True, type=click.IntRange(1))
@click.option("--learning-rate", default=_DEFAULTS.learning_rate, show_default=True, type=click.FloatRange(0))
@click.option("--seed", default=_DEFAULTS.seed, show_default=True, help="Of weights and batches, not of the split.")
def train_command(
    *, data: Path, output: Path, base: str, epochs: int, batch_size: int, learning_rate: float, seed: int
) -> None:
    """Fine-tune an encoder on headlines, tweets and generated company-report sentences."""
    examples, records = read_corpus(data)
    sentences, sentences_record = generated_corpus()
    splits = split(examples + sentences)
    # Imported here, so that `evaluate` beside it needs no PyTorch.
    training = import_module("finbert_api.modelling.train")
    settings = replace(_DEFAULTS, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
    result = training.train(splits, [*records, sentences_record], output, base=base, settings=settings, progress=tqdm)
    summary = {
        "checkpoint": str(output),
        "best_validation_macro_f1": round(result.best_macro_f1, 4),
        "best_step": result.best_step,
        "steps": result.steps,
        "seconds": result.seconds,
        "split_seed": SPLIT_SEED,
    }
    click.echo(json.dumps(summary))


@click.command("evaluate")
@click.option("--artifact", "directory", default=BUNDLED_MODEL, type=_DIRECTORY, help="[default: the bundled model]")
@click.option("--compare", type=_DIRECTORY, help="A second artifact, such as the fp32 one of the same model.")
@click.option("--data", type=_DIRECTORY, help="Holds sentfin/SEntFiN.csv and tfns/train.json.")
@click.option("--output", type=_DIRECTORY, help="Where evaluation.json and evaluation.png go.")
@click.option("--record", is_flag=True, help="Write the figures into the artifact's manifest.")
def evaluate_command(
    directory: Path, compare: Path | None, data: Path | None, output: Path | None, record: bool
) -> None:
    """Score the test split with an artifact and print its figures as JSON."""
    artifact = read_artifact(directory)
    evaluation_set = read_evaluation_set(data)
    for line in evaluation_set.missing:
        click.echo(line, err=True)
    texts = [example.text for example in evaluation_set.examples]
    scores = score_texts(artifact, texts, tqdm)
    figures = report(artifact, evaluation_set, scores, tqdm)
    if compare:
        other_artifact = read_artifact(compare)
        other = report(other_artifact, evaluation_set, score_texts(other_artifact, texts, tqdm), tqdm)
        figures["compared_with"] = other
        figures["macro_f1_points_against_compared"] = macro_f1_difference(figures, other)
    if record:
        record_evaluation(directory, figures)
    text = json.dumps(figures, indent=2)
    if output:
        # Imported here, so that figures alone need no matplotlib.
        picture = import_module("finbert_api.modelling.picture")
        output.mkdir(parents=True, exist_ok=True)
        (output / "evaluation.json").write_text(text + "\n", encoding="utf-8")
        true = [example.label for example in evaluation_set.examples]
        picture.draw_evaluation(output / "evaluation.png", figures, true, scores)
    click.echo(text)
