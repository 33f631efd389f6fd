"""A client's connection whose waits the kernel ends."""

import errno
import socket
import struct
from typing import Any

_TIMEVAL = struct.Struct("ll")
_MICROSECONDS = 1_000_000


class ClientSocket(socket.socket):
    """A connection that blocks, and raises TimeoutError when its client neither sends nor reads for so many seconds.

    With Python's own timeouts each call is two, for it asks first whether there is something, and setting them is a
    call too. Six of the nine calls that an answer took on its connection were such, and at each of them a thread gives
    up Python's lock and queues for it again.
    """

    def __init__(self, connection: socket.socket, silence_seconds: float) -> None:
        super().__init__(fileno=connection.detach())
        super().setblocking(True)  # whatever the connection did so far
        self._most_seconds = self._seconds = self._applied_seconds = silence_seconds
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            self.setsockopt(socket.SOL_SOCKET, option, _timeval(silence_seconds))

    def setblocking(self, flag: bool) -> None:
        """As socket's own, which asks the kernel even when nothing changes."""
        if flag is not self.getblocking():
            super().setblocking(flag)

    def settimeout(self, value: float | None) -> None:
        """How long the next `recv` may wait at most, None for as long as any. A client is never given longer."""
        self._seconds = self._most_seconds if value is None else min(value, self._most_seconds)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """As socket's own. Raises TimeoutError."""
        if self._seconds != self._applied_seconds:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(self._seconds))
            self._applied_seconds = self._seconds
        try:
            return super().recv(bufsize, flags)
        except BlockingIOError:
            raise self._silent() from None

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """As socket's own, but that the time counts from what the client read last. Raises TimeoutError."""
        try:
            super().sendall(data, flags)
        except BlockingIOError:
            raise self._silent() from None

    def _silent(self) -> OSError:
        if not self.getblocking():
            return BlockingIOError(errno.EAGAIN, "There is nothing yet")
        # With the number of what gunicorn takes for a client's doing, and not for a fault to write a traceback of.
        return TimeoutError(errno.ECONNRESET, "The client is silent")


def _timeval(seconds: float) -> bytes:
    """Seconds as the kernel takes them, to which none at all would be no limit."""
    return _TIMEVAL.pack(*divmod(max(1, int(seconds * _MICROSECONDS)), _MICROSECONDS))
