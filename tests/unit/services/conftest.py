import pytest
from word_artifact import write_artifact

from finbert_api.inference.engine import BatchingEngine
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return write_artifact(tmp_path_factory.mktemp("words") / "artifact")


@pytest.fixture(scope="module")
def engine(artifact):
    """An engine that computes as it is asked."""
    tokenizer = TextTokenizer(artifact.tokenizer_path, artifact.manifest.max_tokens)
    engine = BatchingEngine(artifact.manifest, tokenizer, ModelSession(artifact.model_path))
    yield engine
    engine.close()
