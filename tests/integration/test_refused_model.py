"""A model that fails its checks never becomes ready, and the log says why."""

import json
import shutil

import pytest
from support import wait_for

from finbert_api.settings import BUNDLED_MODEL


def change_manifest(directory, change):
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def swap_labels(directory):
    def change(manifest):
        order = manifest["labels"]
        manifest["labels"] = [order[1], order[0], order[2]]

    change_manifest(directory, change)


def spoil_weights(directory):
    with (directory / "model.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"spoilt")


def change_golden_scores(directory):
    def change(manifest):
        for golden in manifest["golden_texts"]:
            golden["scores"] = {"positive": 0.1, "negative": 0.1, "neutral": 0.8}

    change_manifest(directory, change)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (swap_labels, "wrong label order"),
        (spoil_weights, "model.onnx is not the published file"),
        (change_golden_scores, "golden text"),
    ],
)
def test_a_refused_model_is_alive_never_ready_and_says_why(start_service, migrated_database, tmp_path, spoil, reason):
    artifact = shutil.copytree(BUNDLED_MODEL, tmp_path / "artifact")
    spoil(artifact)
    service = start_service(DATABASE_URL=migrated_database(), MODEL_STORE=str(artifact), WEB_CONCURRENCY="1")
    wait_for(lambda: service.status_of("/health") == 200, "the service to be alive")
    status, _, state = service.request("GET", "/ready")
    assert status == 503
    assert state == {"model_loaded": False, "db_connected": True, "model_version": None}
    assert service.request("POST", "/api/v1/predict", {"text": "Profit rose."})[0] == 503
    refusals = [line for line in service.log_lines() if line["message"] == "model refused: never ready"]
    assert len(refusals) == 1
    assert refusals[0]["level"] == "ERROR"
    assert reason in refusals[0]["cause"]
