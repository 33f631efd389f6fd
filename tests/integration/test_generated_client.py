"""A client that openapi-python-client generates from the service's own document, against the running service."""

import asyncio
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import ADMIN, JWT_SECRET, Service


@pytest.fixture(scope="module")
def live(database_url, tmp_path_factory):
    """A running service."""
    folder = tmp_path_factory.mktemp("generated-client")
    service = Service(folder / "data", DATABASE_URL=database_url, JWT_SECRET=JWT_SECRET)
    yield service.wait_until_ready()
    service.stop()


@pytest.fixture(scope="module")
def generated(live, tmp_path_factory):
    """Gives a module of the generated client by its name."""
    folder = tmp_path_factory.mktemp("generated-client")
    document, config = folder / "openapi.json", folder / "config.json"
    document.write_text(json.dumps(live.request("GET", "/openapi.json")[2]))
    config.write_text(json.dumps({"post_hooks": []}))  # which would format the code
    subprocess.run(
        [
            Path(sys.executable).with_name("openapi-python-client"), "generate", "--path", document, "--config", config,
            "--meta", "none", "--output-path", folder / "generated_client", "--fail-on-warning",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(folder)
        yield lambda name: importlib.import_module(f"generated_client.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "generated_client"]:
        del sys.modules[name]


@pytest.fixture
def connect(live, generated):
    """Makes a client with these headers."""

    def make(headers):
        return generated("client").Client(
            base_url=f"http://127.0.0.1:{live.port}", headers=headers, raise_on_unexpected_status=True
        )

    return make


@pytest.fixture
def headers(generated, connect):
    """Headers of a new key, which the client has made."""
    with connect(ADMIN) as client:
        asked = generated("models").NewKeyRequest(name="generated client")
        made = generated("api.keys.create_key").sync(client=client, body=asked)
        assert (made.name, made.role, made.tier, made.last_used_at) == ("generated client", "client", "standard", None)
        return {"X-API-Key": made.key}


def test_it_predicts_finds_lists_annotates_and_deletes(generated, connect, headers):
    models, predictions = generated("models"), "api.predictions"
    with connect(headers) as client:
        body = models.PredictRequest(text="Profit rose by a third.", source="newswire")
        made = generated(f"{predictions}.predict").sync(client=client, body=body, idempotency_key='"once"')
        assert (made.label, made.source) == (models.Label.POSITIVE, "newswire")
        assert made.scores.positive > 0.5
        assert made.created_at.utcoffset().total_seconds() == 0
        again = generated(f"{predictions}.predict").sync(client=client, body=body, idempotency_key='"once"')
        assert again == made

        found = generated(f"{predictions}.get_prediction").sync(made.request_id, client=client)
        assert found == made
        page = generated(f"{predictions}.list_predictions").sync(
            client=client, label=models.Label.POSITIVE, since=made.created_at, limit=5
        )
        assert (page.items, page.next_cursor, page.total_count) == ([made], None, 1)
        exported = generated(f"{predictions}.export_predictions").sync_detailed(client=client)
        assert json.loads(exported.content)["request_id"] == str(made.request_id)

        said = models.FeedbackRequest(label=models.Label.NEUTRAL)
        feedback = generated(f"{predictions}.give_feedback").sync(made.request_id, client=client, body=said)
        assert (feedback.request_id, feedback.label) == (made.request_id, models.Label.NEUTRAL)

        deleted = generated(f"{predictions}.delete_prediction").sync_detailed(made.request_id, client=client)
        assert deleted.status_code == 204
        gone = generated(f"{predictions}.get_prediction").sync(made.request_id, client=client)
        assert isinstance(gone, models.Problem)
        assert (gone.status, gone.detail) == (404, "Prediction not found")


def test_it_tells_the_predictions_of_a_batch_from_its_errors(generated, connect, headers):
    models = generated("models")
    items = [models.PredictRequest(text=text) for text in ("Sales fell.", " ")]
    with connect(headers) as client:
        batch = generated("api.predictions.predict_batch").sync(client=client, body=models.BatchRequest(items=items))
    assert (batch.succeeded, batch.failed) == (1, 1)
    assert isinstance(batch.items[0], models.Prediction)
    assert isinstance(batch.items[1], models.BatchError)
    assert (batch.items[1].index, batch.items[1].error.status) == (1, 422)


def test_it_reads_documents_and_figures(generated, connect, headers):
    models = generated("models")
    text = "Acme Inc. earned $1.2 bn. Net debt fell."
    with connect(headers) as client:
        analysis = generated("api.documents.analyze").sync(client=client, body=models.AnalyzeRequest(text=text))
        assert [text[sentence.start : sentence.end] for sentence in analysis.sentences] == [
            sentence.text for sentence in analysis.sentences
        ]
        explanation = generated("api.documents.explain").sync(client=client, body=models.ExplainRequest(text=text))
        assert [text[word.start : word.end] for word in explanation.words] == [word.word for word in explanation.words]
        assert generated("api.analytics.summary").sync(client=client).predictions == 0
        series = generated("api.analytics.timeseries").sync(client=client, bucket=models.Bucket.DAY)
        assert series.bucket == models.Bucket.DAY
        assert generated("api.analytics.versions").sync(client=client).items == []
        assert generated("api.analytics.accuracy").sync(client=client).feedback == 0


def test_it_authenticates_with_a_token(generated, connect, live, headers):
    with connect(headers) as client:
        token = generated("api.keys.create_token").sync(client=client)
    bearer = generated("client").AuthenticatedClient(f"http://127.0.0.1:{live.port}", token.access_token)
    with bearer as client:
        assert generated("api.predictions.list_predictions").sync(client=client).total_count == 0


def test_it_reads_what_is_wrong_with_a_request(generated, connect, headers):
    models, predict = generated("models"), generated("api.predictions.predict")
    with connect(headers) as client:
        refused = predict.sync_detailed(client=client, body=models.PredictRequest(text=" "))
        assert refused.status_code == 422
        assert refused.parsed.errors.additional_properties == {"text": ["must not be blank"]}
    with connect({}) as client:
        refused = predict.sync_detailed(client=client, body=models.PredictRequest(text="Sales fell."))
        assert (refused.status_code, refused.parsed.title) == (401, "Unauthorized")


def test_it_works_with_asyncio(generated, connect, headers):
    body = generated("models").PredictRequest(text="Sales fell.")

    async def predict_several():
        async with connect(headers) as client:
            calls = [generated("api.predictions.predict").asyncio(client=client, body=body) for _ in range(4)]
            return await asyncio.gather(*calls)

    answers = asyncio.run(predict_several())
    assert {answer.label.value for answer in answers} == {"negative"}
    assert len({answer.request_id for answer in answers}) == 4
