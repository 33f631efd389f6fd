"""`finbert run`: one command starts everything, and everything it started stops with it."""

import os
import re
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path

import psutil
import pytest
from support import ADMIN_KEY, RUN, START_SECONDS, finbert, free_port, is_alive, wait_for

from finbert_api.__main__ import TUNABLES, WITHOUT_THREAD_CACHES
from finbert_api.settings import PROJECT_ROOT

TEXT = "The company beat earnings expectations and raised full-year guidance."


@pytest.fixture
def start_service(start_service):
    """Starts services by the one command."""
    return partial(start_service, command=RUN)


def postgres_pid(data_dir):
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split(maxsplit=1)[0])


def test_a_prediction_outlives_a_restart_and_nothing_else_outlives_a_stop(start_service):
    first = start_service().wait_until_ready()
    status, _, made = first.request("POST", "/api/v1/predict", {"text": TEXT})
    assert status == 200
    assert made["label"] == "positive"
    database = postgres_pid(first.data_dir)
    workers = psutil.Process(first.process.pid).children(recursive=True)
    assert len(workers) >= 2

    assert first.stop(signal.SIGINT) == 0
    assert not is_alive(database)
    assert not any(is_alive(worker.pid) for worker in workers)

    second = start_service().wait_until_ready()
    status, _, found = second.request("GET", f"/api/v1/predictions/{made['request_id']}")
    assert status == 200
    assert found == made
    assert second.request("GET", "/api/v1/predictions")[2] == {"items": [made], "next_cursor": None, "total_count": 1}
    assert second.stop(signal.SIGTERM) == 0


def test_the_block_tells_url_docs_key_and_a_curl_that_works(service):
    block = wait_for(lambda: re.search(r"FinBERT API  .*Ctrl-C stops it\.", service.output(), re.DOTALL), "the block")[
        0
    ]
    assert f"http://127.0.0.1:{service.port}/docs" in block
    assert ADMIN_KEY in block
    curl = block[block.index("curl") : block.index("Ctrl-C")]
    answer = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True)
    assert '"label":"positive"' in answer.stdout
    assert service.output().count("Ctrl-C stops it.") == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [({}, WITHOUT_THREAD_CACHES), ({TUNABLES: "glibc.malloc.perturb=1"}, "glibc.malloc.perturb=1")],
)
def test_memory_is_not_kept_for_each_thread_unless_somebody_tunes_it(start_service, fresh_database, given, kept):
    service = start_service(DATABASE_URL=fresh_database(), **given).wait_until_ready()
    master = psutil.Process(service.process.pid)
    workers = master.children()
    assert workers
    assert {process.environ()[TUNABLES] for process in (master, *workers)} == {kept}


def test_the_image_says_of_memory_what_the_command_does():
    assert f"{TUNABLES}={WITHOUT_THREAD_CACHES} " in (PROJECT_ROOT / "Dockerfile").read_text()


def test_without_a_key_one_is_made_kept_and_readable_by_its_owner_alone(start_service, fresh_database):
    url = fresh_database()
    first = start_service(API_KEY="", DATABASE_URL=url).wait_until_ready()
    path = first.data_dir / "api_key"
    key = path.read_text().strip()
    assert path.stat().st_mode & 0o077 == 0
    assert first.request("GET", "/api/v1/predictions", headers={"X-API-Key": key})[0] == 200
    token = first.request("POST", "/api/v1/auth/token", headers={"X-API-Key": key})[2]["access_token"]
    assert (first.data_dir / "jwt_secret").stat().st_mode & 0o077 == 0
    first.stop()
    second = start_service(API_KEY="", DATABASE_URL=url).wait_until_ready()
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {token}"}):
        assert second.request("GET", "/api/v1/predictions", headers=headers)[0] == 200


def test_a_killed_service_leaves_data_that_the_next_one_takes_over_and_stops(start_service):
    first = start_service().wait_until_ready()
    made = first.request("POST", "/api/v1/predict", {"text": TEXT})[2]
    database = postgres_pid(first.data_dir)
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    second = start_service().wait_until_ready()
    assert second.request("GET", f"/api/v1/predictions/{made['request_id']}")[2] == made
    assert second.stop() == 0
    wait_for(lambda: not is_alive(database), "the database of both to stop")


