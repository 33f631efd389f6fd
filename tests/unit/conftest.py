import pytest
from held_session import HeldSession
from word_artifact import write_artifact

from finbert_api.inference.batching import EngineLimits
from finbert_api.inference.engine import BatchingEngine
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return write_artifact(tmp_path_factory.mktemp("artifact") / "words")


@pytest.fixture
def session(words):
    return HeldSession(ModelSession(words.model_path))


@pytest.fixture
def make_engine(words, session):
    """Makes engines on one session; whatever fails, it runs in the end, so that they end too."""
    engines = []

    def make(metrics=None, session=session, **limits):
        tokenizer = TextTokenizer(words.tokenizer_path, words.manifest.max_tokens)
        engines.append(BatchingEngine(words.manifest, tokenizer, session, EngineLimits(**limits), metrics))
        return engines[-1]

    yield make
    session.let(1000)
    for engine in engines:
        engine.close()
