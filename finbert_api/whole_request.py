"""HTTP/1.1 requests that can be read at a glance."""

from dataclasses import dataclass

_HEAD_END = b"\r\n\r\n"
# What makes the length of a body, or what follows it, anything but its Content-Length.
_NOT_PLAIN = ("transfer-encoding", "expect", "upgrade", "trailer")


@dataclass(frozen=True, slots=True)
class WholeRequest:
    """A request; `headers` has lower-case names."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def whole_request(received: bytes) -> WholeRequest | None:
    """The request that these bytes are; None unless they are exactly one, in a form that leaves no doubt.

    Anything else is for a real parser: half a request, two of them, chunks, a header that comes twice or is folded,
    bytes that are not ASCII in the head, another version than HTTP/1.1, a connection that is to be closed.
    """
    head, end, body = received.partition(_HEAD_END)
    if not end or not head.isascii():
        return None
    first, *lines = head.decode("ascii").split("\r\n")
    method, _, rest = first.partition(" ")
    path, _, version = rest.partition(" ")
    if version != "HTTP/1.1":
        return None
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        lowered = name.lower()
        if not colon or not name.replace("-", "").isalnum() or lowered in headers or not value.isprintable():
            return None
        headers[lowered] = value.strip()
    length = headers.get("content-length", "")
    if not length.isdecimal() or int(length) != len(body) or "host" not in headers:
        return None
    if headers.get("connection", "keep-alive").lower() != "keep-alive" or any(name in headers for name in _NOT_PLAIN):
        return None
    return WholeRequest(method, path, headers, body)