def test_workers_that_are_killed_are_replaced(service):
    workers = psutil.Process(service.process.pid).children()
    assert len(workers) == 2
    wait_for(lambda: "Ctrl-C stops it." in service.output(), "the block")
    for worker in workers:
        worker.kill()
    wait_for(lambda: not any(is_alive(worker.pid) for worker in workers), "the workers to die")
    wait_for(lambda: service.status_of("/ready") == 200, "another worker")
    assert service.request("POST", "/api/v1/predict", {"text": TEXT})[0] == 200
    assert service.output().count("Ctrl-C stops it.") == 1


def test_a_taken_port_is_one_clear_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        result = finbert("run", DATA_DIR=str(tmp_path / "data"), PORT=str(port))
    assert result.returncode == 1
    assert result.stderr.strip().splitlines()[-1].startswith(f"Error: can't listen on 127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"PORT": "eighty"}, "Error: PORT must be a whole number from 1 to 65535, not 'eighty'"),
        ({"MODEL_STORE": "/no/such"}, "Error: MODEL_STORE must be an existing folder, not '/no/such'"),
        ({"LOG_LEVEL": "LOUD"}, "Error: LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, not 'LOUD'"),
    ],
)
def test_a_bad_setting_stops_the_boot_with_one_clear_line(tmp_path, environment, line):
    result = finbert("run", DATA_DIR=str(tmp_path / "data"), **environment)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [line]
    assert not (tmp_path / "data").exists()


def test_a_database_that_is_not_there_is_told_and_nothing_started(tmp_path):
    result = finbert("run", DATABASE_URL="postgresql://nobody:sesame@127.0.0.1:1/x", PORT=str(free_port()))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "sesame" not in result.stderr + result.stdout
    assert result.stderr.strip().splitlines()[-1] == "Error: the migrations failed, as said above; nothing was started"


def test_two_services_share_one_data_folder_and_the_last_one_stops_the_database(start_service):
    first = start_service().wait_until_ready()
    second = start_service().wait_until_ready()
    made = first.request("POST", "/api/v1/predict", {"text": TEXT})[2]
    database = postgres_pid(first.data_dir)
    first.stop()
    assert second.request("GET", f"/api/v1/predictions/{made['request_id']}")[2] == made
    second.stop()
    wait_for(lambda: not is_alive(database), "the database to stop", START_SECONDS)


def shared_memory_of(process):
    return list(Path("/dev/shm").glob(f"finbert-metrics-{process.pid}-*"))  # noqa: S108 - made by the service


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_workers_are_there_leaves_no_database_and_no_memory(start_service, signal_number):
    service = start_service()
    # Loaded while the migrations run, a second before the workers are there.
    maps = Path(f"/proc/{service.process.pid}/maps")
    wait_for(lambda: "onnxruntime" in maps.read_text(), "what the workers share to be loaded")
    assert len(shared_memory_of(service.process)) == 1
    database = postgres_pid(service.data_dir)
    assert service.stop(signal_number) == 128 + signal_number
    wait_for(lambda: not is_alive(database), "the database to stop")
    assert shared_memory_of(service.process) == []


def test_a_closed_terminal_ends_the_service(service):
    assert service.stop(signal.SIGHUP) == 0


def test_a_first_start_that_was_interrupted_leaves_a_folder_that_the_next_one_can_use(start_service):
    first = start_service()
    wait_for((first.data_dir / "postgres.unfinished").exists, "the first start to begin")
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait()
    assert not (first.data_dir / "postgres").exists()
    start_service().wait_until_ready()


def test_ipv6_is_served(start_service, fresh_database):
    service = start_service(DATABASE_URL=fresh_database(), HOST="::1")
    wait_for(lambda: f"http://[::1]:{service.port}" in service.output(), "the block")
    with socket.create_connection(("::1", service.port), timeout=30) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
