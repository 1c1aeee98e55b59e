"""Ranks as threads of this process, over real loopback sockets; each test has an address of its own."""

import itertools
import os
import threading

import pytest

_NUMBERS = itertools.count(1)


@pytest.fixture
def address():
    """An address of this machine that no other test, and no other test run, uses; its second part has two digits."""
    return f"127.{10 + os.getpid() // 250 % 90}.{os.getpid() % 250}.{next(_NUMBERS)}"


@pytest.fixture
def group():
    """``group(n, call)`` runs ``call(rank)`` for each rank in a thread; a list of results, or the exceptions raised."""

    def run(num_ranks, call):
        results = [None] * num_ranks

        def one(rank):
            try:
                results[rank] = call(rank)
            except Exception as error:  # noqa: BLE001 - the test judges it
                results[rank] = error

        threads = [threading.Thread(target=one, args=(rank,)) for rank in range(num_ranks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "a rank hangs"
        return results

    return run
