import json
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from finbert_api.domain.errors import ArtifactError, CorpusError
from finbert_api.domain.sentiment import Label
from finbert_api.inference.artifact import read_artifact
from finbert_api.modelling import evaluate as evaluation
from finbert_api.modelling.corpus import GENERATED, HEADLINES, TWEETS, generated_corpus
from finbert_api.modelling.evaluate import (
    EvaluationSet,
    GoldenNews,
    macro_f1_difference,
    read_evaluation_set,
    record_evaluation,
    report,
    score_texts,
)
from finbert_api.modelling.examples import Example

word_artifact = pytest.importorskip("word_artifact", reason="needs onnx (requirements-dev.txt)", exc_type=ImportError)

POSITIVE, NEGATIVE, NEUTRAL = Label


@pytest.fixture
def artifact(tmp_path):
    return word_artifact.write_artifact(tmp_path / "artifact")


def examples(source, *pairs):
    return [Example(text, label, text, source) for text, label in pairs]


EVALUATION_SET = EvaluationSet(
    examples=examples(HEADLINES, ("profit rose", POSITIVE), ("sales fell", NEGATIVE), ("a meeting", NEUTRAL))
    + examples(TWEETS, ("it rose", POSITIVE), ("it rose again and again", NEUTRAL), ("it fell", NEGATIVE)),
    finbert_tweets={"it rose": POSITIVE, "it fell": NEUTRAL},
    finbert_news=[GoldenNews("rose", [1.0, 0.0, 0.0]), GoldenNews("rose fell", [0.0, 1.0, 0.0])],
    missing=[],
)


def evaluate(artifact, evaluation_set):
    texts = [example.text for example in evaluation_set.examples]
    return report(artifact, evaluation_set, score_texts(artifact, texts))


def test_scores_stand_in_the_order_of_the_labels_and_of_the_texts(artifact):
    texts = ["fell", *["words " * n for n in range(1, 70)], "rose"]

    scores = score_texts(artifact, texts)

    assert scores[0].argmax() == list(Label).index(NEGATIVE)
    assert scores[-1].argmax() == list(Label).index(POSITIVE)
    assert set(scores[1:-1].argmax(axis=1)) == {list(Label).index(NEUTRAL)}
    assert scores.sum(axis=1) == pytest.approx(1)


def test_figures_are_given_overall_and_by_source(artifact):
    figures = evaluate(artifact, EVALUATION_SET)

    assert figures["model_version"] == "words-1.0.0"
    assert figures["overall"]["accuracy"] == pytest.approx(5 / 6, abs=1e-4)
    assert figures["sources"][HEADLINES]["accuracy"] == 1
    assert figures["sources"][TWEETS]["confusion_matrix"]["rows_true"] == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    json.dumps(figures)


def test_agreement_with_finbert_is_measured_where_its_answers_are_known(artifact):
    agreement = evaluate(artifact, EVALUATION_SET)["finbert_agreement"]

    assert agreement["tweets"] == {"texts": 2, "same_label": 0.5}
    assert agreement["news"]["texts"] == 2
    # e^4 against e^2 and e^0; and positive and negative alike.
    first = np.exp([4, 0, 2]) / np.exp([4, 0, 2]).sum()
    second = np.exp([4, 4, 2]) / np.exp([4, 4, 2]).sum()
    difference = np.abs(np.array([first - [1, 0, 0], second - [0, 1, 0]])).mean()
    assert agreement["news"]["mean_absolute_score_difference"] == pytest.approx(difference, abs=1e-4)


def test_the_difference_of_two_models_is_in_points(artifact, tmp_path):
    worse = word_artifact.write_artifact(tmp_path / "worse", rose=NEGATIVE)
    ours, theirs = evaluate(artifact, EVALUATION_SET), evaluate(worse, EVALUATION_SET)

    points = macro_f1_difference(ours, theirs)

    assert points["overall"] == pytest.approx(
        100 * (ours["overall"]["macro_f1"] - theirs["overall"]["macro_f1"]), abs=0.01
    )
    assert points[HEADLINES] > 30
    assert macro_f1_difference(ours, ours) == {"overall": 0, HEADLINES: 0, TWEETS: 0}


