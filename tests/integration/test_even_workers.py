import http.client
import os
import re
from contextlib import ExitStack, closing

import psutil
import pytest
from support import wait_for

CONNECTIONS = 12


def held_by_worker(service):
    """How many connections of clients each worker of the service has, for those that have any; the fewest first."""
    held = [
        sum(each.laddr.port == service.port and bool(each.raddr) for each in worker.net_connections())
        for worker in psutil.Process(service.process.pid).children()
    ]
    return sorted(count for count in held if count)


def connections_by_worker(service):
    """How twelve new connections that are kept are spread over the workers, which have none before."""
    wait_for(lambda: not held_by_worker(service), "earlier connections to end")
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            connection = stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)))
            connection.request("GET", "/health")
            connection.getresponse().read()
        return held_by_worker(service)


def kill_a_worker(service):
    """Returns when there is a new one in its place, which need not be ready."""
    workers = psutil.Process(service.process.pid).children()
    next(worker for worker in workers if any("finbert" in part for part in worker.cmdline())).kill()
    before = {worker.pid for worker in workers}
    wait_for(lambda: {c.pid for c in psutil.Process(service.process.pid).children()} - before, "a new worker")


def test_connections_that_stay_are_spread_over_the_workers(service):
    # The service is ready with its first worker; the other may still be on its way.
    wait_for(lambda: len(connections_by_worker(service)) == 2, "both workers")
    # A worker that is kept from the processor for milliseconds may miss one.
    assert connections_by_worker(service)[0] >= CONNECTIONS // 3


def test_a_worker_that_replaces_another_takes_part(service):
    wait_for(lambda: len(connections_by_worker(service)) == 2, "both workers")
    kill_a_worker(service)
    wait_for(lambda: len(connections_by_worker(service)) == 2, "both workers again")


def test_clients_that_stay_connected_come_to_a_worker_that_replaces_another(service):
    wait_for(lambda: len(connections_by_worker(service)) == 2, "both workers")
    kill_a_worker(service)
    with ExitStack() as stack:
        clients = [
            stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)))
            for _ in range(CONNECTIONS)
        ]

        def ask_all():
            for client in clients:  # each on its connection as long as the service keeps that
                client.request("GET", "/health")
                answer = client.getresponse()
                answer.read()
                assert answer.status == 200
            return held_by_worker(service)

        wait_for(lambda: ask_all() == [CONNECTIONS // 2] * 2, "half of the clients to have changed")
        assert all(ask_all() == [CONNECTIONS // 2] * 2 for _ in range(5))  # and they stay there


@pytest.mark.skipif(len(os.sched_getaffinity(0)) != os.cpu_count(), reason="the tests have a part of the machine")
def test_each_worker_keeps_to_a_processor(start_service, database_url):
    def processors():
        workers = psutil.Process(service.process.pid).children()
        return sorted(processor for worker in workers for processor in worker.cpu_affinity())

    service = start_service(DATABASE_URL=database_url, WEB_CONCURRENCY=str(os.cpu_count())).wait_until_ready()
    every = sorted(os.sched_getaffinity(0))
    wait_for(lambda: processors() == every, "all workers to have theirs")
    for worker in psutil.Process(service.process.pid).children():
        # ONNX Runtime's own, which take part in the run of a text that is alone.
        assert set(every) in [os.sched_getaffinity(thread.id) for thread in worker.threads()]
    kill_a_worker(service)
    wait_for(lambda: processors() == every, "the new one to have the old one's")


def test_what_a_worker_that_ended_had_counted_stays_counted(service):
    def answered():
        text = service.request("GET", "/metrics")[2].decode()
        found = re.findall(r'http_requests_total\{.*route="/api/v1/predictions".*\} ([0-9.]+)', text)
        return float(found[0]) if found else 0

    for _ in range(7):
        service.request("GET", "/api/v1/predictions")
    wait_for(lambda: answered() == 7, "every worker to have counted")
    for _ in range(2):
        for worker in psutil.Process(service.process.pid).children():
            if len(worker.threads()) > 2:
                worker.kill()
        wait_for(lambda: service.status_of("/health") == 200, "workers again")
    assert answered() == 7
