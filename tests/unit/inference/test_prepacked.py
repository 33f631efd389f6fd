import os
import subprocess
import sys
from pathlib import Path

import pytest

from finbert_api.inference.prepacked import GRAPH_NAME, SEAL_NAME, WEIGHTS_NAME, prepacked_graph
from finbert_api.inference.registry import HostShare, find_artifact, load_engine, read_ahead, served_here
from finbert_api.inference.session import ModelSession
from finbert_api.settings import BUNDLED_MODEL, PROJECT_ROOT

BATCH = [[101, 3813, 3123, 102], [101, 1996, 2194, 3062, 1012, 102], [101, *range(2000, 2040), 102]]


@pytest.fixture(scope="module")
def artifact():
    return find_artifact(BUNDLED_MODEL, None)


@pytest.fixture
def make(artifact, tmp_path):
    """The pre-packed graph of the bundled model in a folder of the test's own."""
    return lambda: prepacked_graph(artifact.model_path, artifact.manifest.model_digest, tmp_path / "cache")


def when_made(graph):
    """What tells one making from another."""
    return graph.stat().st_ino, graph.stat().st_mtime_ns


def logits(path, **options):
    return ModelSession(path, **options).run(BATCH).tobytes()


def test_it_scores_as_the_graph_it_was_made_of(artifact, make):
    expected = logits(artifact.model_path)
    assert logits(make(), is_prepacked=True) == expected
    assert logits(make(), is_prepacked=True, intra_op_threads=2) == expected


def test_it_is_made_once(make):
    assert when_made(make()) == when_made(make())


def test_another_graph_has_a_place_of_its_own(artifact, make, tmp_path):
    seven = artifact.with_seven_bit_weights()
    other = prepacked_graph(seven.model_path, seven.manifest.model_digest, tmp_path / "cache")
    assert other != make()
    assert logits(other, is_prepacked=True) == logits(seven.model_path) != logits(artifact.model_path)


@pytest.mark.parametrize("name", [GRAPH_NAME, WEIGHTS_NAME, SEAL_NAME])
@pytest.mark.parametrize("damage", ["altered", "cut", "missing", "writable by others"])
def test_what_was_spoiled_is_made_anew(artifact, make, name, damage):
    graph = make()
    before = when_made(graph)
    path = graph.parent / name
    content = path.read_bytes()
    if damage == "altered":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "cut":
        path.write_bytes(content[:-10])
    elif damage == "missing":
        path.unlink()
    else:
        path.chmod(0o666)
    assert when_made(make()) != before
    assert logits(graph, is_prepacked=True) == logits(artifact.model_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_another_user_is_made_anew(make):
    graph = make()
    before = when_made(graph)
    os.chown(graph.parent / WEIGHTS_NAME, 65534, 65534)
    assert when_made(make()) != before


def test_processes_that_start_together_make_it_once(artifact, tmp_path):
    program = (
        "import sys, pathlib, logging\n"
        "from finbert_api.inference.prepacked import prepacked_graph\n"
        "logging.basicConfig(level='INFO', stream=sys.stdout)\n"
        "prepacked_graph(pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3]))\n"
    )
    arguments = [str(artifact.model_path), artifact.manifest.model_digest, str(tmp_path / "cache")]
    command = [sys.executable, "-c", program, *arguments]
    processes = [subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert "".join(printed).count("pre-packing") == 1


def test_an_engine_without_a_usable_folder_has_weights_of_its_own(artifact, tmp_path, log_lines):
    (tmp_path / "file").touch()
    engine = load_engine(artifact, shared=HostShare(tmp_path / "file" / "below", 1))
    engine.close()
    (line,) = (line for line in log_lines() if "not shared" in line["message"])
    assert line["level"] == "WARNING"


def test_an_engine_does_not_read_again_what_was_read_ahead(artifact_dir, tmp_path, all_settled, bytes_read):
    artifact, cache = find_artifact(artifact_dir, None), tmp_path / "cache"
    served = served_here(artifact)
    graph = prepacked_graph(served.model_path, served.manifest.model_digest, cache)
    read_ahead(artifact, cache)
    before = bytes_read()
    load_engine(artifact, shared=HostShare(cache, 1)).close()
    assert bytes_read() - before < (graph.parent / WEIGHTS_NAME).stat().st_size


def test_an_engine_maps_the_shared_weights(artifact, tmp_path):
    served = served_here(artifact)
    graph = prepacked_graph(served.model_path, served.manifest.model_digest, tmp_path / "cache")
    engine = load_engine(artifact, shared=HostShare(graph.parent.parent, 1))
    assert str(graph.parent / WEIGHTS_NAME) in Path("/proc/self/maps").read_text(encoding="utf-8")
    engine.close()
