import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbert_api.inference.artifact import MODEL_NAME, SEVEN_BIT_MODEL_NAME, read_artifact
from finbert_api.inference.registry import artifact_tokenizer
from finbert_api.modelling.scoring import batches_by_length, onnx_scores
from finbert_api.settings import BUNDLED_MODEL


@pytest.mark.parametrize("graph", [MODEL_NAME, SEVEN_BIT_MODEL_NAME])
def test_the_scores_of_a_graph_are_its_own_on_a_processor_without_vnni_too(graph):
    artifact = read_artifact(BUNDLED_MODEL)
    golden = artifact.manifest.golden_texts
    scores = onnx_scores(artifact.paths[graph], artifact_tokenizer(artifact), [each.text for each in golden])
    for row, each in zip(scores, golden, strict=True):
        published = [each.scores[label] for label in artifact.manifest.labels]
        assert row == pytest.approx(published, abs=artifact.manifest.golden_tolerance)


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(10, 100))
def test_batches_hold_every_text_once_and_stay_within_the_limit(lengths, limit):
    batches = batches_by_length([[0] * length for length in lengths], limit)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= limit
