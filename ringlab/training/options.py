"""What one rank is told: the command line of ``python -m ringlab.training.worker``, written and read in one place."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STORE_PORT = 29500
"""PyTorch's customary port of the rendezvous, at rank 0's address."""


@dataclass(frozen=True, slots=True)
class Options:
    """One rank's part. ``peers[rank]`` is an address; ``layers`` are widths from input to output.

    ``interface`` is what gloo uses. ``out`` is the folder in which the rank's file gets a line a step.
    ``report_steps``: (place of a bucket size from 1, step from 0) to tell ``report_fd`` of.
    """

    rank: int
    peers: tuple[str, ...]
    backend: str
    algorithm: str
    channels: int
    interface: str
    bucket_mb: tuple[float, ...]
    steps: int
    batch: int
    layers: tuple[int, ...]
    learning_rate: float
    seed: int
    timeout_s: float
    out: Path
    report_steps: tuple[tuple[int, int], ...] = ()
    report_fd: int | None = None

    @property
    def file(self) -> Path:
        return steps_file(self.out, self.rank)

    @property
    def me(self) -> str:
        return f"rank {self.rank} ({self.peers[self.rank]})"


def steps_file(folder: Path, rank: int) -> Path:
    """Where a rank tells of its steps."""
    return folder / f"rank-{rank}.jsonl"


def parse(argv: Sequence[str]) -> Options:
    """The options in ``argv``; as argparse does, the process ends where they are wrong."""
    given = _parser().parse_args(argv)
    return Options(
        rank=given.rank,
        peers=tuple(given.peers.split(",")),
        backend=given.backend,
        algorithm=given.algorithm,
        channels=given.channels,
        interface=given.interfaces.split(",")[given.rank],
        bucket_mb=tuple(map(float, given.bucket_mb.split(","))),
        steps=given.steps,
        batch=given.batch,
        layers=tuple(map(int, given.layers.split(","))),
        learning_rate=given.learning_rate,
        seed=given.seed,
        timeout_s=given.timeout,
        out=given.out,
        report_steps=tuple(map(_pair, given.report_steps.split(","))) if given.report_steps else (),
        report_fd=given.report_fd,
    )


def _pair(text: str) -> tuple[int, int]:
    run, _, step = text.partition(":")
    return int(run), int(step)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m ringlab.training.worker", description="One rank of a DDP training.")
    parser.add_argument("--rank", type=int, required=True, help="this rank, from 0")
    parser.add_argument("--peers", required=True, help="each rank's IP address, with commas between")
    parser.add_argument("--backend", choices=["ringlab", "gloo"], required=True)
    parser.add_argument("--algorithm", default="ring", help="ringlab's algorithm of all_reduce")
    parser.add_argument("--channels", type=int, default=1, help="ringlab's channels")
    parser.add_argument("--interfaces", required=True, help="each rank's network interface, with commas between")
    parser.add_argument("--bucket-mb", required=True, help="DDP's bucket sizes in MiB, one training each")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True, help="samples a rank and step")
    parser.add_argument("--layers", required=True, help="widths from input to output, with commas between")
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--timeout", type=float, required=True, metavar="SECONDS", help="of one collective")
    parser.add_argument("--out", type=Path, required=True, help="folder; gets a file a rank, a line of JSON a step")
    parser.add_argument("--report-steps", default="", metavar="RUN:STEP,...", help="steps to tell of as they begin")
    parser.add_argument("--report-fd", type=int, metavar="FD", help="where to: a line 'RANK RUN STEP' each")
    return parser
