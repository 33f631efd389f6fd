import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout
from support import wait_for

from finbert_api.storage.pool import FairPool

LONG_SECONDS = 60


def connect():
    return sqlite3.connect(":memory:", check_same_thread=False)


def pool_of(size, creator=connect, timeout=LONG_SECONDS):
    return FairPool(creator, pool_size=size, timeout=timeout)


def take_and_give_back(pool):
    pool.connect().close()


def wait_for_line(pool, length):
    wait_for(lambda: pool.line.length == length, f"{length} in the line")


def test_connections_go_to_callers_in_the_order_they_came():
    pool = pool_of(1)
    served = []

    def use(caller):
        connection = pool.connect()
        served.append(caller)
        connection.close()

    with ThreadPoolExecutor(8) as threads:
        held = pool.connect()
        for caller in range(8):
            threads.submit(use, caller)
            wait_for_line(pool, caller + 1)
        # Who gives a connection back and asks again at once, waits behind all of them.
        held.close()
        use("again")
    assert served == [*range(8), "again"]


def test_as_many_as_there_are_connections_have_one_at_a_time():
    pool = pool_of(3)
    held = [pool.connect() for _ in range(3)]
    with ThreadPoolExecutor(1) as threads:
        fourth = threads.submit(pool.connect)
        wait_for_line(pool, 1)
        held.pop().close()
        fourth.result().close()
    assert pool.checkedout() == 2


def test_who_waited_too_long_is_told_and_takes_no_connection_with_it():
    pool = pool_of(1, timeout=0.01)
    for _ in range(3):
        held = pool.connect()
        with pytest.raises(PoolTimeout, match=r"no connection was free within 0\.01 s"):
            pool.connect()
        held.close()
    assert pool.line.length == 0


@pytest.mark.parametrize("is_lost_before", [False, True])
def test_a_connection_that_could_not_be_made_leaves_its_place_to_others(is_lost_before):
    answers = [connect()] * is_lost_before + [OSError("refused")] * 3 + [connect()]

    def creator():
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    pool = pool_of(1, creator)
    if is_lost_before:
        pool.connect().invalidate()
    for _ in range(3):
        with pytest.raises(OSError, match="refused"):
            pool.connect()
    pool.connect().close()


def test_a_connection_that_was_lost_leaves_its_place_to_others():
    pool = pool_of(1, timeout=0.01)
    for _ in range(3):
        pool.connect().invalidate()
    pool.connect()  # nobody keeps it: it is given back
    pool.connect().close()


def test_a_crowd_takes_no_more_connections_than_there_may_be_and_leaves_all_of_them():
    made = []

    def creator():
        made.append(connect())
        return made[-1]

    for _ in range(50):
        pool = pool_of(4, creator)
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(take_and_give_back, [pool] * 100))
        assert len(made) <= 4
        held = [pool.connect() for _ in range(4)]
        assert pool.line.length == 0
        for connection in held:
            connection.close()
        pool.dispose()
        made.clear()


def test_a_pool_made_anew_is_fair_too():
    pool = pool_of(2).recreate()
    assert isinstance(pool, FairPool)
    assert pool.size() == 2
    first, second = pool.connect(), pool.connect()
    first.close()
    second.close()
