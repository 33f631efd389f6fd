from pathlib import Path

import pytest

from finbert_api.domain.errors import SettingsError
from finbert_api.settings import BUNDLED_MODEL, available_cpus, settings_from_environment


def test_an_empty_environment_gives_the_defaults():
    settings = settings_from_environment({})
    assert settings.database_url is None
    assert settings.api_key is None
    assert settings.model_store == BUNDLED_MODEL
    assert (settings.host, settings.port, settings.log_level) == ("127.0.0.1", 8000, "INFO")
    assert settings.web_concurrency == available_cpus()


@pytest.mark.parametrize(("value", "share"), [("0", 0), (".75", 0.75), ("0.5", 0.5), ("1.0", 1), ("1", 1)])
def test_a_share_is_a_number_from_0_to_1(value, share):
    assert settings_from_environment({"LOW_CONFIDENCE": value}).low_confidence == share


def test_a_choice_is_taken_in_any_case():
    settings = settings_from_environment({"LOG_LEVEL": "debug", "METRICS_BACKEND": "Both"})
    assert (settings.log_level, settings.metrics_backend) == ("DEBUG", "both")


def test_empty_values_count_as_unset():
    assert settings_from_environment({"PORT": "", "API_KEY": " ", "MODEL_STORE": ""}) == settings_from_environment({})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_spelling_of_a_postgresql_url_is_taken(scheme):
    settings = settings_from_environment(
        {"DATABASE_URL": f"{scheme}://ann:s3cret@db.example:5433/finbert?sslmode=require"}
    )
    assert settings.database_url == "postgresql+psycopg://ann:s3cret@db.example:5433/finbert?sslmode=require"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PORT", "0", "whole number from 1 to 65535"),
        ("PORT", "65536", "whole number from 1 to 65535"),
        ("PORT", "80.0", "whole number"),
        ("PORT", "-1", "whole number"),
        ("WEB_CONCURRENCY", "none", "whole number"),
        ("WORKER_THREADS", "0", "whole number"),
        ("REQUEST_TIMEOUT_SECONDS", "26", "from 1 to 25"),
        ("MAX_BATCH_TOKENS", "0", "whole number from 1"),
        ("MAX_QUEUE_TOKENS", "0", "whole number from 1"),
        ("LOG_LEVEL", "LOUD", "one of DEBUG, INFO"),
        ("METRICS_BACKEND", "graphite", "one of prometheus, cloudwatch, both, none"),
        ("LOW_CONFIDENCE", "1.5", "number from 0 to 1"),
        ("LOW_CONFIDENCE", "half", "number from 0 to 1"),
        ("LOG_FILE", "/no/such/folder/api.log", "file in an existing folder"),
        ("LOG_FILE", "/tmp", "file in an existing folder"),  # noqa: S108 - read only
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "http://host:port"),
        ("MODEL_STORE", "/no/such/folder", "existing folder"),
        ("ONNX_MODEL_PATH", "/no/such/file", "existing file"),
        ("TOKENIZER_PATH", "/no/such/file", "existing file"),
        ("JWT_SECRET", "x" * 31, "at least 32 bytes"),
        ("JWT_LIFETIME_SECONDS", "59", "from 60 to 86400"),
        ("CACHE_TTL_SECONDS", "-1", "whole number from 0"),
        ("CACHE_ENTRIES", "0", "whole number from 1"),
        ("RATE_LIMIT_PREDICT", "100", "off or 1 to 100000 per second"),
        ("RATE_LIMIT_PREDICT", "0/minute", "off or 1 to"),
        ("RATE_LIMIT_BATCH", "100001/day", "off or 1 to"),
        ("RATE_LIMIT_ANALYTICS", "1/fortnight", "off or 1 to"),
        ("CORS_ORIGINS", "app.example.com", "origins like https://app.example.com"),
        ("CORS_ORIGINS", "https://app.example.com/", "origins like"),
        ("CORS_ORIGINS", "https://app.example.com,", "origins like"),
        ("CORS_ORIGINS", "https://app.example.com, *", "or [*] alone"),
        ("CORS_ORIGINS", "https://.*", "origins like"),
        ("REDIS_URL", "localhost:6379", "not a Redis URL"),
        ("REDIS_URL", "http://localhost", "not a Redis URL"),
        ("REDIS_URL", "redis://", "not a Redis URL"),
        ("REDIS_URL", "redis://host:port", "not a Redis URL"),
        ("REDIS_URL", "redis://a..b", "not a Redis URL"),
        ("REDIS_URL", "redis://host/zero", "not a Redis URL"),
        ("REDIS_URL", "redis://host?socket_timeout=60", "has options"),
        ("REDIS_URL", "unix://", "not a Redis URL"),
        ("DATABASE_URL", "mysql://localhost/x", "must start with postgresql://"),
        ("DATABASE_URL", "not a url", "not a database URL"),
        ("DATABASE_URL", "postgresql://u:p@host:port/d", "not a database URL"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(name, value, message):
    with pytest.raises(SettingsError, match=message) as raised:
        settings_from_environment({name: value})
    assert str(raised.value).startswith(name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "environment",
    [
        {"API_KEY": "sesame with spaces"},
        {"API_KEY": "sésame"},
        {"JWT_SECRET": "sesame"},
        {"JWT_SECRET": "sesame " * 10},
        {"DATABASE_URL": "mysql://ann:sesame@db/x"},
        {"REDIS_URL": "http://:sesame@host"},
        {"REDIS_URL": "redis://:sesame#@host"},
        {"REDIS_URL": "redis://:sesame/x@host"},
        {"REDIS_URL": "redis://:x@host?password=sesame"},
    ],
)
def test_a_secret_is_never_part_of_the_message(environment):
    with pytest.raises(SettingsError) as raised:
        settings_from_environment(environment)
    assert "sesame" not in str(raised.value)
    assert "sésame" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["redis://host", "redis://ann:s3cret%23@host:6380/2", "rediss://[::1]:6380", "unix:///run/redis.sock"]
)
def test_every_form_of_a_redis_url_is_taken(url):
    assert settings_from_environment({"REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    ("value", "rate"),
    [("", "100/minute"), ("5/second", "5/second"), ("007 per Day", "7/day"), ("off", None), ("OFF", None), ("0", None)],
)
def test_a_rate_limit_is_a_rate_or_off(value, rate):
    assert settings_from_environment({"RATE_LIMIT_PREDICT": value}).rate_limit_predict == rate


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", ()),
        ("*", ("*",)),
        ("https://App.example.com, http://[::1]:3000", ("https://app.example.com", "http://[::1]:3000")),
    ],
)
def test_origins_are_those_that_browsers_send(value, origins):
    assert settings_from_environment({"CORS_ORIGINS": value}).cors_origins == origins


