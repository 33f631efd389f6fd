from finbert_api.gunicorn_worker import ConnectionCounts


def test_the_fewest_elsewhere_are_those_of_workers_that_are_there():
    counts = ConnectionCounts(4)
    first, second = counts.place_of(1), counts.place_of(2)
    assert counts.fewest_elsewhere(first, 7) == 7
    counts.set(first, 7)
    counts.set(second, 3)
    assert counts.fewest_elsewhere(first, 7) == 3
    assert counts.fewest_elsewhere(second, 3) == 7
    counts.retire(second)
    assert counts.fewest_elsewhere(first, 7) == 7


def test_a_place_is_free_again_when_its_worker_ended():
    counts = ConnectionCounts(2)
    places = {counts.place_of(1), counts.place_of(2)}
    assert places == {0, 1}
    counts.leave(1)
    assert counts.place_of(3) != counts.place_of(2)
    assert counts.place_of(3) in places
