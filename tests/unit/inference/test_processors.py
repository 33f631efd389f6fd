import fcntl
import threading

import numpy as np
import pytest

from finbert_api.inference.processors import SharedProcessors
from finbert_api.inference.registry import HostShare, find_artifact, load_engine
from finbert_api.inference.session import ModelSession
from finbert_api.settings import BUNDLED_MODEL

TEXT = [101, *range(2000, 2030), 102]


class Recorder:
    """A real session that notes how many texts each of its runs had."""

    def __init__(self, session):
        self._session = session
        self.runs = []

    def run(self, batch):
        self.runs.append(len(batch))
        return self._session.run(batch)


@pytest.fixture
def sessions():
    path = find_artifact(BUNDLED_MODEL, None).model_path
    return Recorder(ModelSession(path)), Recorder(ModelSession(path, 2, spinning=True))


def test_a_text_alone_gets_all_processors_and_a_batch_its_share(sessions, tmp_path):
    share, whole = sessions
    shared = SharedProcessors(share, whole, tmp_path / "lock")
    alone, together = shared.run([TEXT]), shared.run([TEXT, TEXT])
    assert (whole.runs, share.runs) == ([1], [2])
    assert np.array_equal(alone[0], together[0])


def test_while_another_worker_computes_a_text_alone_gets_its_share(sessions, tmp_path):
    share, whole = sessions
    shared = SharedProcessors(share, whole, tmp_path / "lock")
    with (tmp_path / "lock").open("w") as other:
        for kind in (fcntl.LOCK_SH, fcntl.LOCK_EX):
            fcntl.flock(other, kind)
            shared.run([TEXT])
    assert (whole.runs, share.runs) == ([], [1, 1])
    # It is over: all processors again.
    shared.run([TEXT])
    assert whole.runs == [1]


def test_a_run_that_fails_frees_the_processors(sessions, tmp_path):
    shared = SharedProcessors(*sessions, tmp_path / "lock")
    with pytest.raises(Exception, match="indices"):
        shared.run([[10_000_000]])
    with (tmp_path / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_two_workers_on_one_host_give_the_same_scores(tmp_path):
    artifact = find_artifact(BUNDLED_MODEL, None)
    engines = [load_engine(artifact, shared=HostShare(tmp_path, 2)) for _ in range(2)]
    deadline = threading.TIMEOUT_MAX
    texts = [f"Net sales rose {number} % in the quarter." for number in range(20)]
    futures = [[engine.submit(text, deadline) for text in texts] for engine in engines]
    first, second = ([future.result().sentiment for future in of_engine] for of_engine in futures)
    alone = [engines[0].score(text, deadline).sentiment for text in texts]
    assert first == second == alone
    for engine in engines:
        engine.close()
