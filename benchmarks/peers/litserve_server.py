"""LitServe over the artifact, its batching on: `python litserve_server.py`, settings in the environment."""

import os

import litserve

from benchmarks.peers.scorer import MAX_BATCH_SIZE, Scorer


class SentimentApi(litserve.LitAPI):
    """{"text": ...} to {"scores": ...}."""

    def setup(self, device: str) -> None:
        """Loads the artifact in each worker."""
        self._scorer = Scorer()

    def decode_request(self, request: dict[str, str]) -> str:
        """The text of one request."""
        return request["text"]

    def batch(self, inputs: list[str]) -> list[str]:
        """The texts of a batch."""
        return inputs

    def predict(self, texts: list[str]) -> list[dict[str, float]]:
        """Scores of a batch."""
        return self._scorer.scores(texts)

    def unbatch(self, output: list[dict[str, float]]) -> list[dict[str, float]]:
        """The scores of each text."""
        return output

    def encode_response(self, output: dict[str, float]) -> dict[str, dict[str, float]]:
        """The body of one answer."""
        return {"scores": output}


if __name__ == "__main__":
    api = SentimentApi(max_batch_size=MAX_BATCH_SIZE, batch_timeout=float(os.environ["PEER_BATCH_SECONDS"]))
    server = litserve.LitServer(
        api, accelerator="cpu", devices=1, workers_per_device=int(os.environ["PEER_WORKERS"]), fast_queue=True
    )
    server.run(
        host="127.0.0.1", port=int(os.environ["PEER_PORT"]), num_api_servers=1, generate_client_file=False,
        log_level="warning",
    )  # fmt: skip
