"""What PostgreSQL tells a worker of its keys as it happens, and what the worker tells PostgreSQL of their use."""

import atexit
import logging
import selectors
import socket
import threading
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from typing import Protocol
from uuid import UUID

import psycopg
from sqlalchemy import make_url

from finbert_api.storage.connections import BoundedConnection, connect
from finbert_api.storage.transactions import storage_unavailable

logger = logging.getLogger(__name__)

# The channel that the trigger on api_keys speaks on.
_LISTEN = "LISTEN api_key_changes"
WRITE_SECONDS = 10.0
RECONNECT_SECONDS = 2.0
CLOSE_SECONDS = 5.0

# Locked in one order, so that two workers never wait for each other in a circle; and with the lock that predictions
# being added, which refer to their key, do not wait for.
_WRITE_USES = """
WITH used AS (SELECT * FROM unnest(%s::uuid[], %s::timestamptz[]) AS used (key_id, used_at)),
    locked AS (
        SELECT key_id, used_at FROM api_keys JOIN used USING (key_id) ORDER BY key_id FOR NO KEY UPDATE OF api_keys
    )
UPDATE api_keys SET last_used_at = greatest(last_used_at, locked.used_at) FROM locked
WHERE api_keys.key_id = locked.key_id
"""


class KeyListener(Protocol):
    """Who wants to know of keys that change, and knows of their use; called from the watch's own thread."""

    def watch_began(self) -> None:
        """Changes before this moment may have been missed; from now on none is."""

    def key_changed(self, key_id: UUID) -> None:
        """The key was revoked, or is not any more what it was."""

    def take_uses(self) -> dict[UUID, datetime]:
        """When keys were last used, of those used since it was asked last."""

    def give_back_uses(self, uses: Mapping[UUID, datetime]) -> None:
        """These could not be written, and are to be given again."""


class KeyWatch:
    """A thread with a connection of its own, in each worker.

    PostgreSQL tells on that connection of every key that changes. Each ten seconds, and at the end, the uses of keys
    are written over it, all in one statement; with none to write, that statement is what notices a connection that
    broke without a word. While there is no connection another is tried every two seconds.
    """

    def __init__(self, database_url: str) -> None:
        self._url = make_url(database_url)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closing = threading.Event()
        self._waker: socket.socket | None = None

    def start(self, listener: KeyListener) -> None:
        """Begins to watch for this listener, unless that was done before."""
        if self._thread:
            return
        with self._starting:
            if self._thread or self._closing.is_set():
                return
            wakes, self._waker = socket.socketpair()
            self._thread = threading.Thread(target=self._run, args=(listener, wakes), name="key-watch", daemon=True)
            self._thread.start()
        atexit.register(self.close)

    def close(self) -> None:
        """Writes the last uses and ends."""
        atexit.unregister(self.close)
        with self._starting:
            self._closing.set()
        if self._thread and self._waker:
            self._waker.close()  # which the thread reads as an end
            self._thread.join(CLOSE_SECONDS)

    def _run(self, listener: KeyListener, wakes: socket.socket) -> None:
        with wakes:
            self._watch(listener, wakes)

    def _watch(self, listener: KeyListener, wakes: socket.socket) -> None:
        failing = False
        while not self._closing.is_set():
            try:
                with closing(connect(self._url)) as connection:
                    connection.add_notify_handler(lambda told: listener.key_changed(UUID(told.payload)))
                    connection.execute(_LISTEN)
                    listener.watch_began()
                    if failing:
                        logger.info("keys are watched again")
                    failing = False
                    self._follow(connection, listener, wakes)
            # What is no key's id could come from anyone who can reach the database.
            except (psycopg.Error, ValueError) as error:
                if not failing:  # one line an outage
                    cause = storage_unavailable("", error).reason
                    logger.warning("keys not watched: one revoked elsewhere ends in seconds", extra={"cause": cause})
                failing = True
                self._closing.wait(RECONNECT_SECONDS)

    def _follow(self, connection: BoundedConnection, listener: KeyListener, wakes: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(wakes, selectors.EVENT_READ)
            while not self._closing.is_set():
                # Whatever woke us, the answer to the statement brings what PostgreSQL has to tell.
                _write_uses(connection, listener)
                # What came right behind that answer is read already, and would wake nobody.
                while told := connection.pgconn.notifies():
                    listener.key_changed(UUID(told.extra.decode()))
                selector.select(WRITE_SECONDS)
            _write_uses(connection, listener)


class NoKeyWatch:
    """Watches nothing: for commands, which are over before it would matter."""

    def start(self, listener: KeyListener) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


def _write_uses(connection: BoundedConnection, listener: KeyListener) -> None:
    uses = listener.take_uses()
    try:
        connection.execute(_WRITE_USES, [list(uses.keys()), list(uses.values())])
    except BaseException:
        listener.give_back_uses(uses)
        raise
