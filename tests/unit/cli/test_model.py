import json
import shutil

import pytest
from checkpoints import write_checkpoint
from click.testing import CliRunner

from finbert_api.cli.main import finbert
from finbert_api.inference.artifact import read_artifact, verify_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny-finbert", max_tokens=160)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `finbert model export` in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(finbert, ["model", "export", *map(str, arguments)])


def test_export_ends_with_one_line_of_json_about_the_artifact(run, folder, tmp_path):
    result = run("--model", folder)
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout.splitlines()[-1])
    output = tmp_path / "var/models/tiny-finbert-1.0.0"
    assert summary["model_version"] == "tiny-finbert-1.0.0"
    assert summary["path"] == "var/models/tiny-finbert-1.0.0"
    assert summary["precision"] == "int8"
    assert summary["bytes"] == sum(path.stat().st_size for path in output.iterdir())
    assert summary["parity"]["int8"]["equal_labels"] >= 0.99
    verify_files(read_artifact(output))
    assert "int8 scores" in result.stderr


def test_name_version_precision_and_place_are_the_users(run, folder, tmp_path):
    result = run("--model", folder, "--output", "here", "--name", "mine", "--version", "2.1", "--precision", "fp32")
    assert result.exit_code == 0, result.output
    manifest = read_artifact(tmp_path / "here").manifest
    assert (manifest.model_version, manifest.precision) == ("mine-2.1", "fp32")


def test_the_name_that_training_gave_is_the_default(run, folder, tmp_path):
    trained = shutil.copytree(folder, tmp_path / "run-7")
    (trained / "training.json").write_text('{"name": "finbert-compact"}')
    assert run("--model", trained, "--precision", "fp32").exit_code == 0
    assert read_artifact(tmp_path / "var/models/finbert-compact-1.0.0").manifest.name == "finbert-compact"


def test_other_weights_than_the_expected_ones_end_as_one_line(run, folder, tmp_path):
    result = run("--model", folder, "--expect", "ProsusAI/finbert")
    assert result.exit_code == 1
    assert "Error: this is not the model it should be" in result.stderr.splitlines()[-1]
    assert result.stdout == ""
    assert not list(tmp_path.rglob("manifest.json"))


def test_known_points_of_the_users_own_are_checked(run, folder, tmp_path):
    points = tmp_path / "points.json"
    points.write_text(json.dumps({"points": [{"text": "the company said that net sales rose", "neutral": 1}]}))
    result = run("--model", folder, "--known-points", points)
    assert result.exit_code == 1
    assert "published is 1.0000" in result.stderr.splitlines()[-1]


def test_a_missing_checkpoint_ends_as_one_line(run, tmp_path):
    result = run("--model", tmp_path / "missing")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in result.output
