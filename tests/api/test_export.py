import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbert_api.api.export import _cell
from finbert_api.domain.errors import StorageUnavailable

EXPORT = "/api/v1/predictions/export"
TEXTS = ["Profit rose.", "The company cut 200 jobs.", 'He said: "so, what",\r\nand left.', "公司利润大幅增长 🚀"]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "'=1", "\uff1d1"]


@pytest.fixture
def made(client, admin, monkeypatch):
    """Predictions, newest first, that an export takes several steps for."""
    monkeypatch.setattr("finbert_api.storage.predictions.STEP_ROWS", 2)
    return [
        client.post("/api/v1/predict", json={"text": text, "source": source}, headers=admin).json
        for text in TEXTS
        for source in ("news", None)
    ][::-1]


def export(client, headers, accept=None, **query):
    return client.get(EXPORT, headers=headers | ({"Accept": accept} if accept else {}), query_string=query)


def lines(answer):
    return [json.loads(line) for line in answer.text.splitlines()]


def table(answer):
    return list(csv.DictReader(io.StringIO(answer.data.decode(), newline="")))


def test_json_lines_are_the_predictions_as_they_are_elsewhere(client, admin, made):
    answer = export(client, admin, "application/x-ndjson")
    assert answer.status_code == 200
    assert answer.content_type == "application/x-ndjson; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="predictions.ndjson"'
    assert "Accept" in answer.headers["Vary"]
    assert answer.text.endswith("}\n")
    assert lines(answer) == made


def test_csv_has_a_line_for_each_prediction(client, admin, made):
    answer = export(client, admin, "text/csv")
    assert answer.status_code == 200
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="predictions.csv"'
    found = table(answer)
    assert list(found[0]) == [
        "request_id", "text", "source", "label", "score_positive", "score_negative", "score_neutral", "confidence",
        "sentiment_score", "model_version", "latency_ms", "token_count", "truncated", "created_at",
    ]  # fmt: skip
    for row, prediction in zip(found, made, strict=True):
        flat = {**prediction, **{f"score_{label}": score for label, score in prediction["scores"].items()}}
        del flat["scores"]
        assert row == {name: "" if value is None else str(value) for name, value in flat.items()}
    assert any(row["sentiment_score"].startswith("-") for row in found), "a number needs no apostrophe"


def test_an_empty_export_is_one_too(client, admin):
    assert export(client, admin, "application/x-ndjson").data == b""
    assert len(export(client, admin, "text/csv").text.splitlines()) == 1


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "application/x-ndjson"),
        ("*/*", "application/x-ndjson"),
        ("text/*", "text/csv"),
        ("text/csv;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("text/csv, application/x-ndjson;q=0.1", "text/csv"),
        ("application/json, text/csv;q=0.1", "text/csv"),
    ],
)
def test_accept_decides_on_the_form(client, admin, accept, form):
    assert export(client, admin, accept).mimetype == form


@pytest.mark.parametrize("accept", ["application/json", "text/html, application/xml", "text/csv;q=0", "nonsense"])
def test_any_other_form_is_406(client, admin, accept):
    answer = export(client, admin, accept)
    assert answer.status_code == 406
    assert answer.content_type == "application/problem+json"
    assert "text/csv" in answer.json["detail"]


def test_the_filters_are_those_of_the_list(client, admin, made):
    for query in (
        {"source": "news"}, {"label": made[0]["label"]}, {"model_version": "another"}, {"since": made[2]["created_at"]},
        {"until": made[2]["created_at"], "source": "news"},
    ):  # fmt: skip
        listed = client.get("/api/v1/predictions", headers=admin, query_string=query).json["items"]
        assert lines(export(client, admin, **query)) == listed
    assert export(client, admin, limit=1).status_code == 422
    assert export(client, admin, label="great").status_code == 422


def test_clients_export_their_own_predictions_and_admins_all(client, admin, made, make_client_key):
    ann, _ = make_client_key("ann")
    of_ann = client.post("/api/v1/predict", json={"text": TEXTS[0]}, headers=ann).json
    assert lines(export(client, ann)) == [of_ann]
    assert lines(export(client, admin)) == [of_ann, *made]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_csv_is_a_formula_and_every_text_can_be_had_back(client, admin, text):
    client.post("/api/v1/predict", json={"text": text, "source": text}, headers=admin)
    (row,) = table(export(client, admin, "text/csv"))
    assert row["text"] == row["source"] == f"'{text}"
    assert lines(export(client, admin))[0]["text"] == text


@given(st.text())
def test_whatever_a_cell_holds_it_begins_harmlessly_and_can_be_had_back(text):
    cell = _cell(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    assert cell.removeprefix("'") == text


def test_a_failure_before_the_first_line_has_its_status(client, admin, app, monkeypatch):
    def fail(*_):
        raise StorageUnavailable("The database can't be read at the moment")
        yield

    monkeypatch.setattr("finbert_api.storage.predictions.PredictionStore.walk", fail)
    assert export(client, admin).status_code == 503
