"""One rank of torch.distributed, timed as nccl-tests does: ``python rank.py --rank R --ranks N ...``.

Per size: one operation that is not timed, a barrier, then ``--iters`` operations back to back; the time of one is their
time over their number, on this rank. torch reduces in place; out of place, the copy of the input is part of the time.
The values are small whole numbers, so sums are exact and any wrong element is one. Each rank writes one JSON file.
"""

import argparse
import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

SIZES_OF = {"float": 4}
MODULUS = 61  # of the values; the sum over 1,000 ranks is exact in a float


def main():
    given = arguments()
    import torch  # noqa: PLC0415 - a bad command line is told at once
    import torch.distributed as dist  # noqa: PLC0415 - likewise

    device = torch.device(given.device if given.device == "cpu" else f"cuda:{given.gpu}")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        given.backend,
        init_method=f"tcp://{given.store}",
        rank=given.rank,
        world_size=given.ranks,
        timeout=timedelta(seconds=given.timeout_s),
    )
    try:
        found = [measured(torch, dist, device, size, given) for size in given.sizes]
    finally:
        dist.destroy_process_group()
    say = {"rank": given.rank, "pid": os.getpid(), "device": name_of(torch, device), "sizes": found}
    Path(given.out, f"rank-{given.rank}.json").write_text(json.dumps(say))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--ranks", type=int, required=True)
    parser.add_argument("--store", required=True, help="ADDRESS:PORT where rank 0's store listens")
    parser.add_argument("--backend", choices=["nccl", "gloo"], required=True)
    parser.add_argument("--device", choices=["cuda", "cpu"], required=True)
    parser.add_argument("--gpu", type=int, default=0)
    parser.add_argument("--sizes", type=lambda text: [int(word) for word in text.split(",")], required=True)
    parser.add_argument("--iters", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--timeout-s", type=float, default=60.0)
    parser.add_argument("--out", required=True, help="folder of the ranks' files")
    return parser.parse_args()


def measured(torch, dist, device, size, given):
    """One size, both halves: ``{"bytes", "out_of_place": {"time_us", "wrong"}, "in_place": ...}``."""
    count = size // SIZES_OF["float"]
    source = (torch.arange(count, device=device) % MODULUS + given.rank).float()
    given_ranks = sum(range(given.ranks))
    expected = ((torch.arange(count, device=device) % MODULUS) * given.ranks + given_ranks).float()
    buffer = torch.empty_like(source)

    def out_of_place():
        buffer.copy_(source)
        dist.all_reduce(buffer)

    def in_place():
        dist.all_reduce(buffer)

    halves = {}
    for name, operation in (("out_of_place", out_of_place), ("in_place", in_place)):
        buffer.copy_(source)
        operation()
        wrong = int((buffer != expected).sum())
        for _ in range(given.warmup):
            operation()
        halves[name] = {"time_us": timed_us(torch, dist, device, operation, given.iters), "wrong": wrong}
    return {"bytes": size, **halves}


def timed_us(torch, dist, device, operation, iters):
    """One operation's time: ``iters`` of them, back to back, from a barrier on."""

    def settled():
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    dist.barrier()
    settled()
    start = time.perf_counter()
    for _ in range(iters):
        operation()
    settled()
    return (time.perf_counter() - start) / iters * 1e6


def name_of(torch, device):
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


if __name__ == "__main__":
    sys.exit(main())