def test_recorded_figures_are_in_the_manifest_and_the_artifact_stays_valid(artifact, tmp_path):
    figures = evaluate(artifact, EVALUATION_SET)

    record_evaluation(tmp_path / "artifact", figures)

    again = read_artifact(tmp_path / "artifact")
    assert again.manifest == replace(artifact.manifest, evaluation=figures)
    assert score_texts(again, ["rose"]).shape == (1, 3)


def test_an_altered_artifact_is_not_scored(artifact):
    with artifact.tokenizer_path.open("a", encoding="utf-8") as file:
        file.write("\n")

    with pytest.raises(ArtifactError, match="not the published file"):
        score_texts(artifact, ["rose"])


def test_without_data_only_generated_sentences_are_read_and_the_rest_is_named():
    evaluation_set = read_evaluation_set(None)

    assert {example.source for example in evaluation_set.examples} == {GENERATED}
    assert len(evaluation_set.missing) == 2
    assert "https://github.com/pyRis/SEntFiN" in evaluation_set.missing[0]
    assert "--data" in evaluation_set.missing[0]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data directory with texts enough for every part, and FinBERT's answers to the tweets; few generated texts."""
    monkeypatch.setattr(evaluation, "generated_corpus", partial(generated_corpus, 1000))
    tweets = [f"{letter}{other} it is" for letter in "abcdefghijkl" for other in "mnopqrstuvwx"]
    (tmp_path / "sentfin").mkdir()
    (tmp_path / "tfns").mkdir()
    (tmp_path / "golden").mkdir()
    rows = "".join(f"{n},Firm{chr(97 + n % 26)}{chr(97 + n // 26)} rises,{{'F': 'positive'}},2\n" for n in range(200))
    (tmp_path / "sentfin" / "SEntFiN.csv").write_text("S No.,Title,Decisions,Words\n" + rows, encoding="utf-8")
    document = [{"sentence": tweet, "label": 2} for tweet in tweets]
    (tmp_path / "tfns" / "train.json").write_text(json.dumps(document), encoding="utf-8")
    golden = "text,predicted_label\n" + "".join(f"{tweet},negative\n" for tweet in tweets)
    (tmp_path / "golden" / "prasad11s_tfns_argmax.csv").write_text(golden, encoding="utf-8")
    return SimpleNamespace(path=tmp_path, golden=tmp_path / "golden")


def test_with_data_all_sources_and_the_known_answers_are_read(data):
    evaluation_set = read_evaluation_set(data.path)

    assert {example.source for example in evaluation_set.examples} == {HEADLINES, TWEETS, GENERATED}
    tweets = [example.text for example in evaluation_set.examples if example.source == TWEETS]
    assert tweets
    assert all(evaluation_set.finbert_tweets[tweet] is NEGATIVE for tweet in tweets)
    assert evaluation_set.finbert_news == []
    assert len(evaluation_set.missing) == 1
    assert "ludwigenvall" in evaluation_set.missing[0]


def test_scores_of_finbert_are_read_in_the_order_of_the_labels(data):
    header = "combined_text,sentiment_negative,sentiment_neutral,sentiment_positive\n"
    (data.golden / "ludwigenvall_news_finbert_probs.csv").write_text(header + "Up,0.1,0.2,0.7\n", encoding="utf-8")

    assert read_evaluation_set(data.path).finbert_news == [GoldenNews("Up", [0.7, 0.1, 0.2])]


def test_a_golden_file_without_its_columns_is_one_clear_error(data):
    (data.golden / "prasad11s_tfns_argmax.csv").write_text("text,label\nx,1\n", encoding="utf-8")

    with pytest.raises(CorpusError, match="predicted_label"):
        read_evaluation_set(data.path)
