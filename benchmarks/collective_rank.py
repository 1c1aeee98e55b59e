"""One rank of ``benchmarks/collectives.py``: opens its library, then times what it is told to, until it hears no more.

    python benchmarks/collective_rank.py LIBRARY SOCKET RANK RANKS ADDRESS

It hears one JSON line a task (bytes of the message, how many times) and answers with the seconds that each took.
Nothing runs between two tasks: whoever waits for its turn sleeps in a read.
"""

# ruff: noqa: PLC0415 - a rank imports only the library that it times

import json
import os
import socket
import sys
from mmap import mmap
from pathlib import Path
from time import perf_counter

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

PART = 1 << 16
"""Elements checked at a time."""


def main():
    library, path, rank, ranks, address = sys.argv[1:]
    rank, ranks = int(os.environ.get("OMPI_COMM_WORLD_RANK", rank)), int(ranks)
    control = socket.socket(socket.AF_UNIX)
    control.connect(path)
    lines = control.makefile("rw")
    if library == "ringlab":  # as its launcher does; mpirun may bind Open MPI's, and gloo is faster without
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})
    say(lines, {"rank": rank, "pid": os.getpid()})
    all_reduce, barrier, end = LIBRARIES[library](rank, ranks, address)
    say(lines, {"ready": True})
    for line in lines:
        say(lines, measured(json.loads(line), all_reduce, barrier))
    end()


def measured(task, all_reduce, barrier):
    """Times of a task; and whether the sum was right, on numbers that every order adds to the same."""
    array = np.frombuffer(mmap(-1, task["bytes"]), np.float32)  # all of it goes back to the system after the task
    array.fill(1)
    all_reduce(array)
    wrong = sum(int(np.count_nonzero(part != task["ranks"])) for part in np.array_split(array, 1 + len(array) // PART))
    array.fill(0)
    for _ in range(task["warm"]):
        all_reduce(array)
    barrier()
    forget_peak()
    times = np.empty(task["times"] + 1)
    times[0] = perf_counter()
    for number in range(task["times"]):
        all_reduce(array)
        times[number + 1] = perf_counter()
    barrier()
    return {"seconds": np.diff(times).tolist(), "wrong": wrong, "resident": peak()}


def say(lines, what):
    lines.write(json.dumps(what) + "\n")
    lines.flush()


def forget_peak():
    """The kernel begins anew to look for the largest size of this process."""
    Path("/proc/self/clear_refs").write_text("5")


def peak():
    """Bytes resident at the most since then."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def ringlab(rank, ranks, address):
    from collectives.communicator import Communicator

    communicator = Communicator(rank, [address] * ranks, algorithm="auto")
    communicator.open()
    communicator.tune()
    return communicator.all_reduce, communicator.barrier, communicator.close


def gloo(rank, ranks, address):
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    store = dist.TCPStore(address, 29400 + ranks, ranks, rank == 0)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=ranks)

    def all_reduce(array):
        dist.all_reduce(torch.from_numpy(array))

    return all_reduce, dist.barrier, dist.destroy_process_group


def openmpi(rank, ranks, address):  # noqa: ARG001 - mpirun tells it
    from mpi4py import MPI

    world = MPI.COMM_WORLD

    def all_reduce(array):
        world.Allreduce(MPI.IN_PLACE, array)

    return all_reduce, world.Barrier, MPI.Finalize


LIBRARIES = {"ringlab": ringlab, "gloo": gloo, "openmpi": openmpi, "openmpi-sm": openmpi}

if __name__ == "__main__":
    main()
