"""BentoML over the artifact, its adaptive batching on: `bentoml serve benchmarks.peers.bentoml_server:Sentiment`."""

import os

import bentoml

from benchmarks.peers.scorer import MAX_BATCH_SIZE, Scorer


@bentoml.service(workers=int(os.environ["PEER_WORKERS"]), traffic={"timeout": 60})
class Sentiment:
    """{"texts": [...]} to a list of scores; the texts of several requests become one batch."""

    def __init__(self) -> None:
        self._scorer = Scorer()

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH_SIZE)
    def predict(self, texts: list[str]) -> list[dict[str, float]]:
        """Scores of a batch."""
        return self._scorer.scores(texts)
