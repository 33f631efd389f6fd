import pytest

from finbert_api.inference.artifact import MODEL_NAME, SEVEN_BIT_MODEL_NAME, read_artifact
from finbert_api.inference.registry import artifact_tokenizer
from finbert_api.modelling.scoring import onnx_scores
from finbert_api.settings import BUNDLED_MODEL


@pytest.mark.parametrize("graph", [MODEL_NAME, SEVEN_BIT_MODEL_NAME])
def test_the_scores_of_a_graph_are_its_own_on_a_processor_without_vnni_too(graph):
    artifact = read_artifact(BUNDLED_MODEL)
    golden = artifact.manifest.golden_texts
    scores = onnx_scores(artifact.paths[graph], artifact_tokenizer(artifact), [each.text for each in golden])
    for row, each in zip(scores, golden, strict=True):
        published = [each.scores[label] for label in artifact.manifest.labels]
        assert row == pytest.approx(published, abs=artifact.manifest.golden_tolerance)
