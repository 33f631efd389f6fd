import subprocess
import sys

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


MEMORY_AFTER_A_LONG_TEXT = """
import psutil
from finbert_api.inference import session
from finbert_api.settings import BUNDLED_MODEL

def megabytes():
    model.run([[2] * 512])
    model.run([[2] * 30] * 4)
    return psutil.Process().memory_full_info().uss / 2**20

model = session.ModelSession(BUNDLED_MODEL / "model.onnx")
given_back = megabytes()
session.LONG_TEXT_TOKENS = 512
print(given_back, megabytes())
"""


def test_what_a_long_text_took_is_given_back():
    done = subprocess.run([sys.executable, "-c", MEMORY_AFTER_A_LONG_TEXT], capture_output=True, text=True, check=True)
    given_back, kept = map(float, done.stdout.split())
    assert given_back < kept - 8