@pytest.mark.parametrize(("threads", "requests"), [("1", 1), ("2", 1), ("8", 7), ("64", 56)])
def test_a_thread_in_eight_is_kept_from_waiting_for_the_model(threads, requests):
    assert settings_from_environment({"WORKER_THREADS": threads}).most_waiting_requests == requests


def test_paths_are_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    settings = settings_from_environment({"MODEL_STORE": "models", "DATA_DIR": "data"})
    assert settings.model_store == tmp_path / "models"
    assert settings.data_dir == tmp_path / "data"


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", 8), ("150000 100000", 1), ("400000 100000", 4), ("5000 100000", 1)]
)
def test_processors_are_those_the_cgroup_grants(tmp_path, monkeypatch, quota, expected):
    limit = tmp_path / "cpu.max"
    limit.write_text(quota)
    monkeypatch.setattr("finbert_api.settings._CGROUP_QUOTA", limit)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(8)))
    assert available_cpus() == expected
    monkeypatch.setattr("finbert_api.settings._CGROUP_QUOTA", Path("/no/such/file"))
    assert available_cpus() == 8


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "127.0.0.1:8000"), ("::1", "[::1]:8000")])
def test_an_address_is_written_as_urls_write_it(host, address):
    assert settings_from_environment({"HOST": host}).address == address
