import json
from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="needs torch and transformers", exc_type=ImportError)

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from finbert_api.domain.errors import CorpusError
from finbert_api.domain.sentiment import Label
from finbert_api.modelling.checkpoint import load_checkpoint
from finbert_api.modelling.corpus import DataRecord, Splits
from finbert_api.modelling.examples import Example
from finbert_api.modelling.train import TRAINING_RECORD, train
from finbert_api.modelling.training_settings import TrainingSettings

WORDS = {Label.POSITIVE: "rose", Label.NEGATIVE: "fell", Label.NEUTRAL: "flat"}
SUBJECTS = ("profit", "sales", "orders", "the dividend", "net revenue", "debt of the group", "costs", "margin")
SETTINGS = TrainingSettings(epochs=6, batch_size=8, learning_rate=5e-3, evaluations_per_epoch=1, patience=6)
RECORD = DataRecord("Toy", "toy", "MIT", "https://example.org", 72, "0" * 64)


def lessons(times):
    return [
        Example(f"{subject} {word} in {year}", label, f"{subject} {word}", "toy")
        for year in range(times)
        for subject in SUBJECTS
        for label, word in WORDS.items()
    ]


SPLITS = Splits(train=lessons(3), validation=lessons(1), test=[])


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """An encoder that has not been taught yet."""
    checkpoints = pytest.importorskip("checkpoints")
    folder = checkpoints.write_checkpoint(
        tmp_path_factory.mktemp("base") / "tiny", layers=1, hidden=32, heads=2, lessons=0
    )
    # As the MiniLM encoder does, it sets a limit for its own use that is shorter than what it can read.
    config = json.loads((folder / "tokenizer_config.json").read_text()) | {"model_max_length": 128}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    output = tmp_path_factory.mktemp("trained") / "checkpoint"
    return output, train(SPLITS, [RECORD], output, base=str(base), settings=SETTINGS)


def test_learns_what_the_examples_show(trained):
    output, result = trained

    assert result.best_macro_f1 > 0.9
    model = AutoModelForSequenceClassification.from_pretrained(output).eval()
    tokenizer = AutoTokenizer.from_pretrained(output)
    logits = model(**tokenizer(["orders rose in 9", "margin fell in 9"], return_tensors="pt")).logits
    assert [model.config.id2label[i] for i in logits.argmax(dim=1).tolist()] == ["positive", "negative"]


def test_checkpoint_has_the_label_order_of_finbert_and_both_forms_of_the_vocabulary(trained, base):
    output, _ = trained
    config = json.loads((output / "config.json").read_text(encoding="utf-8"))

    assert config["id2label"] == {"0": "positive", "1": "negative", "2": "neutral"}
    assert (output / "vocab.txt").read_text(encoding="utf-8") == (base / "vocab.txt").read_text(encoding="utf-8")
    assert (output / "tokenizer.json").is_file()


def test_tokenizer_is_cut_at_the_models_own_limit_not_at_that_of_training(trained):
    output, _ = trained
    tokenizer = AutoTokenizer.from_pretrained(output)

    assert len(tokenizer("profit " * 300)["input_ids"]) == 302
    assert tokenizer.model_max_length == 512


def test_exporter_can_load_it(trained):
    output, _ = trained

    assert load_checkpoint(str(output)).training["name"] == "finbert-compact"


def test_training_record_says_what_the_model_was_made_of(trained, base):
    output, result = trained
    record = json.loads((output / TRAINING_RECORD).read_text(encoding="utf-8"))

    assert record["base_model"] == {
        "name": base.name,
        "license": "see the base model's own card",
        "source": "local folder",
    }
    assert record["data"] == [RECORD.as_json()]
    assert record["training"]["seed"] == SETTINGS.seed
    assert record["training"]["best_validation_macro_f1"] == round(result.best_macro_f1, 4)
    assert record["training"]["texts"] == {"train": 72, "validation": 24, "test": 0}
    assert record["training"]["libraries"]["torch"] == torch.__version__


def test_the_same_seed_gives_the_same_weights(base, tmp_path):
    short = replace(SETTINGS, epochs=1)
    weights = []
    for name in ("first", "second"):
        train(SPLITS, [], tmp_path / name, base=str(base), settings=short)
        weights.append(AutoModelForSequenceClassification.from_pretrained(tmp_path / name).state_dict())

    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_stops_early_when_nothing_improves_and_keeps_the_best(base, tmp_path):
    still = replace(SETTINGS, epochs=20, learning_rate=1e-12, patience=2)

    result = train(SPLITS, [], tmp_path / "still", base=str(base), settings=still)

    assert len(result.history) == 3
    assert result.best_step == result.history[0]["step"]


def test_shows_its_progress(base, tmp_path):
    seen = []

    def progress(items, /, *, total=None, desc=None):
        for item in items:
            seen.append((total, desc))
            yield item

    train(SPLITS, [], tmp_path / "x", base=str(base), settings=replace(SETTINGS, epochs=1), progress=progress)

    assert seen == [(9, "training")] * 9


@pytest.mark.parametrize("part", ["train", "validation"])
def test_an_empty_split_is_refused(tmp_path, part):
    with pytest.raises(CorpusError, match="nothing to train on"):
        train(replace(SPLITS, **{part: []}), [], tmp_path / "x")
