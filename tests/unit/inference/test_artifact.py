import json
from pathlib import Path

import pytest

from finbert_api.domain.errors import ArtifactError
from finbert_api.domain.sentiment import Label
from finbert_api.inference.artifact import MODEL_NAME, file_record, read_artifact, verify_files, write_manifest
from finbert_api.settings import BUNDLED_MODEL


def edit_manifest(directory, **changes):
    path = directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_bundled_artifact_is_what_its_manifest_says():
    artifact = read_artifact(BUNDLED_MODEL)
    verify_files(artifact)
    assert sorted(artifact.manifest.labels) == sorted(Label)
    assert artifact.manifest.model_digest == file_record(artifact.model_path).sha256
    assert artifact.manifest.tokenizer_digest == file_record(artifact.tokenizer_path).sha256


def test_a_manifest_survives_being_written_and_read(artifact_dir):
    manifest = read_artifact(artifact_dir).manifest
    write_manifest(artifact_dir, manifest)
    assert read_artifact(artifact_dir).manifest == manifest


def test_a_changed_byte_is_found_and_the_file_named(artifact_dir):
    path = artifact_dir / MODEL_NAME
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.onnx is not the published file"):
        verify_files(read_artifact(artifact_dir))


def test_files_that_nobody_touched_are_read_once(all_settled, bytes_read):
    artifact = read_artifact(BUNDLED_MODEL)
    verify_files(artifact)
    before = bytes_read()
    verify_files(artifact)
    assert bytes_read() - before < artifact.model_path.stat().st_size


def test_a_file_that_changed_is_read_again(all_settled, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    first, then = file_record(path), path.stat()
    while path.stat().st_ctime_ns == then.st_ctime_ns:  # until the kernel's clock ticks
        path.write_bytes(b"two")
    assert file_record(path).sha256 != first.sha256


def test_a_file_that_changes_again_before_the_clock_ticks_is_read_again(monkeypatch, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    status = path.stat()
    monkeypatch.setattr(Path, "stat", lambda _path: status)
    first = file_record(path)
    path.write_bytes(b"two")
    assert file_record(path).sha256 != first.sha256


def test_a_missing_file_is_named(artifact_dir):
    (artifact_dir / "tokenizer.json").unlink()
    with pytest.raises(ArtifactError, match=r"tokenizer\.json is missing"):
        verify_files(read_artifact(artifact_dir))


def test_a_moved_file_is_held_to_the_same_digest(artifact_dir, tmp_path):
    moved = tmp_path / "elsewhere.onnx"
    (artifact_dir / MODEL_NAME).rename(moved)
    artifact = read_artifact(artifact_dir).moved({MODEL_NAME: moved})
    verify_files(artifact)
    moved.write_bytes(b"another model")
    with pytest.raises(ArtifactError, match=r"elsewhere\.onnx is not the published file"):
        verify_files(artifact)


def test_a_folder_without_a_manifest_is_no_artifact(tmp_path):
    with pytest.raises(ArtifactError, match=r"holds no manifest\.json"):
        read_artifact(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", "\ufeff"])
def test_a_broken_manifest_is_refused(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ArtifactError):
        read_artifact(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 2 is not 1"),
        ({"labels": ["positive", "negative"]}, "labels must name"),
        ({"labels": ["good", "bad", "neutral"]}, "'good' is not a valid Label"),
        ({"precision": "fp8"}, "precision must be one of"),
        ({"files": {}}, "files must list"),
        ({"golden_texts": []}, "golden_texts must not be empty"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_manifest_that_promises_nonsense_is_refused(artifact_dir, changes, message):
    edit_manifest(artifact_dir, **changes)
    with pytest.raises(ArtifactError, match=message):
        read_artifact(artifact_dir)


def test_a_manifest_may_not_reach_outside_its_folder(artifact_dir):
    files = json.loads((artifact_dir / "manifest.json").read_text())["files"]
    edit_manifest(artifact_dir, files=files | {"../../etc/passwd": {"sha256": "0", "bytes": 1}})
    with pytest.raises(ArtifactError, match="plain names"):
        read_artifact(artifact_dir)
