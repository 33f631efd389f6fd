import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub
import numpy as np
import pytest
import torch
from checkpoints import write_checkpoint

from finbert_api.domain.errors import CheckpointError
from finbert_api.domain.sentiment import Label
from finbert_api.modelling.checkpoint import load_checkpoint

COMMIT = "4556d13015211d73dccd3fdd39d39232506f3e43"


@pytest.fixture
def spoilable(checkpoint_folder, tmp_path):
    return shutil.copytree(checkpoint_folder, tmp_path / "spoilable")


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def use_hub(tmp_path, monkeypatch):
    """Points the hub's client, its cache empty, at another address, as HF_ENDPOINT does for a new process."""

    def use(endpoint):
        constants = huggingface_hub.constants
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))

    return use


@pytest.fixture
def hub(use_hub):
    """The files of a server that knows one model, ProsusAI/finbert at commit COMMIT, and speaks as the hub does."""
    files = {}

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self._answer(self._found())

        def do_GET(self):
            body = self._found()
            self._answer(body)
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

        def _found(self):
            if self.path.startswith("/api/models/ProsusAI/finbert/tree/"):
                tree = [{"type": "file", "path": name, "size": len(files[name]), "oid": name} for name in files]
                return json.dumps(tree).encode()
            if self.path.startswith("/api/models/ProsusAI/finbert"):
                return json.dumps({"id": "ProsusAI/finbert", "sha": COMMIT, "siblings": []}).encode()
            return files.get(self.path.removeprefix(f"/ProsusAI/finbert/resolve/{COMMIT}/"))

        def _answer(self, body):
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.send_header("ETag", f'"{len(body or b"")}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    use_hub(f"http://127.0.0.1:{server.server_port}")
    yield files
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_hub_shaped_folder_gives_labels_limit_and_name(checkpoint):
    assert checkpoint.labels == (Label.POSITIVE, Label.NEGATIVE, Label.NEUTRAL)
    assert checkpoint.max_tokens == 160
    assert checkpoint.name == "tiny-finbert"
    assert not checkpoint.model.training
    assert checkpoint.training == {}


def test_the_label_order_is_the_checkpoints_own_whatever_its_case(tmp_path):
    folder = write_checkpoint(tmp_path / "other", labels=("Neutral", "POSITIVE", "negative"), layers=1, lessons=0)
    assert load_checkpoint(str(folder)).labels == (Label.NEUTRAL, Label.POSITIVE, Label.NEGATIVE)


def test_what_training_wrote_comes_along(spoilable):
    (spoilable / "training.json").write_text('{"name": "finbert-compact"}')
    assert load_checkpoint(str(spoilable)).training == {"name": "finbert-compact"}


@pytest.mark.parametrize(
    "labels", [("LABEL_0", "LABEL_1", "LABEL_2"), ("positive", "negative"), ("positive", "negative", "negative")]
)
def test_other_labels_are_refused_by_name(spoilable, labels):
    change_config(spoilable, id2label={str(i): label for i, label in enumerate(labels)})
    with pytest.raises(CheckpointError, match=f"labels {', '.join(labels)}; it must have positive, negative, neutral"):
        load_checkpoint(str(spoilable))


@pytest.mark.parametrize(
    ("change", "said"),
    [({"model_type": "distilbert"}, "distilbert model; only bert"), ({"hidden_act": "gelu_new"}, "only gelu")],
)
def test_what_the_exporter_does_not_know_is_refused(spoilable, change, said):
    change_config(spoilable, **change)
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(str(spoilable))


def test_an_encoder_without_a_classifier_is_refused_rather_than_given_a_random_one(spoilable):
    path = spoilable / "pytorch_model.bin"
    state = torch.load(path)
    torch.save({name: value for name, value in state.items() if "classifier" not in name}, path)
    with pytest.raises(CheckpointError, match=r"lacks the weights classifier\.bias, classifier\.weight"):
        load_checkpoint(str(spoilable))


@pytest.mark.parametrize("spoil", ["config.json", "pytorch_model.bin"])
def test_an_unreadable_file_is_one_clear_line(spoilable, spoil):
    (spoilable / spoil).write_bytes(b"not what it was")
    with pytest.raises(CheckpointError, match="spoilable can't be loaded as a checkpoint: ") as caught:
        load_checkpoint(str(spoilable))
    assert "\n" not in str(caught.value)


def test_a_path_that_is_no_folder_is_said_to_be_none(tmp_path):
    with pytest.raises(CheckpointError, match="missing is neither a folder here nor a model id of the hub"):
        load_checkpoint(str(tmp_path / "missing"))


def test_a_hub_id_is_downloaded_and_remembers_its_commit(hub, checkpoint_folder, checkpoint):
    hub.update({path.name: path.read_bytes() for path in checkpoint_folder.iterdir()})
    fetched = load_checkpoint("ProsusAI/finbert")
    assert (fetched.name, fetched.revision) == ("finbert", COMMIT)
    text = ["sales rose"]
    assert np.array_equal(fetched.scores(text), checkpoint.scores(text))


def test_an_unreachable_hub_is_one_clear_line(use_hub):
    use_hub("http://127.0.0.1:1")
    with pytest.raises(CheckpointError, match="ProsusAI/finbert is no folder here and can't be fetched") as caught:
        load_checkpoint("ProsusAI/finbert")
    assert "\n" not in str(caught.value)


def test_scores_follow_the_order_of_the_texts_and_of_the_labels(checkpoint):
    texts = ["the company said that sales fell", "sales rose", "the annual general meeting of the company " * 90]
    scores = checkpoint.scores(texts)
    assert scores.shape == (3, 3)
    assert np.allclose(scores.sum(axis=1), 1)
    assert [checkpoint.labels[column] for column in scores[:2].argmax(axis=1)] == [Label.NEGATIVE, Label.POSITIVE]
    alone = np.concatenate([checkpoint.scores([text]) for text in texts])
    assert np.abs(scores - alone).max() < 1e-5


def test_ids_are_words_of_the_vocabulary_between_the_special_tokens(checkpoint, checkpoint_folder):
    vocabulary = (checkpoint_folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    ids = checkpoint.token_ids("Sales ROSE, raising sales")
    words = ["[CLS]", "sales", "rose", ",", "r", "##a", "##i", "##s", "##ing", "sales", "[SEP]"]
    assert [vocabulary[token] for token in ids] == words
