"""What NCCL thinks a call will take, what it picks for it, and the sizes where its pick changes.

    time = latency (x plateau) + size / (bandwidth x correction)

Trees of medium size are slower than latency and bandwidth say: their bandwidth is multiplied by a correction that was
measured, by the power of two of the size. A ring that has begun to pipeline (Simple, several nodes) pays its latency
1.4 to 1.9 times: the *plateau*. Small calls then use fewer channels: so many that each thread has enough to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from collectives.baseline.nccl.cells import Cell, cells
from collectives.baseline.nccl.system import NcclError, System
from collectives.baseline.nccl.tables import PROTOCOLS, Tables, find
from topologies.spelling import did_you_mean

_BYTES_PER_THREAD = {"LL": 8, "LL128": 8, "Simple": 64}
_THREADS = {"LL": 512, "LL128": 640, "Simple": 512}
_PCI_GBPS = 12.0
"""Up to this total a ring's Simple uses 256 threads."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What NCCL runs at a size, and what it thinks it takes."""

    size_bytes: int
    algorithm: str
    protocol: str
    time_us: float
    channels: int
    threads: int


@dataclass(frozen=True, slots=True)
class Crossover:
    """From ``size_bytes`` on NCCL runs this pair."""

    size_bytes: int
    algorithm: str
    protocol: str


def nccl_time(
    system: System, collective: str, size_bytes: int, version: str | None = None, algorithm: str | None = None
) -> float:
    """Microseconds that NCCL of ``version`` expects ``collective`` of ``size_bytes`` to take on ``system``.

    ``size_bytes`` as nccl-tests prints it: the larger of a rank's two buffers. ``algorithm`` leaves NCCL only that one,
    as NCCL_ALGO does. NcclError for what makes no sense.
    """
    return choose(system, collective, size_bytes, version, algorithm).time_us


def choose(
    system: System, collective: str, size_bytes: int, version: str | None = None, algorithm: str | None = None
) -> Choice:
    """The quickest pair by NCCL's own reckoning, with its channels and threads."""
    if size_bytes < 1:
        raise NcclError(f"size {size_bytes}: must be above 0 bytes")
    return _choose(find(version).tables, system, collective, size_bytes, algorithm)


def crossovers(
    system: System, collective: str, version: str | None = None, smallest: int = 8, largest: int = 1 << 34
) -> tuple[Crossover, ...]:
    """The pairs by size: the first from ``smallest`` on, each next where the choice changes, to the byte.

    The correction of trees changes at powers of two, so each octave is looked at by itself, in eight parts.
    """
    tables = find(version).tables
    found: list[Crossover] = []
    previous = smallest
    for size in _grid(smallest, largest):
        pair = _pair(tables, system, collective, size)
        if not found:
            found.append(Crossover(size, *pair))
        elif pair != (found[-1].algorithm, found[-1].protocol):
            found.append(Crossover(_first(tables, system, collective, previous, size), *pair))
        previous = size
    return tuple(found)


def time_us(tables: Tables, system: System, cell: Cell, size_bytes: int) -> float:
    """NCCL's time of one cell at a size; infinite where the cell is off."""
    bandwidth = cell.bandwidth_GBps
    if bandwidth <= 0:
        return float("inf")
    bandwidth *= correction(tables, cell, size_bytes)
    return cell.latency_us * plateau(tables, system, cell, size_bytes) + size_bytes / (1000 * bandwidth)


def correction(tables: Tables, cell: Cell, size_bytes: int) -> float:
    """What a tree reaches of its bandwidth at a size."""
    if cell.algorithm != "Tree" or size_bytes < 64:
        return 1.0
    row = tables.correction[PROTOCOLS.index(cell.protocol)]
    place = (size_bytes >> 6).bit_length() - 1
    return row[place] if place < len(row) else 1.0


def plateau(tables: Tables, system: System, cell: Cell, size_bytes: int) -> float:
    """How many times a ring's latency is paid at a size."""
    pair = (cell.algorithm, cell.protocol, cell.collective)
    if pair != ("Ring", "Simple", "all_reduce") or system.nodes == 1:
        return 1.0
    if tables.plateau_by_channels:
        begun = size_bytes // (system.channels * system.ranks) >= 64
    else:
        begun = size_bytes >= system.ranks / 16 * 65536
    return tables.plateau[system.arch] if begun else 1.0


def _choose(tables: Tables, system: System, collective: str, size_bytes: int, algorithm: str | None = None) -> Choice:
    found = [cell for cell in cells(tables, system, collective) if algorithm in {None, cell.algorithm}]
    if not found:
        known = dict.fromkeys(cell.algorithm for cell in cells(tables, system, collective))
        raise NcclError(
            f"NCCL has no {algorithm!r} for {collective} on {system.name}; {did_you_mean(str(algorithm), known)}"
        )
    best = min(found, key=lambda cell: time_us(tables, system, cell, size_bytes))
    channels, threads = _channels(system, best, size_bytes)
    time = time_us(tables, system, best, size_bytes)
    return Choice(size_bytes, best.algorithm, best.protocol, time, channels, threads)


def _channels(system: System, cell: Cell, size_bytes: int) -> tuple[int, int]:
    """Channels and threads of a call: fewer channels until each thread has its share of bytes."""
    if cell.algorithm.startswith("NVLS") and system.nvls is not None:
        return min(32, 2 * system.nvls.channels), 640
    threads, each = _THREADS[cell.protocol], _BYTES_PER_THREAD[cell.protocol]
    if (cell.algorithm, cell.protocol) == ("Ring", "Simple"):
        slow = system.ring.channels * system.ring.bw_intra_GBps <= _PCI_GBPS
        threads = 256 if slow else threads
    if (cell.algorithm, cell.protocol) == ("Ring", "LL"):
        each *= system.ranks
    return max(1, min(system.channels, size_bytes // (threads * each))), threads


def _pair(tables: Tables, system: System, collective: str, size_bytes: int) -> tuple[str, str]:
    choice = _choose(tables, system, collective, size_bytes)
    return choice.algorithm, choice.protocol


def _grid(smallest: int, largest: int) -> Iterator[int]:
    size = smallest
    while size <= largest:
        part = max(1, size >> 3) if size & (size - 1) == 0 else max(1, 1 << (size.bit_length() - 4))
        yield size
        size += part


def _first(tables: Tables, system: System, collective: str, low: int, high: int) -> int:
    """The smallest size above ``low`` whose pair is not that of ``low``."""
    before = _pair(tables, system, collective, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _pair(tables, system, collective, middle) == before:
            low = middle
        else:
            high = middle
    return high
