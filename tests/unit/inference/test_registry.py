import json
import shutil

import pytest

from finbert_api.domain.errors import ArtifactError
from finbert_api.inference.registry import find_artifact, load_engine, served_here
from finbert_api.settings import BUNDLED_MODEL


def named(directory, version):
    shutil.copytree(BUNDLED_MODEL, directory)
    path = directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "m", "version": version}))


def test_a_store_may_be_one_artifact():
    assert find_artifact(BUNDLED_MODEL, None).model_path == BUNDLED_MODEL / "model.onnx"


def test_a_store_of_several_needs_a_choice(tmp_path):
    named(tmp_path / "one", "1")
    named(tmp_path / "two", "2")
    assert find_artifact(tmp_path, "m-2").manifest.version == "2"
    with pytest.raises(ArtifactError, match=r"m-1, m-2: MODEL_STABLE must choose one"):
        find_artifact(tmp_path, None)
    with pytest.raises(ArtifactError, match="asks for m-3"):
        find_artifact(tmp_path, "m-3")


def test_an_empty_store_is_told(tmp_path):
    with pytest.raises(ArtifactError, match="holds no artifact"):
        find_artifact(tmp_path, None)


def test_a_changed_artifact_never_becomes_an_engine(artifact_dir):
    with (artifact_dir / "tokenizer.json").open("a") as file:
        file.write(" ")
    with pytest.raises(ArtifactError, match=r"tokenizer\.json is not the published file"):
        load_engine(find_artifact(artifact_dir, None))


def test_a_processor_without_vnni_is_served_by_the_graph_of_seven_bits(monkeypatch, log_lines):
    artifact = find_artifact(BUNDLED_MODEL, None)
    # A processor that is without VNNI itself computes the golden scores of the graph of eight bits wrongly.
    if served_here(artifact) is not artifact:
        monkeypatch.setattr("finbert_api.inference.registry.verify_golden_texts", lambda *_: None)
    identities = set()
    for flags in ({"avx2", "avx512_vnni"}, {"avx2"}):
        monkeypatch.setattr("finbert_api.inference.registry.processor_flags", lambda flags=flags: frozenset(flags))
        engine = load_engine(artifact)
        identities.add(engine.identity)
        engine.close()
    # Another graph gives other scores: it may not share those of the first in a cache.
    assert len(identities) == 2
    assert [line["graph"] for line in log_lines() if "no VNNI" in line["message"]] == ["model.7bit.onnx"]
