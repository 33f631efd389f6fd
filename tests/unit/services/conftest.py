import pytest

from finbert_api.inference.engine import BatchingEngine
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer


@pytest.fixture(scope="module")
def engine(words):
    """An engine that computes as it is asked."""
    tokenizer = TextTokenizer(words.tokenizer_path, words.manifest.max_tokens)
    engine = BatchingEngine(words.manifest, tokenizer, ModelSession(words.model_path))
    yield engine
    engine.close()
