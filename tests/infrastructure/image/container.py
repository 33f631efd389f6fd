"""The service in a container, held as tightly as production holds it."""

from uuid import uuid4

from infrastructure.image.engine import podman
from support import ADMIN_KEY, JWT_SECRET, START_SECONDS, WITHOUT_LIMITS, exchange, free_port, wait_for

# Read-only root, no capabilities, 1 GB, and writable what docs/image.md names alone.
HELD_TIGHTLY = (
    "--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges", "--memory=1g",
    "--pids-limit=256", "--tmpfs=/tmp:size=64m,mode=1777", "--network=host",
)  # fmt: skip


class Container:
    """A container of the image, started at once."""

    def __init__(self, image, database_url, *command, volume=None, **environment):
        self.name = f"finbert-test-{uuid4().hex[:12]}"
        self.port = free_port()
        self.volume = volume or f"{self.name}-data"
        settings = {"DATABASE_URL": database_url, "API_KEY": ADMIN_KEY, "JWT_SECRET": JWT_SECRET, "PORT": self.port}
        settings |= {"HOST": "127.0.0.1"} | WITHOUT_LIMITS | environment
        variables = [f"--env={name}={value}" for name, value in settings.items()]
        podman(
            "run", "--detach", f"--name={self.name}", *HELD_TIGHTLY, f"--volume={self.volume}:/var/lib/finbert",
            *variables, image, *command,
        )  # fmt: skip

    def request(self, method, path, body=None):
        """Status and JSON of an answer."""
        status, _, content = exchange(self.port, method, path, body)
        return status, content

    def wait_until_ready(self):
        wait_for(lambda: self._status("/ready") == 200, "the container to be ready")
        return self

    def wait(self):
        """Its exit status, when it has ended."""
        return int(podman("wait", self.name, timeout=START_SECONDS).stdout)

    def inspect(self, form):
        return podman("inspect", f"--format={form}", self.name).stdout.strip()

    def exec(self, *command, check=True):
        return podman("exec", self.name, *command, check=check)

    def logs(self):
        done = podman("logs", self.name)
        return done.stdout + done.stderr

    def stop(self):
        """Ends it as ECS and Kubernetes do, and gives its exit status."""
        podman("stop", "--time=30", self.name)
        return int(self.inspect("{{.State.ExitCode}}"))

    def remove(self):
        podman("rm", "--force", "--time=0", self.name)
        podman("volume", "rm", "--force", self.volume)

    def _status(self, path):
        if self.inspect("{{.State.Running}}") != "true":
            raise AssertionError(f"the container ended:\n{self.logs()}")
        try:
            return self.request("GET", path)[0]
        except OSError:
            return None
