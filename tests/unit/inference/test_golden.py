from dataclasses import replace

import numpy as np
import pytest

from finbert_api.domain.errors import ArtifactError
from finbert_api.inference.artifact import GoldenText, read_artifact
from finbert_api.inference.golden import verify_golden_texts
from finbert_api.inference.registry import served_here
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.settings import BUNDLED_MODEL


@pytest.fixture(scope="module")
def parts():
    artifact = served_here(read_artifact(BUNDLED_MODEL))
    return (
        artifact.manifest,
        TextTokenizer(artifact.tokenizer_path, artifact.manifest.max_tokens),
        ModelSession(artifact.model_path),
    )


def test_the_bundled_model_computes_its_golden_scores_here(parts):
    verify_golden_texts(*parts)


def test_labels_in_another_order_are_found(parts):
    manifest, tokenizer, session = parts
    swapped = replace(manifest, labels=(manifest.labels[1], manifest.labels[0], manifest.labels[2]))
    with pytest.raises(ArtifactError, match="wrong label order"):
        verify_golden_texts(swapped, tokenizer, session)


def test_a_graph_that_computes_nonsense_is_found(parts):
    manifest, tokenizer, _session = parts

    class Broken:
        def run(self, batch):
            return [np.array([float("nan"), 0.0, 0.0], dtype="float32")]

    with pytest.raises(ArtifactError, match="golden text"):
        verify_golden_texts(manifest, tokenizer, Broken())


def test_a_score_outside_the_tolerance_is_told_with_both_values(parts):
    manifest, tokenizer, session = parts
    golden = manifest.golden_texts[0]
    label, score = next(iter(golden.scores.items()))
    off = GoldenText(golden.text, golden.scores | {label: score + 2 * manifest.golden_tolerance})
    with pytest.raises(ArtifactError, match=f"published {score + 2 * manifest.golden_tolerance:.4f}"):
        verify_golden_texts(replace(manifest, golden_texts=(off,)), tokenizer, session)
