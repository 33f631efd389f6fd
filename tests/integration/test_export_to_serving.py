"""From a checkpoint as the model hub keeps it to predictions over HTTP."""

import json

import pytest
from checkpoints import write_checkpoint
from support import finbert

from finbert_api.modelling.checkpoint import load_checkpoint

TEXTS = ["profit rose sharply", "the company cut its guidance after a loss", "sales were unchanged"]


def test_an_exported_checkpoint_serves_the_scores_that_pytorch_gives(tmp_path, start_service, migrated_database):
    folder = write_checkpoint(tmp_path / "tiny-finbert", vocab_size=1100, max_tokens=160)
    exported = finbert(
        "model", "export", "--model", str(folder), "--version", "2.0.0",
        "--output", str(tmp_path / "store" / "tiny"),
    )  # fmt: skip
    assert exported.returncode == 0, exported.stderr[-2000:]
    assert json.loads(exported.stdout.splitlines()[-1])["model_version"] == "tiny-finbert-2.0.0"

    service = start_service(DATABASE_URL=migrated_database(), MODEL_STORE=str(tmp_path / "store"), WEB_CONCURRENCY="1")
    service.wait_until_ready()
    checkpoint = load_checkpoint(str(folder))
    for text, expected in zip(TEXTS, checkpoint.scores(TEXTS), strict=True):
        status, headers, body = service.request("POST", "/api/v1/predict", {"text": text})
        assert status == 200
        assert headers["X-Model-Version"] == body["model_version"] == "tiny-finbert-2.0.0"
        scores = [body["scores"][label] for label in checkpoint.labels]
        assert scores == pytest.approx(expected.tolist(), abs=0.05)
