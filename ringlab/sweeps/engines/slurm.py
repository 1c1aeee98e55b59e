"""Slurm, by submitit: batches of scenarios as the jobs of one array.

A site allows so many jobs at a time and so many a minute, and each takes half a second to start: so a job works off a
thousand scenarios and more, in as many processes as it has cores. Its records come when it ends. The folder of the jobs
must be one that all machines see.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ringlab.errors import MachineError, UsageError
from ringlab.sweeps import work
from ringlab.sweeps.engines import Data, Work, processes, serial
from ringlab.sweeps.work import Record

if TYPE_CHECKING:
    from submitit import AutoExecutor, Job

BATCH = 1000
SLURM, LOCAL = "slurm", "local"
LOOK_S = {SLURM: 2.0, LOCAL: 0.05}
"""How often we look for jobs that are through."""


@dataclass(frozen=True, slots=True)
class Site:
    """How jobs are asked for: ``settings`` are submitit's for Slurm, without ``slurm_`` (partition, account, qos)."""

    cluster: str = SLURM
    time_min: int = 60
    batch: int = BATCH
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def cores(self) -> int:
        """Of each job."""
        try:
            return int(self.settings.get("cpus_per_task", 1))
        except ValueError:
            raise UsageError(f"--slurm cpus_per_task={self.settings['cpus_per_task']}: write a number") from None


@contextmanager
def engine(site: Site, folder: Path, workers: int | None = None, *, exclusive: bool = False) -> Iterator[Work]:
    """Jobs with their files in ``folder``, ``workers`` of them at a time. MachineError where there is no Slurm.

    ``exclusive``: each job has a machine for itself, and works off one scenario after the other.
    """
    executor = _executor(site, folder, workers, exclusive=exclusive)
    jobs: list[Job[list[Record]]] = []

    def submitted(scenarios: Sequence[Data]) -> Iterator[Record]:
        size = len(scenarios) if exclusive and site.cluster == LOCAL else site.batch
        batches = [scenarios[first : first + size] for first in range(0, len(scenarios), size)]
        jobs[:] = executor.map_array(worked_off, batches, [0 if exclusive else site.cores] * len(batches))
        yield from _as_they_end(dict(zip(jobs, batches, strict=True)), LOOK_S[site.cluster])

    try:
        with processes.single_threaded():
            yield submitted
    finally:
        for job in jobs:
            if not job.done():
                job.cancel()


def worked_off(batch: Sequence[Data], cores: int) -> list[Record]:
    """What a job does: the records of its batch. By so many processes; 0: in this one."""
    with processes.engine(cores) if cores else serial.engine() as here:
        return list(here(batch))


def _as_they_end(running: dict[Job[list[Record]], Sequence[Data]], look_s: float) -> Iterator[Record]:
    while running:
        for job in [job for job in running if job.done()]:
            batch = running.pop(job)
            try:
                records = job.result()
            except Exception as error:  # noqa: BLE001 - whatever ended the job, it is not the sweep's end
                reason = f"job {job.job_id} gave nothing: {work.one_line(error)[:200]}; see {job.paths.stderr}"
                records = [work.failed(scenario, reason) for scenario in batch]
            yield from records
        if running:
            time.sleep(look_s)


def _executor(site: Site, folder: Path, workers: int | None, *, exclusive: bool) -> AutoExecutor:
    try:
        from submitit import AutoExecutor  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise MachineError("submitit is not installed: pip install -e '.[slurm]' in ringlab's folder") from None
    if site.cluster == SLURM and not shutil.which("sbatch"):
        raise MachineError("no sbatch here: start it on a login node of the cluster, or try --slurm-cluster local")
    executor = AutoExecutor(folder=folder, cluster=site.cluster)
    settings: dict[str, Any] = {f"slurm_{name}": _value(text) for name, text in site.settings.items()}
    settings |= {"slurm_array_parallelism": workers} if workers else {}
    settings |= {"slurm_exclusive": True} if exclusive else {}
    try:
        executor.update_parameters(name="ringlab-sweep", timeout_min=site.time_min, **settings)
    except (NameError, AssertionError) as error:
        raise UsageError(f"--slurm: {str(error).splitlines()[0]}") from None
    return executor


def _value(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text
