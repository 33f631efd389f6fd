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


def test_they_run_in_batches_of_the_budget_and_one_runs_alone(parts):
    manifest, tokenizer, session = parts
    runs = []

    class Watched:
        def run(self, batch):
            runs.append(batch)
            return session.run(batch)

    verify_golden_texts(manifest, tokenizer, Watched(), max_batch_tokens=100)
    *batches, alone = runs
    assert len(alone) == 1
    assert all(len(batch) * max(map(len, batch)) <= 100 for batch in batches)
    assert len(batches) < len(manifest.golden_texts)
    assert sorted(ids for batch in batches for ids in batch) == sorted(
        tokenizer.tokenize(golden.text).ids for golden in manifest.golden_texts
    )


@pytest.mark.parametrize("place", [0, -1])
def test_one_wrong_text_of_a_batch_is_found(parts, place):
    manifest, tokenizer, session = parts
    wrong = sorted(manifest.golden_texts, key=lambda golden: len(tokenizer.tokenize(golden.text).ids))[place]

    class Wrong:
        def run(self, batch):
            logits = np.array(session.run(batch))
            logits[[ids == tokenizer.tokenize(wrong.text).ids for ids in batch]] += [3.0, 0.0, -3.0]
            return logits

    with pytest.raises(ArtifactError) as raised:
        verify_golden_texts(manifest, tokenizer, Wrong())
    assert repr(wrong.text) in str(raised.value)


def test_labels_in_another_order_are_found(parts):
    manifest, tokenizer, session = parts
    swapped = replace(manifest, labels=(manifest.labels[1], manifest.labels[0], manifest.labels[2]))
    with pytest.raises(ArtifactError, match="wrong label order"):
        verify_golden_texts(swapped, tokenizer, session)


def test_a_graph_that_computes_nonsense_is_found(parts):
    manifest, tokenizer, _session = parts

    class Broken:
        def run(self, batch):
            return np.array([[float("nan"), 0.0, 0.0]] * len(batch), dtype="float32")

    with pytest.raises(ArtifactError, match="golden text"):
        verify_golden_texts(manifest, tokenizer, Broken())


def test_a_score_outside_the_tolerance_is_told_with_both_values(parts):
    manifest, tokenizer, session = parts
    golden = manifest.golden_texts[0]
    label, score = next(iter(golden.scores.items()))
    off = GoldenText(golden.text, golden.scores | {label: score + 2 * manifest.golden_tolerance})
    with pytest.raises(ArtifactError, match=f"published {score + 2 * manifest.golden_tolerance:.4f}"):
        verify_golden_texts(replace(manifest, golden_texts=(off,)), tokenizer, session)
