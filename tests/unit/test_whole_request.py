import pytest

from finbert_api.whole_request import whole_request

BODY = b'{"text": "Profit rose."}'
HEAD = b"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nX-API-Key: key\r\n"


def request(*lines, head=HEAD, extra=0):
    length = b"Content-Length: %d" % (len(BODY) + extra)
    return head + b"\r\n".join([*lines, length, b"", BODY])


def test_a_whole_request_is_read():
    whole = whole_request(request(b"content-type:  application/json "))
    assert (whole.method, whole.path, whole.body) == ("POST", "/api/v1/predict", BODY)
    assert whole.headers == {
        "host": "x", "x-api-key": "key", "content-type": "application/json", "content-length": "24",
    }  # fmt: skip


@pytest.mark.parametrize(
    "received",
    [
        b"",
        request()[:-1],
        request()[:40],
        request() + b"P",
        request() + request(),
        request(extra=1),
        request(extra=-1),
        request(b"Transfer-Encoding: chunked"),
        request(b"Expect: 100-continue"),
        request(b"Upgrade: h2c"),
        request(b"Trailer: x"),
        request(b"Connection: close"),
        request(b"Connection: keep-alive, upgrade"),
        request(b"Content-Length: 24"),
        request(b"Host: y"),
        request(b"A: 1", b" folded"),
        request(b"A : 1"),
        request(b"A\tB: 1"),
        request(b": 1"),
        request(b"no colon"),
        request(b"A: \x00"),
        request(b"A: 1\rB: 2"),
        request(b"A: 1\nB: 2"),
        request("A: \u00e9".encode()),
        request(head=b"POST /api/v1/predict HTTP/1.0\r\nHost: x\r\n"),
        request(head=b"POST /api/v1/predict  HTTP/1.1\r\nHost: x\r\n"),
        request(head=b"POST /api/v1/predict\r\nHost: x\r\n"),
        request(head=b"POST /api/v1/predict HTTP/1.1\r\n"),
        HEAD + b"\r\n",
        HEAD + b"Content-Length: +24\r\n\r\n" + BODY,
    ],
)
def test_what_leaves_a_doubt_is_left_to_a_real_parser(received):
    assert whole_request(received) is None
