import socket
from contextlib import ExitStack

import pytest

from finbert_api.client_socket import ClientSocket

FOR_LONG = 60.0
SOON = 0.05


@pytest.fixture
def pair():
    """A client's end of a connection, and the other one, which has been used without blocking."""
    client, served = socket.socketpair()
    served.setblocking(False)
    with client, served:
        yield client, served


@pytest.fixture
def client(pair):
    return pair[0]


@pytest.fixture
def connection_for(pair):
    """Makes the other end a connection whose client may be silent for so many seconds."""
    with ExitStack() as stack:
        yield lambda seconds: stack.enter_context(ClientSocket(pair[1], seconds))


def test_what_a_client_sends_is_waited_for(client, connection_for):
    connection = connection_for(FOR_LONG)
    assert connection.getblocking()
    client.sendall(b"request")
    assert connection.recv(100) == b"request"


@pytest.mark.parametrize("asked", [None, FOR_LONG])
def test_a_silent_client_is_given_up(connection_for, asked):
    connection = connection_for(SOON)
    connection.settimeout(asked)
    with pytest.raises(TimeoutError):
        connection.recv(100)


def test_a_wait_can_be_made_shorter_and_as_long_as_before(client, connection_for):
    connection = connection_for(FOR_LONG)
    connection.settimeout(0.000_000_1)
    with pytest.raises(TimeoutError):
        connection.recv(100)
    connection.settimeout(None)
    option = connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
    client.sendall(b"late")
    assert connection.recv(100) == b"late"
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16) != option


def test_a_client_that_does_not_read_is_given_up(connection_for):
    connection = connection_for(SOON)
    with pytest.raises(TimeoutError):
        connection.sendall(b"x" * 50_000_000)


def test_what_does_not_block_says_that_there_is_nothing(connection_for):
    connection = connection_for(FOR_LONG)
    connection.setblocking(False)
    with pytest.raises(BlockingIOError):
        connection.recv(100)
    connection.setblocking(True)
    assert connection.getblocking()
