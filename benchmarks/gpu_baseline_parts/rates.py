"""How fast a GPU adds and copies what is in its memory: the floor under every reduction. GB/s of memory traffic.

Adding reads two buffers and writes one, copying reads one and writes one; each byte that moves counts. Every operation
is timed by itself, by the device's own events; what is told is the median. The buffers are far beyond any cache.
"""

import statistics
import time

TOUCHED = {"add": 3, "copy": 2}
"""Bytes moved for each byte of a buffer."""


def rates(device="cuda", nbytes=1 << 30, times=20):
    """``{"add": GB/s, "copy": GB/s}`` of float32 buffers of ``nbytes`` on a device of torch."""
    import torch  # noqa: PLC0415 - seconds to import

    a, b, out = (torch.ones(nbytes // 4, device=device) for _ in range(3))
    operations = {"add": lambda: torch.add(a, b, out=out), "copy": lambda: out.copy_(a)}
    return {name: TOUCHED[name] * nbytes / _median_s(torch, device, operations[name], times) / 1e9 for name in TOUCHED}


def _median_s(torch, device, operation, times):
    for _ in range(3):
        operation()
    timed = _by_events if device.startswith("cuda") else _by_clock
    return statistics.median(timed(torch, operation) for _ in range(times))


def _by_events(torch, operation):
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    operation()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3


def _by_clock(_, operation):
    start = time.perf_counter()
    operation()
    return time.perf_counter() - start
