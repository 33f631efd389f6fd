"""Typed settings from the environment; a bad value stops the boot with one clear line."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from finbert_api.domain.errors import SettingsError

PROJECT_ROOT = Path(__file__).parent.parent
BUNDLED_MODEL = Path(__file__).parent / "models" / "compact"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Terraform's alarms look there; a test compares.
CLOUDWATCH_NAMESPACE = "FinbertAPI"
METRICS_BACKENDS = ("prometheus", "cloudwatch", "both", "none")
LARGEST_PORT = 65_535
LARGEST_CONCURRENCY = 256
# Below API Gateway's 29 s, so that a late request gets our answer and not the gateway's.
LONGEST_REQUEST_SECONDS = 25
LARGEST_BATCH_TOKENS = 65_536
LARGEST_QUEUE_TOKENS = 10_000_000
# RFC 7518, section 3.2: a secret of HS256 has no fewer bytes than its hash.
SHORTEST_SIGNING_SECRET = 32
LONGEST_TOKEN_SECONDS = 86_400
LONGEST_CACHE_SECONDS = 365 * 86_400
LARGEST_CACHE_ENTRIES = 10_000_000
LARGEST_RATE = 100_000
_REDIS_FORMS = "redis://user:password@host:port/0, rediss://... for TLS, or unix:///path"
_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the service reads from its environment; docs/settings.md describes each."""

    database_url: str | None
    api_key: str | None
    jwt_secret: str | None
    jwt_lifetime_seconds: int
    model_store: Path
    model_stable: str | None
    onnx_model_path: Path | None
    tokenizer_path: Path | None
    log_level: str
    log_file: Path | None
    metrics_backend: str
    cloudwatch_namespace: str
    low_confidence: float
    otel_exporter_otlp_endpoint: str | None
    web_concurrency: int
    worker_threads: int
    request_timeout_seconds: int
    max_batch_tokens: int
    max_queue_tokens: int
    redis_url: str | None
    cache_ttl_seconds: int
    cache_entries: int
    rate_limit_predict: str | None
    rate_limit_batch: str | None
    rate_limit_analytics: str | None
    cors_origins: tuple[str, ...]
    host: str
    port: int
    data_dir: Path

    @property
    def most_waiting_requests(self) -> int:
        """Requests of a worker that may wait for its model: one thread in eight stays free of them.

        So there is always one to refuse a request quickly and to answer /health; a request without a thread would wait
        where nobody sees it.
        """
        return max(1, self.worker_threads - max(1, self.worker_threads // 8))

    @property
    def prepacked_dir(self) -> Path:
        """Where the workers of this host share the model's weights; everything in it can be made anew."""
        return self.data_dir / "prepacked"

    @property
    def address(self) -> str:
        """Host and port as URLs write them: an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def settings_from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that these environment variables give, unset and empty ones by their defaults.

    Raises SettingsError with one line that names the variable; a secret's value is never part of it.
    """
    read = _Reader(environment)
    return Settings(
        database_url=read.database_url("DATABASE_URL"),
        api_key=read.secret("API_KEY"),
        jwt_secret=read.signing_secret("JWT_SECRET"),
        jwt_lifetime_seconds=read.integer("JWT_LIFETIME_SECONDS", 900, 60, LONGEST_TOKEN_SECONDS),
        model_store=read.folder("MODEL_STORE") or BUNDLED_MODEL,
        model_stable=read.text("MODEL_STABLE"),
        onnx_model_path=read.file("ONNX_MODEL_PATH"),
        tokenizer_path=read.file("TOKENIZER_PATH"),
        log_level=read.choice("LOG_LEVEL", LOG_LEVELS, "INFO"),
        log_file=read.new_file("LOG_FILE"),
        metrics_backend=read.choice("METRICS_BACKEND", METRICS_BACKENDS, "prometheus"),
        cloudwatch_namespace=read.text("CLOUDWATCH_NAMESPACE") or CLOUDWATCH_NAMESPACE,
        low_confidence=read.share("LOW_CONFIDENCE", 0.6),
        otel_exporter_otlp_endpoint=read.web_address("OTEL_EXPORTER_OTLP_ENDPOINT"),
        web_concurrency=read.integer("WEB_CONCURRENCY", available_cpus(), 1, LARGEST_CONCURRENCY),
        worker_threads=read.integer("WORKER_THREADS", 64, 1, LARGEST_CONCURRENCY),
        request_timeout_seconds=read.integer("REQUEST_TIMEOUT_SECONDS", 20, 1, LONGEST_REQUEST_SECONDS),
        max_batch_tokens=read.integer("MAX_BATCH_TOKENS", 512, 1, LARGEST_BATCH_TOKENS),
        max_queue_tokens=read.integer("MAX_QUEUE_TOKENS", 16_384, 1, LARGEST_QUEUE_TOKENS),
        redis_url=read.redis_url("REDIS_URL"),
        cache_ttl_seconds=read.integer("CACHE_TTL_SECONDS", 86_400, 0, LONGEST_CACHE_SECONDS),
        cache_entries=read.integer("CACHE_ENTRIES", 10_000, 1, LARGEST_CACHE_ENTRIES),
        rate_limit_predict=read.rate("RATE_LIMIT_PREDICT", "100/minute"),
        rate_limit_batch=read.rate("RATE_LIMIT_BATCH", "20/minute"),
        rate_limit_analytics=read.rate("RATE_LIMIT_ANALYTICS", "60/minute"),
        cors_origins=read.origins("CORS_ORIGINS"),
        host=read.text("HOST") or "127.0.0.1",
        port=read.integer("PORT", 8000, 1, LARGEST_PORT),
        data_dir=Path(read.text("DATA_DIR") or PROJECT_ROOT / "var").absolute(),
    )


def allowed_processors() -> set[int]:
    """The processors that this thread's affinity mask leaves it; none where the system has no such mask."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def available_cpus() -> int:
    """Processors this process may use at once: its affinity mask, cut by the cgroup's quota, at least 1."""
    count = len(allowed_processors()) or os.cpu_count() or 1
    try:
        quota, period = _CGROUP_QUOTA.read_text(encoding="ascii").split()
    except (OSError, ValueError):  # no cgroup v2 here
        return count
    return count if quota == "max" else max(1, min(count, int(quota) // int(period)))


class _Reader:
    """Reads one variable at a time; an empty value counts as unset, as shells and compose files leave them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str) -> str | None:
        return self._environment.get(name, "").strip() or None

    def secret(self, name: str) -> str | None:
        value = self.text(name)
        # A key travels in an HTTP header, which carries visible ASCII only.
        if value and not re.fullmatch(r"[!-~]+", value):
            raise SettingsError(f"{name} must be visible ASCII characters without spaces")
        return value

    def signing_secret(self, name: str) -> str | None:
        value = self.secret(name)
        if value and len(value) < SHORTEST_SIGNING_SECRET:
            raise SettingsError(f"{name} must be at least {SHORTEST_SIGNING_SECRET} bytes")
        return value

    def integer(self, name: str, default: int, lowest: int, highest: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
            raise SettingsError(f"{name} must be a whole number from {lowest} to {highest}, not {value!r}")
        return int(value)

    def rate(self, name: str, default: str) -> str | None:
        value = (self.text(name) or default).lower()
        if value in ("0", "off"):
            return None
        form = re.fullmatch(r"([0-9]{1,6}) ?(?:/|per) ?(second|minute|hour|day)", value)
        if not form or not 1 <= int(form[1]) <= LARGEST_RATE:
            raise SettingsError(
                f"{name} must be off or 1 to {LARGEST_RATE} per second, minute, hour or day (100/minute), not {value!r}"
            )
        return f"{int(form[1])}/{form[2]}"

    def origins(self, name: str) -> tuple[str, ...]:
        value = self.text(name)
        if value is None:
            return ()
        origins = tuple(origin.strip().lower() for origin in value.split(","))
        for origin in origins:
            # An origin is what browsers send: no path, not even a slash.
            if not re.fullmatch(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", origin) and origins != ("*",):
                raise SettingsError(f"{name} must be origins like https://app.example.com, or * alone, not {origin!r}")
        return origins

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name) or default
        chosen = next((choice for choice in choices if choice.lower() == value.lower()), None)
        if chosen is None:
            raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        return chosen

    def share(self, name: str, default: float) -> float:
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"0|1|0?\.[0-9]{1,6}|[01]\.0{0,6}", value):
            raise SettingsError(f"{name} must be a number from 0 to 1, not {value!r}")
        return float(value)

    def web_address(self, name: str) -> str | None:
        value = self.text(name)
        # Not shown: a collector's address can carry a password.
        if value and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
            raise SettingsError(f"{name} must be http://host:port or https://host:port")
        return value

    def new_file(self, name: str) -> Path | None:
        value = self.text(name)
        if value is None:
            return None
        path = Path(value).absolute()
        if path.is_dir() or not path.parent.is_dir():
            raise SettingsError(f"{name} must be a file in an existing folder, not {value!r}")
        return path

    def folder(self, name: str) -> Path | None:
        value = self.text(name)
        if value is None:
            return None
        if not Path(value).is_dir():
            raise SettingsError(f"{name} must be an existing folder, not {value!r}")
        return Path(value).absolute()

    def file(self, name: str) -> Path | None:
        value = self.text(name)
        if value is None:
            return None
        if not Path(value).is_file():
            raise SettingsError(f"{name} must be an existing file, not {value!r}")
        return Path(value).absolute()

    def database_url(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        # Here, since a command that starts a database of its own need not wait for SQLAlchemy before.
        from sqlalchemy.engine import make_url  # noqa: PLC0415
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

        try:
            url = make_url(value)
        except (ArgumentError, ValueError):  # the latter for a port that is no number
            raise SettingsError(f"{name} is not a database URL (postgresql://user:password@host/database)") from None
        if url.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
            raise SettingsError(f"{name} must start with postgresql://, the only database this service supports")
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)

    def redis_url(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            url = urlsplit(value)
            host, _port = (url.hostname or "").encode("idna"), url.port
        except ValueError:  # a port that is no number, a host that can't be a name
            raise SettingsError(f"{name} is not a Redis URL ({_REDIS_FORMS})") from None
        by_socket = url.scheme == "unix" and not host and len(url.path) > 1
        by_network = url.scheme in ("redis", "rediss") and host and re.fullmatch(r"(/[0-9]*)?", url.path)
        # Options in a query could lift the bounds on how long Redis is waited for.
        if not (by_socket or by_network) or url.query or url.fragment:
            raise SettingsError(f"{name} is not a Redis URL ({_REDIS_FORMS}), or has options")
        return value
