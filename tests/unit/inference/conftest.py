import shutil

import pytest
from held_session import HeldSession
from support import later
from word_artifact import write_artifact

from finbert_api.inference.batching import EngineLimits
from finbert_api.inference.engine import BatchingEngine
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.settings import BUNDLED_MODEL


@pytest.fixture
def artifact_dir(tmp_path):
    """A copy of the bundled artifact that a test may spoil."""
    return shutil.copytree(BUNDLED_MODEL, tmp_path / "artifact")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return write_artifact(tmp_path_factory.mktemp("artifact") / "words")


@pytest.fixture
def session(words):
    return HeldSession(ModelSession(words.model_path))


@pytest.fixture
def make_engine(words, session):
    engines = []

    def make(metrics=None, session=session, **limits):
        tokenizer = TextTokenizer(words.tokenizer_path, words.manifest.max_tokens)
        engines.append(BatchingEngine(words.manifest, tokenizer, session, EngineLimits(**limits), metrics))
        return engines[-1]

    yield make
    session.let(1000)
    for engine in engines:
        engine.close()


@pytest.fixture
def busy(make_engine, session):
    """Makes an engine whose session is held in the run of a first text, of 3 tokens."""

    def make(**options):
        engine = make_engine(**options)
        first = engine.submit("rose", later())
        session.wait_for_run(1)
        return engine, first

    return make
