from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from held_session import HeldSession
from support import later, running
from word_artifact import write_artifact

from finbert_api.inference.batching import EngineLimits
from finbert_api.inference.engine import BatchingEngine
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer


@pytest.fixture
def held(settings, app, tmp_path):
    """Serves a model whose runs the test holds back: its session, its engine and a way to predict over HTTP."""
    artifact = write_artifact(tmp_path / "words")
    tokenizer = TextTokenizer(artifact.tokenizer_path, artifact.manifest.max_tokens)

    @contextmanager
    def serve(limits, **changes):
        session = HeldSession(ModelSession(artifact.model_path))
        engine = BatchingEngine(artifact.manifest, tokenizer, session, limits)
        with running(replace(settings, **changes), engine) as serving, ThreadPoolExecutor() as pool:

            def predict(text):
                headers = {"X-API-Key": settings.api_key}
                return serving.test_client().post("/api/v1/predict", json={"text": text}, headers=headers)

            try:
                yield session, engine, predict, pool
            finally:
                session.let(1000)
                engine.close()

    return serve


def test_a_full_queue_is_told_at_once_and_when_to_try_again(held):
    with held(EngineLimits(max_queue_tokens=2_480)) as (session, engine, predict, pool):
        first = pool.submit(predict, "rose")
        session.wait_for_run(1)
        for _ in range(40):
            engine.submit("x " * 60, later())
        refused = predict("fell")
        assert refused.status_code == 503
        assert refused.content_type == "application/problem+json"
        # 41 texts of 2,483 tokens in all, 2,480 of which wait; a new engine counts with 1,000 tokens a second.
        assert refused.headers["Retry-After"] == "3"
        session.let(1000)
        assert first.result().json["label"] == "positive"
        assert predict("fell").json["label"] == "negative"


def test_a_late_answer_is_a_504(held):
    with held(EngineLimits(), request_timeout_seconds=0.05) as (session, _, predict, _):
        late = predict("rose")
        assert late.status_code == 504
        assert late.content_type == "application/problem+json"
        assert late.json["detail"]
        assert session.batches == [[3]]


def test_a_text_that_fails_alone_is_a_500_that_reveals_nothing(held, request):
    with held(EngineLimits()) as (session, _, predict, _):
        log_lines = request.getfixturevalue("log_lines")  # after create_app, which configures the logging itself
        session.failure = lambda batch: RuntimeError("the inner secret") if len(batch[0]) > 3 else None
        session.let(10)
        failed = predict("rose rose")
        assert failed.status_code == 500
        assert failed.content_type == "application/problem+json"
        assert "secret" not in failed.text
        assert predict("rose").json["label"] == "positive"
        assert [line["cause"] for line in log_lines() if line["level"] == "ERROR"] == ["RuntimeError: the inner secret"]
