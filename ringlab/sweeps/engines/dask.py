"""A Dask cluster: ``dask scheduler``, and ``dask worker`` on each machine, with the same ringlab as here.

What needs a machine for itself asks for its worker's resource ``netns``, of which each machine's worker has one
(``dask worker tcp://... --resources netns=1``): Dask then runs one emulation a machine at a time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ringlab.errors import MachineError
from ringlab.sweeps import work
from ringlab.sweeps.engines import Data, Work
from ringlab.sweeps.engines.lanes import spread
from ringlab.sweeps.work import Record
from ringlab.talk import say

if TYPE_CHECKING:
    from distributed import Client

NETNS = "netns"
CONNECT_S = 10.0
WORKERS_S = 30.0
LOOK_S = 5.0
"""How often we look who has joined or left."""


@contextmanager
def engine(scheduler: str, *, exclusive: bool = False) -> Iterator[Work]:
    """The cluster at ``scheduler``, ``tcp://host:8786``; ``exclusive``: a scenario has its machine for itself.

    MachineError where the cluster does not answer or can't be used.
    """
    with _connected(scheduler) as client:
        _await_workers(client, scheduler, exclusive=exclusive)
        cluster = Cluster(client, exclusive=exclusive)
        try:
            yield lambda scenarios: spread(scenarios, cluster)
        finally:
            cluster.end()


class Cluster:
    """Lanes that are threads of Dask's workers."""

    def __init__(self, client: Client, *, exclusive: bool) -> None:
        self._client, self._exclusive = client, exclusive
        resources = {"resources": {NETNS: 1}} if exclusive else {}
        self._executor: Any = client.get_executor(pure=False, **resources)
        self._count, self._looked = 1, float("-inf")

    @property
    def count(self) -> int:
        if time.monotonic() - self._looked > LOOK_S:
            workers = _workers(self._client, exclusive=self._exclusive).values()
            self._count = max(1, sum(1 if self._exclusive else worker["nthreads"] for worker in workers))
            self._looked = time.monotonic()
        return self._count

    def submit(self, chunk: Sequence[Data]) -> Future[list[Record]]:
        future: Future[list[Record]] = self._executor.submit(work.run_all, list(chunk))
        return future

    def revive(self) -> None:
        """Nothing: the scheduler knows which workers are left."""

    def end(self) -> None:
        """What has not begun is not begun."""
        self._executor.shutdown(wait=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's client logs a traceback where a scheduler goes; we say it in a line. Its import sets the level it had."""
    log = logging.getLogger("distributed.client")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    try:
        from distributed import Client  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise MachineError("Dask is not installed: pip install -e '.[dask]' in ringlab's folder") from None
    try:
        client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = work.one_line(error)
        raise MachineError(f"no Dask scheduler answers at {scheduler} ({reason}); start one: dask scheduler") from None
    with _quiet(), client:
        yield client


def _workers(client: Client, *, exclusive: bool) -> dict[str, Any]:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return {name: one for name, one in workers.items() if not exclusive or one["resources"].get(NETNS, 0) >= 1}


def _await_workers(client: Client, scheduler: str, *, exclusive: bool) -> None:
    """Until one is there that can take our work; and each that is there must have the same ringlab."""
    deadline = time.monotonic() + WORKERS_S
    while not (found := _workers(client, exclusive=exclusive)):
        if time.monotonic() > deadline:
            resources = f" --resources {NETNS}=1" if exclusive else ""
            raise MachineError(
                f"no worker at {scheduler} takes this work; start one: dask worker {scheduler}{resources}"
            )
        time.sleep(0.2)
    try:
        versions = client.run(work.versions, workers=list(found))
    except ImportError as error:
        raise MachineError(f"a worker of {scheduler} has no ringlab ({error}); pip install ringlab there") from None
    ours = work.versions()
    for worker, theirs in versions.items():
        if theirs != ours:
            say(f"worker {worker} has {theirs}, and here is {ours}: last digits may differ")
