import json

import pytest

from finbert_api.domain.errors import CorpusError
from finbert_api.domain.sentiment import Label
from finbert_api.modelling.corpus import HEADLINES, TWEETS, generated_corpus, group_of, read_corpus, split
from finbert_api.modelling.examples import Example

HEADLINE_ROWS = """S No.,Title,Decisions,Words
1,Alpha profit rises,{'Alpha': 'positive'},3
2,"Gold up, silver down","{'Gold': 'positive', 'Silver': 'negative'}",4
3,Moody's cuts Beta,"{'Moody's': 'negative', 'Beta': 'negative'}",3
4,Gamma   names CFO,{'Gamma': 'neutral'},3
5,Said twice,{'Delta': 'positive'},2
6,said twice,{'Delta': 'negative'},2
7,Nobody decided,{},2
"""
TWEET_ROWS = [
    {"sentence": "$ABC cut to Sell https://t.co/a", "label": 1},
    {"sentence": "$ABC beats estimates", "label": 0},
    {"sentence": "$ABC beats  estimates", "label": 0},
    {"sentence": "$ABC conference call", "label": 2},
]


@pytest.fixture
def data(tmp_path):
    (tmp_path / "sentfin").mkdir()
    (tmp_path / "tfns").mkdir()
    (tmp_path / "sentfin" / "SEntFiN.csv").write_text(HEADLINE_ROWS, encoding="utf-8")
    (tmp_path / "tfns" / "train.json").write_text(json.dumps(TWEET_ROWS), encoding="utf-8")
    return tmp_path


def texts(examples, source):
    return {example.text: example.label for example in examples if example.source == source}


def test_headlines_count_when_all_their_entities_agree_even_in_cells_with_stray_apostrophes(data):
    headlines = texts(read_corpus(data)[0], HEADLINES)

    assert headlines == {
        "Alpha profit rises": Label.POSITIVE,
        "Moody's cuts Beta": Label.NEGATIVE,
        "Gamma names CFO": Label.NEUTRAL,
    }


def test_tweets_keep_the_numbering_of_their_labels_and_occur_once(data):
    assert texts(read_corpus(data)[0], TWEETS) == {
        "$ABC cut to Sell https://t.co/a": Label.NEGATIVE,
        "$ABC beats estimates": Label.POSITIVE,
        "$ABC conference call": Label.NEUTRAL,
    }


def test_records_say_what_the_model_is_made_of(data):
    headlines, tweets = read_corpus(data)[1]

    assert (headlines.license, headlines.rows) == ("MIT", 3)
    assert tweets.rows == 3
    assert headlines.origin == "https://github.com/pyRis/SEntFiN"
    assert len(headlines.sha256) == 64
    assert headlines.sha256 != tweets.sha256


@pytest.mark.parametrize("path", ["sentfin/SEntFiN.csv", "tfns/train.json"])
def test_a_missing_file_is_named_with_where_to_get_it(data, path):
    (data / path).unlink()

    with pytest.raises(CorpusError, match=f"{path} is missing: get .* from https://"):
        read_corpus(data)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("sentfin/SEntFiN.csv", "Headline,Label\nx,y\n"),
        ("tfns/train.json", "no JSON"),
        ("tfns/train.json", '[{"sentence": "x", "label": 7}]'),
    ],
)
def test_a_file_of_another_form_is_one_clear_error(data, path, content):
    (data / path).write_text(content, encoding="utf-8")

    with pytest.raises(CorpusError, match=path):
        read_corpus(data)


def test_near_duplicates_share_a_group():
    assert group_of("$ABC up 3.5% today! https://t.co/x") == group_of("$XYZ.L UP 12% today")
    assert group_of("Alpha rises") != group_of("Alpha falls")
    assert group_of("$ABC") != group_of("$XYZ")


def test_a_group_is_in_one_part_only_and_stays_there():
    examples = [Example(str(n), Label.NEUTRAL, f"group {n % 500}", TWEETS) for n in range(1000)]

    parts = split(examples)

    groups = [{example.group for example in part} for part in (parts.train, parts.validation, parts.test)]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert split(examples[::2]).test == [example for example in examples[::2] if example in parts.test]
    assert split(examples, seed=99).test != parts.test


def test_parts_have_about_eight_one_and_one_tenths():
    parts = split(Example(str(n), Label.NEUTRAL, str(n), TWEETS) for n in range(5000))

    assert 0.77 < len(parts.train) / 5000 < 0.83
    assert 0.08 < len(parts.validation) / 5000 < 0.12
    assert 0.08 < len(parts.test) / 5000 < 0.12


def test_generated_sentences_of_the_test_part_come_from_templates_unseen_in_training():
    examples, record = generated_corpus(2000)

    parts = split(examples)

    assert record.rows == len(examples) == 2000
    assert parts.test
    assert not {example.group for example in parts.train} & {example.group for example in parts.test}
