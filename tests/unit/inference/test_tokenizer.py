import pytest

from finbert_api.domain.errors import ArtifactError
from finbert_api.inference.tokenizer import TextTokenizer
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
