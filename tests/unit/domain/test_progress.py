from finbert_api.domain.progress import silent


def test_silent_progress_passes_every_item_on(capsys):
    assert list(silent(range(3), desc="counting")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
