"""Once a call was made, the same call again allocates nothing: its memory is the caller's and the communicator's."""

import threading
import tracemalloc

import numpy as np
import pytest

from collectives.algorithms import names
from collectives.communicator import Communicator

NBYTES = 4 << 20
ALLOWED = 64 * 1024
"""Views, tuples and exceptions of all ranks at one time; a chunk alone is 1 MiB."""

pytestmark = pytest.mark.process


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("algorithm", names())
def test_a_call_that_was_made_before_allocates_nothing(group, address, algorithm, dtype):
    traced = threading.Barrier(4)

    def call(rank):
        with Communicator(rank, [address] * 4, algorithm=algorithm) as communicator:
            array = np.zeros(NBYTES // np.dtype(dtype).itemsize, dtype)
            out = np.zeros_like(array)
            for _ in range(2):
                communicator.all_reduce(array, out)
            if traced.wait() == 0:
                tracemalloc.start()
            traced.wait()
            before = tracemalloc.get_traced_memory()[0]
            traced.wait()
            for _ in range(3):
                communicator.all_reduce(array, out)
            traced.wait()
            return tracemalloc.get_traced_memory()[1] - before

    try:
        grown = group(4, call)
    finally:
        tracemalloc.stop()
    assert max(grown) < ALLOWED, f"{grown} bytes"
