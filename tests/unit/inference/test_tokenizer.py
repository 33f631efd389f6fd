from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finbert_api.domain.errors import ArtifactError
from finbert_api.inference.tokenizer import TextTokenizer, _cuts
from finbert_api.settings import BUNDLED_MODEL

TOKENIZER = BUNDLED_MODEL / "tokenizer.json"


def test_a_short_text_is_read_whole():
    tokens = TextTokenizer(TOKENIZER, 512).tokenize("Profit rose")
    assert len(tokens) == 4  # [CLS] profit rose [SEP]
    assert not tokens.truncated


@pytest.mark.parametrize(("words", "truncated"), [(510, False), (511, True)])
def test_a_text_is_cut_at_the_limit_and_says_so(words, truncated):
    tokens = TextTokenizer(TOKENIZER, 512).tokenize("profit " * words)
    assert len(tokens) == 512
    assert tokens.truncated is truncated


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(ArtifactError, match="can't be read as a tokenizer"):
        TextTokenizer(path, 512)


def test_a_text_that_fits_is_one_window():
    text = " Profit rose. "
    (window,) = TextTokenizer(TOKENIZER, 512).windows(text)
    assert text[window.start : window.end] == text
    assert (window.first_token, window.token_count, window.special_tokens) == (0, 3, 2)


def test_a_long_text_is_read_in_windows_of_whole_words_that_overlap():
    tokenizer = TextTokenizer(TOKENIZER, 32)
    text = "Unhedged exposures, profitability; " * 30
    windows = tokenizer.windows(text)
    parts = [text[window.start : window.end] for window in windows]
    assert [tokenizer.tokenize(part).ids[1:-1] for part in parts] == [
        TextTokenizer(TOKENIZER, 4096).tokenize(text).ids[1:-1][window.first_token :][: window.token_count]
        for window in windows
    ]
    assert not any(tokenizer.tokenize(part).truncated for part in parts)
    assert windows[-1].first_token + windows[-1].token_count == len(TextTokenizer(TOKENIZER, 4096).tokenize(text)) - 2
    for one, other in pairwise(windows):
        assert one.first_token + one.token_count > other.first_token
        assert other.first_token > one.first_token


def test_neighbours_share_a_quarter_and_the_last_reaches_back():
    windows = TextTokenizer(TOKENIZER, 34).windows("profit " * 100)
    assert [(window.first_token, window.token_count) for window in windows] == [(0, 32), (24, 32), (48, 32), (68, 32)]


@given(
    words=st.lists(st.integers(1, 12), min_size=1, max_size=60),
    most=st.integers(1, 20),
)
def test_however_words_are_long_every_token_is_in_a_window_that_fits(words, most):
    begins = list(accumulate(words, initial=0))[:-1]
    cuts = _cuts(begins, sum(words), most)
    assert cuts[0][0] == 0
    assert cuts[-1][1] == sum(words)
    assert all(0 < end - first <= most for first, end in cuts)
    assert all(start <= end for (_, end), (start, _) in pairwise(cuts))
    assert all(one[0] < other[0] and one[1] < other[1] for one, other in pairwise(cuts))


@settings(max_examples=25)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_the_windows_of_any_text_can_be_read_and_hold_all_its_tokens(text):
    tokenizer = TextTokenizer(TOKENIZER, 12)
    windows = tokenizer.windows(text)
    assert windows[0].first_token == 0
    for window in windows:
        tokens = tokenizer.tokenize(text[window.start : window.end])
        assert (len(tokens), tokens.truncated) == (window.token_count + window.special_tokens, False)
    assert windows[-1].first_token + windows[-1].token_count == len(TextTokenizer(TOKENIZER, 4096).tokenize(text)) - 2
