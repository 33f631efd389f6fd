"""POST /analyze and /explain: nothing is cut silently, nothing is stored."""

import json

import pytest

ANALYZE, EXPLAIN = "/api/v1/analyze", "/api/v1/explain"
JSON = {"Content-Type": "application/json"}
TEXT = "The company beat earnings expectations and raised full-year guidance."
DOCUMENT = f"{TEXT} Acme Inc. cut its outlook after a loss of $1.2 bn. in Q3.\n\n🚀 The U.S. meeting is on 4 April."


@pytest.fixture(autouse=True)
def stores_nothing(app, client, admin):
    yield
    assert client.get("/api/v1/predictions", headers=admin).json["total_count"] == 0


def analyze(client, headers, text):
    return client.post(ANALYZE, json={"text": text}, headers=headers)


def test_a_document_is_read_sentence_by_sentence(client, admin):
    response = analyze(client, admin, DOCUMENT)
    assert response.status_code == 200
    answer = response.json
    assert list(answer) == ["sentences", "aggregate", "coverage", "model_version"]
    assert [sentence["text"] for sentence in answer["sentences"]] == [
        TEXT,
        "Acme Inc. cut its outlook after a loss of $1.2 bn. in Q3.",
        "🚀 The U.S. meeting is on 4 April.",
    ]
    assert [sentence["label"] for sentence in answer["sentences"]] == ["positive", "negative", "neutral"]
    for sentence in answer["sentences"]:
        assert list(sentence) == [
            "start", "end", "text", "label", "scores", "confidence", "sentiment_score", "token_count", "windows"
        ]  # fmt: skip
        assert DOCUMENT[sentence["start"] : sentence["end"]] == sentence["text"]
        assert sentence["confidence"] == max(sentence["scores"].values()) == sentence["scores"][sentence["label"]]
    assert response.headers["X-Model-Version"] == answer["model_version"]
    assert response.headers["Server-Timing"].startswith("inference;dur=")


def test_the_aggregate_is_the_mean_by_tokens(client, admin):
    answer = analyze(client, admin, DOCUMENT).json
    sentences, aggregate = answer["sentences"], answer["aggregate"]
    tokens = sum(sentence["token_count"] for sentence in sentences)
    for label, score in aggregate["scores"].items():
        exact = sum(sentence["scores"][label] * sentence["token_count"] for sentence in sentences) / tokens
        assert score == pytest.approx(exact, abs=0.00006)
    assert aggregate["label"] == max(aggregate["scores"], key=aggregate["scores"].__getitem__)
    assert aggregate["confidence"] == aggregate["scores"][aggregate["label"]]
    mean = sum(sentence["sentiment_score"] for sentence in sentences) / len(sentences)
    assert aggregate["mean_sentiment_score"] == pytest.approx(mean, abs=0.00006)
    assert aggregate["label_counts"] == {"positive": 1, "negative": 1, "neutral": 1}
    assert answer["coverage"] == {"token_count": tokens, "tokens_read": tokens}


def test_the_scores_of_a_sentence_are_those_of_the_text_alone(client, app, admin):
    (sentence,) = analyze(client, admin, TEXT).json["sentences"]
    explained = client.post(EXPLAIN, json={"text": TEXT}, headers=admin).json
    assert {name: explained[name] for name in ("label", "scores", "confidence", "sentiment_score")} == {
        name: sentence[name] for name in ("label", "scores", "confidence", "sentiment_score")
    }


def test_a_long_sentence_is_read_to_its_end(client, admin):
    text = "the annual general meeting will be held in Helsinki and " * 60 + "profit collapsed after a huge loss"
    answer = analyze(client, admin, text).json
    (sentence,) = answer["sentences"]
    assert sentence["windows"] == 2
    assert sentence["token_count"] > 510
    assert answer["coverage"]["tokens_read"] == answer["coverage"]["token_count"] == sentence["token_count"]


@pytest.mark.parametrize(
    "text", ["a. " * 16_666, "x" * 50_000, "\u200b", "!!!", "利润" * 25_000, "🚀" * 50_000, "A.B." * 99]
)
def test_unusual_documents_are_analysed(client, admin, text):
    answer = analyze(client, admin, text)
    assert answer.status_code == 200
    assert all(text[each["start"] : each["end"]] == each["text"] for each in answer.json["sentences"])


def test_the_longest_document_fits_and_a_longer_body_does_not(client, admin):
    body = '{"text": "' + "\\ud83d\\ude80" * 50_000 + '"}'
    assert client.post(ANALYZE, data=body, headers=admin | JSON).status_code == 200
    largest = body + " " * (640 * 1024 - len(body))
    assert client.post(ANALYZE, data=largest, headers=admin | JSON).status_code == 200
    for longer in (largest + " ", largest + " " * 100_000):
        assert client.post(ANALYZE, data=longer, headers=admin | JSON).status_code == 413


def test_words_are_tried_one_by_one(client, admin):
    response = client.post(EXPLAIN, json={"text": TEXT}, headers=admin)
    assert response.status_code == 200
    answer = response.json
    assert list(answer) == [
        "label", "scores", "confidence", "sentiment_score", "words", "words_tried", "word_count", "token_count",
        "truncated", "model_version",
    ]  # fmt: skip
    assert [word["word"] for word in answer["words"]] == TEXT.rstrip(".").split()
    assert all(TEXT[word["start"] : word["end"]] == word["word"] for word in answer["words"])
    assert (answer["words_tried"], answer["word_count"]) == (9, 9)
    assert min(answer["words"], key=lambda word: word["change"])["word"] == "beat"
    assert response.headers["X-Model-Version"] == answer["model_version"]


def test_the_cap_on_words_is_told(client, admin):
    answer = client.post(EXPLAIN, json={"text": "profit rose again " * 110}, headers=admin).json
    assert answer["word_count"] == 330
    assert answer["words_tried"] == len(answer["words"]) == 16_384 // 332


@pytest.mark.parametrize(("path", "longest"), [(ANALYZE, 50_000), (EXPLAIN, 2_000)])
@pytest.mark.parametrize("text", [None, "", " \n", 7, "a\0b", "half \ud83d", ["a"]])
def test_an_invalid_text_is_422(client, admin, path, longest, text):
    for bad in (text, "a" * (longest + 1)):
        response = client.post(path, data=json.dumps({"text": bad}), headers=admin | JSON)
        assert response.status_code == 422
        assert list(response.json["errors"]) == ["text"]


@pytest.mark.parametrize("path", [ANALYZE, EXPLAIN])
def test_unknown_fields_are_422(client, admin, path):
    response = client.post(path, json={"text": "fine", "source": "newswire"}, headers=admin)
    assert response.status_code == 422
    assert list(response.json["errors"]) == ["source"]


@pytest.mark.parametrize("path", [ANALYZE, EXPLAIN])
def test_no_text_reaches_the_log(client, admin, path, log_lines):
    client.post(path, json={"text": "Secretive Inc. rose."}, headers=admin)
    assert log_lines()
    assert "Secretive" not in str(log_lines())
