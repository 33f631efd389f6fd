import json
from functools import partial

import pytest
from click.testing import CliRunner

from finbert_api.cli import model_training
from finbert_api.cli.main import finbert
from finbert_api.inference.artifact import read_artifact
from finbert_api.modelling import evaluate
from finbert_api.modelling.corpus import generated_corpus

word_artifact = pytest.importorskip("word_artifact", reason="needs onnx (requirements-dev.txt)", exc_type=ImportError)


@pytest.fixture(autouse=True)
def few_sentences(monkeypatch):
    """Of the generated sentences, which take seconds to make, as many as these tests need."""
    for module in (evaluate, model_training):
        monkeypatch.setattr(module, "generated_corpus", partial(generated_corpus, 1000))


@pytest.fixture
def artifact_folder(tmp_path):
    word_artifact.write_artifact(tmp_path / "artifact")
    return tmp_path / "artifact"


def run(*arguments):
    return CliRunner().invoke(finbert, ["model", *map(str, arguments)])


def test_evaluate_prints_figures_and_says_what_it_could_not_measure(artifact_folder):
    result = run("evaluate", "--artifact", artifact_folder)

    assert result.exit_code == 0
    assert json.loads(result.stdout)["sources"].keys() == {"generated"}
    assert "https://github.com/pyRis/SEntFiN" in result.stderr


def test_evaluate_writes_figures_and_picture(artifact_folder, tmp_path):
    result = run("evaluate", "--artifact", artifact_folder, "--output", tmp_path / "out")

    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == json.loads(result.stdout)
    assert (tmp_path / "out" / "evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_compares_two_artifacts(artifact_folder):
    figures = json.loads(run("evaluate", "--artifact", artifact_folder, "--compare", artifact_folder).stdout)

    assert figures["macro_f1_points_against_compared"] == {"overall": 0, "generated": 0}
    assert figures["compared_with"]["overall"] == figures["overall"]


def test_evaluate_records_only_when_asked(artifact_folder):
    run("evaluate", "--artifact", artifact_folder)
    assert read_artifact(artifact_folder).manifest.evaluation == {}

    figures = json.loads(run("evaluate", "--artifact", artifact_folder, "--record").stdout)
    assert read_artifact(artifact_folder).manifest.evaluation == figures


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--artifact", "nowhere"], "nowhere holds no manifest.json"),
        (["train", "--data", "nowhere", "--output", "out"], "SEntFiN.csv is missing: get SEntFiN 1.0"),
    ],
)
def test_what_is_missing_is_said_in_one_line(arguments, message):
    result = run(*arguments)

    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_train_writes_a_checkpoint_and_prints_its_figures(tmp_path):
    checkpoints = pytest.importorskip("checkpoints", reason="needs torch and transformers", exc_type=ImportError)
    base = checkpoints.write_checkpoint(tmp_path / "base", layers=1, hidden=16, heads=2, lessons=0)
    (tmp_path / "sentfin").mkdir()
    (tmp_path / "tfns").mkdir()
    (tmp_path / "sentfin" / "SEntFiN.csv").write_text("Title,Decisions\nAlpha rises,{'A': 'positive'}\n")
    (tmp_path / "tfns" / "train.json").write_text('[{"sentence": "it fell", "label": 1}]')

    arguments = ["--output", tmp_path / "out", "--base", base, "--epochs", 1, "--batch-size", 512]
    result = run("train", "--data", tmp_path, *arguments)

    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert figures["best_validation_macro_f1"] == record["training"]["best_validation_macro_f1"]
    assert [data["source"] for data in record["data"]] == ["headlines", "tweets", "generated"]
