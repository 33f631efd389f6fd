from dataclasses import replace

import pytest

from finbert_api.domain.errors import ArtifactError, ParityError
from finbert_api.domain.sentiment import Label
from finbert_api.inference.artifact import file_record, read_artifact, verify_files
from finbert_api.inference.golden import verify_golden_texts
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.modelling import parity
from finbert_api.modelling.known_points import KnownPoint
from finbert_api.modelling.publish import export_artifact


@pytest.fixture(scope="module")
def published(checkpoint, tmp_path_factory):
    output = tmp_path_factory.mktemp("models") / "deep" / "tiny-1.0.0"
    return export_artifact(checkpoint, output, name="tiny", version="1.0.0")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_published_is_what_serving_verifies(published):
    verify_files(published)
    tokenizer = TextTokenizer(published.tokenizer_path, published.manifest.max_tokens)
    verify_golden_texts(published.manifest, tokenizer, ModelSession(published.model_path))


def test_it_serves_what_the_checkpoint_was_taught(published):
    tokenizer = TextTokenizer(published.tokenizer_path, published.manifest.max_tokens)
    session = ModelSession(published.model_path)
    labels = [
        published.manifest.labels[int(session.run([tokenizer.tokenize(text).ids])[0].argmax())]
        for text in ("the company said that net sales rose", "the company said that net sales fell")
    ]
    assert labels == [Label.POSITIVE, Label.NEGATIVE]


def test_the_manifest_says_what_was_measured_and_made_of_what(published, checkpoint):
    manifest = published.manifest
    assert manifest.model_version == "tiny-1.0.0"
    assert (manifest.precision, manifest.max_tokens, manifest.labels) == ("int8", 160, checkpoint.labels)
    assert manifest.base_model == {"name": "tiny-finbert", "license": "not recorded"}
    assert manifest.parity["fp32"]["max_difference"] <= manifest.parity["limits"]["fp32"]["max_difference"] == 1e-4
    assert manifest.parity["int8"]["equal_labels"] >= manifest.parity["limits"]["int8"]["equal_labels"] == 0.99
    assert manifest.parity["int8"]["mean_difference"] > manifest.parity["fp32"]["mean_difference"]
    assert {"torch", "transformers", "onnx", "onnxruntime", "tokenizers"} <= manifest.libraries.keys()
    assert manifest.created_at.endswith("Z")


def test_golden_scores_are_pytorchs_and_their_labels_differ(published, checkpoint):
    golden = published.manifest.golden_texts
    assert 10 <= len(golden) <= 16
    scores = checkpoint.scores([text.text for text in golden])
    for text, row in zip(golden, scores, strict=True):
        for label, score in zip(checkpoint.labels, row, strict=True):
            assert text.scores[label] == pytest.approx(float(score), abs=1e-5)
    assert len({max(text.scores, key=text.scores.get) for text in golden}) >= 2
    assert published.manifest.golden_tolerance < 0.1


def test_origin_and_data_are_what_training_wrote(checkpoint, tmp_path):
    training = {"base_model": {"name": "MiniLM", "license": "Apache-2.0"}, "data": [{"name": "tweets"}]}
    trained = replace(checkpoint, training=training)
    manifest = export_artifact(trained, tmp_path / "m", name="m", version="1", precision="fp32").manifest
    assert {"base_model": manifest.base_model, "data": manifest.data} == training


@pytest.mark.parametrize(
    ("changes", "known_as", "base_model"),
    [
        ({}, "ProsusAI/finbert", {"name": "ProsusAI/finbert", "license": "unclear (finBERT issue 76)"}),
        (
            {"model_id": "a/bert", "revision": "4556d13"},
            None,
            {"name": "a/bert", "license": "not recorded", "revision": "4556d13"},
        ),
    ],
)
def test_without_training_the_origin_is_the_model_itself(checkpoint, tmp_path, changes, known_as, base_model):
    fetched = replace(checkpoint, **changes)
    artifact = export_artifact(fetched, tmp_path / "m", name="m", version="1", precision="fp32", known_as=known_as)
    assert artifact.manifest.base_model == base_model


