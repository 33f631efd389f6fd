from finbert_api.gunicorn_worker import ConnectionCounts, HeadWithBody


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


class Sent:
    """A connection that remembers what is sent on it."""

    def __init__(self):
        self.pieces = []

    def sendall(self, piece):
        self.pieces.append(piece)


def test_a_head_leaves_with_the_beginning_of_its_body():
    connection = Sent()
    answer = HeadWithBody(connection)
    answer.sendall(b"head ")
    assert connection.pieces == []
    answer.sendall(b"body")
    answer.sendall(b" and more")
    answer.flush()
    assert connection.pieces == [b"head body", b" and more"]


def test_a_head_without_a_body_leaves_at_the_end():
    connection = Sent()
    answer = HeadWithBody(connection)
    answer.sendall(b"head")
    answer.flush()
    answer.flush()
    assert connection.pieces == [b"head"]
