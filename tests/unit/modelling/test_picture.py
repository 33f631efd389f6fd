import numpy as np
import pytest

from finbert_api.domain.sentiment import Label
from finbert_api.modelling.metrics import summary

picture = pytest.importorskip("finbert_api.modelling.picture", reason="needs matplotlib", exc_type=ImportError)


def test_draws_a_png(tmp_path):
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1, 1], size=60)
    true = [list(Label)[position] for position in rng.integers(0, 3, size=60)]
    figures = {
        "model_version": "x-1.0.0",
        "precision": "fp32",
        "overall": summary(true, scores),
        "sources": {"tweets": summary(true[:30], scores[:30])},
    }

    picture.draw_evaluation(tmp_path / "evaluation.png", figures, true, scores)

    content = (tmp_path / "evaluation.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 10_000
