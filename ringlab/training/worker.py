"""One rank of a DistributedDataParallel training: ``python -m ringlab.training.worker``, run inside its host.

How a step is measured, on every rank, by the machine's monotonic clock:

* A *communication hook* takes the place of DDP's own all_reduce and does the same (divide by the number of ranks, sum
  over all): it notes when each bucket is handed over and when it arrives. Between is *communication*.
* A hook on every parameter notes when its own gradient is computed, before DDP sees it. The last such moment is the end
  of backward's computation. From then until ``backward()`` returns, which it does when all buckets are there, the
  processor has nothing to compute: *exposed communication*. It includes the wait for ranks that compute longer.
* All the rest of the step (forward, backward, optimizer) is *computation*. Batches are made before the clock starts.
* After every ``ALONE_EVERY``-th step the same forward and backward run once more under ``no_sync()``, which sends
  nothing: with the optimizer's time of the step before, this is the step *alone*. Where computation takes longer than
  alone, communication has cost processor time as well, which this machine's ranks and switches share.

Ranks run at a lower priority than the switches, with which they share the machine's cores: without that, packets
would wait for gradients to be computed. Weights and losses are not touched by what measures. Each step is a line of
the rank's file in ``--out`` as it is done, so that what was finished is there also when a later step fails.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TextIO

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ringlab.training import options, steps
from ringlab.training.model import Data, model
from ringlab.training.options import Options

ALONE_EVERY = 3

NICENESS = 10
"""Switches go first: in a real fabric they wait for nobody's processor."""


class Training:
    """One training with one bucket size."""

    def __init__(self, given: Options, run: int) -> None:
        self._given = given
        self._run = run
        self._data = Data(given.layers[0], given.layers[-1], given.batch, given.seed, given.rank)
        network = model(given.layers, given.seed)
        self._model = DistributedDataParallel(network, bucket_cap_mb=given.bucket_mb[run])
        self._model.register_comm_hook(None, lambda _, bucket: self._reduce(bucket))  # DDP can't read our annotations
        for parameter in network.parameters():
            parameter.register_post_accumulate_grad_hook(self._gradient)  # type: ignore[no-untyped-call]  # torch's
        self._optimizer = torch.optim.SGD(network.parameters(), lr=given.learning_rate)
        self._gradients_ready = 0.0
        self._buckets: list[tuple[float, float]] = []

    def step(self, number: int) -> steps.Step:
        """Train one step; ValueError where the loss is no number any more."""
        inputs, wanted = self._data.at(number)
        self._buckets = []
        began = time.monotonic()
        loss = self._backward(inputs, wanted)
        ready, reduced = self._gradients_ready, time.monotonic()
        self._optimizer.step()
        self._optimizer.zero_grad()
        marks = steps.Marks(began, ready, reduced, time.monotonic(), tuple(self._buckets))
        if not torch.isfinite(loss):
            raise ValueError(f"the loss is {loss.item()} at step {number}; give a smaller learning_rate")
        measured = (number + 1) % ALONE_EVERY == 0
        alone_s = self._alone_s(inputs, wanted) + marks.ended - marks.reduced if measured else None
        return steps.split(self._run, number, loss.item(), marks, alone_s)

    def _backward(self, inputs: Tensor, wanted: Tensor) -> Tensor:
        loss: Tensor = nn.functional.cross_entropy(self._model(inputs), wanted)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        return loss.detach()

    def _alone_s(self, inputs: Tensor, wanted: Tensor) -> float:
        """What forward and backward take when nothing is sent."""
        began = time.monotonic()
        with self._model.no_sync():
            self._backward(inputs, wanted)
        took_s = time.monotonic() - began
        self._optimizer.zero_grad()
        return took_s

    def _gradient(self, _: Tensor) -> None:
        self._gradients_ready = time.monotonic()

    def _reduce(self, bucket: Any) -> torch.futures.Future[Tensor]:
        """The mean over all ranks of a bucket (dist.GradBucket) of gradients, as a promise."""
        gradients = bucket.buffer().div_(len(self._given.peers))
        handed_over = time.monotonic()

        def arrived(done: torch.futures.Future[Any]) -> Tensor:
            found: Tensor = done.value()[0]
            self._buckets.append((handed_over, time.monotonic()))
            return found

        promise: torch.futures.Future[Tensor] = dist.all_reduce(gradients, async_op=True).get_future().then(arrived)
        return promise


def train(given: Options, out: TextIO) -> None:
    """A training for each bucket size, in the ranks' group; rank 0 says as each begins."""
    for run in range(len(given.bucket_mb)):
        training = Training(given, run)
        if given.rank == 0:
            print(f"bucket size {run + 1} of {len(given.bucket_mb)}", flush=True)
        for number in range(given.steps):
            _report(given, run, number)
            out.write(steps.line(training.step(number)))
            out.flush()


def _report(given: Options, run: int, number: int) -> None:
    if given.report_fd is not None and (run + 1, number) in given.report_steps:
        os.write(given.report_fd, f"{given.rank} {run + 1} {number}\n".encode())  # short: whole or not at all


@contextmanager
def group(given: Options) -> Iterator[None]:
    """The default process group of all ranks, by the backend that was asked for."""
    os.environ["GLOO_SOCKET_IFNAME"] = given.interface  # else it asks a name server for this machine's name
    os.environ["RINGLAB_ADDRESS"] = given.peers[given.rank]
    os.environ["RINGLAB_ALGORITHM"] = given.algorithm
    os.environ["RINGLAB_CHANNELS"] = str(given.channels)
    if given.backend == "ringlab":
        import collectives.torch_backend  # noqa: F401, PLC0415 - registers the backend
    dist.init_process_group(
        given.backend,
        init_method=f"tcp://{given.peers[0]}:{options.STORE_PORT}",
        rank=given.rank,
        world_size=len(given.peers),
        timeout=timedelta(seconds=given.timeout_s),
    )
    yield
    dist.barrier()  # rank 0 keeps the rendezvous: nobody leaves before all are done
    dist.destroy_process_group()


def main(argv: Sequence[str] | None = None) -> int:
    """Train; 0, or 1 where the last line of standard error says what went wrong on which rank."""
    given = options.parse(sys.argv[1:] if argv is None else argv)
    torch.set_num_threads(1)  # ranks share the machine's cores
    os.nice(NICENESS)
    try:
        with given.file.open("w") as out, group(given):
            train(given, out)
    except Exception as error:  # noqa: BLE001 - whatever it was, its one line says so
        print(steps.last_words(str(error), given.me, given.backend), file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    os._exit(main())  # a backend's threads may wait for ranks that are gone; and to take torch apart costs a second