def test_fp32_is_published_as_it_was_compared(checkpoint, tmp_path):
    artifact = export_artifact(checkpoint, tmp_path / "fp32", name="tiny", version="1.0.0", precision="fp32")
    assert artifact.manifest.precision == "fp32"
    assert "int8" not in artifact.manifest.parity
    assert artifact.manifest.golden_tolerance == pytest.approx(1e-3, abs=2e-4)
    tokenizer = TextTokenizer(artifact.tokenizer_path, artifact.manifest.max_tokens)
    verify_golden_texts(artifact.manifest, tokenizer, ModelSession(artifact.model_path))


def test_an_int8_artifact_has_a_graph_for_processors_without_vnni(published):
    seven = published.with_seven_bit_weights()
    assert seven.model_path.name == "model.7bit.onnx"
    assert seven.manifest.model_digest == file_record(seven.model_path).sha256 != published.manifest.model_digest
    assert published.manifest.parity["int8 of 7 bits"]["equal_labels"] >= 0.99


def test_a_new_artifact_takes_the_place_of_the_old_one(checkpoint, tmp_path):
    output = tmp_path / "model"
    export_artifact(checkpoint, output, name="tiny", version="1.0.0", precision="fp32")
    (output / "stray").touch()
    export_artifact(checkpoint, output, name="tiny", version="1.0.1", precision="fp32")
    assert read_artifact(output).manifest.version == "1.0.1"
    assert sorted(path.name for path in output.iterdir()) == ["manifest.json", "model.onnx", "tokenizer.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_refusal_leaves_the_old_artifact_and_nothing_else(checkpoint, tmp_path, monkeypatch):
    output = tmp_path / "model"
    export_artifact(checkpoint, output, name="tiny", version="1.0.0", precision="fp32")
    before = contents(tmp_path)
    monkeypatch.setattr(parity, "INT8_MEAN_DIFFERENCE", 1e-9)
    with pytest.raises(ParityError, match=r"int8 differs from PyTorch .* mean score difference"):
        export_artifact(checkpoint, output, name="tiny", version="2.0.0")
    assert contents(tmp_path) == before


def test_weights_that_are_not_the_expected_ones_are_never_published(checkpoint, tmp_path):
    point = KnownPoint("the company said that net sales rose", {Label.NEUTRAL: 0.9})
    with pytest.raises(ParityError, match="not the model it should be"):
        export_artifact(checkpoint, tmp_path / "model", name="finbert", version="1", known_points=[point])
    assert list(tmp_path.iterdir()) == []


def test_known_points_that_hold_are_in_the_manifest(checkpoint, tmp_path):
    text = "the company said that net sales rose"
    published_score = round(float(checkpoint.scores([text])[0][0]), 3)
    points = [KnownPoint(text, {Label.POSITIVE: published_score})]
    output = tmp_path / "model"
    artifact = export_artifact(checkpoint, output, name="m", version="1", precision="fp32", known_points=points)
    assert artifact.manifest.parity["known_points"]["texts"] == 1
    assert artifact.manifest.parity["known_points"]["max_difference"] <= 0.0006


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_artifact_is_left_alone(checkpoint, tmp_path, kind):
    output = tmp_path / "home"
    if kind == "folder":
        output.mkdir()
        (output / "letters.txt").write_text("dear")
    else:
        output.write_text("dear")
    before = contents(tmp_path)
    with pytest.raises(ArtifactError, match="home is there and holds no model artifact"):
        export_artifact(checkpoint, output, name="tiny", version="1.0.0")
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("name", "version"), [("a/b", "1"), ("", "1"), ("a", "1 0"), ("..", "1"), ("a", "../1")])
def test_names_that_are_no_plain_names_are_refused(checkpoint, tmp_path, name, version):
    with pytest.raises(ArtifactError, match="must be a name and a version of letters"):
        export_artifact(checkpoint, tmp_path / "model", name=name, version=version)
