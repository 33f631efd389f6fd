import pytest

from finbert_api.domain.errors import ArtifactError
from finbert_api.inference.session import ModelSession
from finbert_api.settings import BUNDLED_MODEL


def test_a_batch_gives_a_row_of_logits_for_each_text():
    logits = ModelSession(BUNDLED_MODEL / "model.onnx").run([[101, 5618, 102], [101, 5618, 3123, 2058, 102]])
    assert logits.shape == (2, 3)
    assert str(logits.dtype) == "float32"


def test_a_text_scores_the_same_alone_and_beside_a_longer_one():
    session = ModelSession(BUNDLED_MODEL / "model.onnx")
    short, long = [101, 5618, 3123, 102], [101, *range(2000, 2060), 102]
    alone = session.run([short])[0]
    beside = session.run([long, short])[1]
    assert beside == pytest.approx(alone, abs=1e-5)


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(ArtifactError, match="can't be loaded by ONNX Runtime"):
        ModelSession(path)
