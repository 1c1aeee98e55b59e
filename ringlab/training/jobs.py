"""What each backend asks of the fabric, as the controller is told: ringlab by its ports, gloo by its hosts."""

from __future__ import annotations

from dataclasses import replace

from ringlab.experiments.bench import Job
from ringlab.training.places import Place
from ringlab.training.spec import FLOAT_BYTES, TrainSpec
from topologies.traffic import Demand, FlowKey


class GlooJob(Job):
    """gloo's all_reduce is a ring that sends from rank r to rank r - 1 (gloo/allreduce.cc), on ports of its own choice.

    Its flows are therefore named by their hosts alone: every connection from the one to the other.
    """

    def demands(self, size_bytes: int) -> list[Demand]:
        return [
            replace(demand, key=FlowKey.any_port(demand.key.dst, demand.key.src))
            for demand in super().demands(size_bytes)
        ]


def job_of(spec: TrainSpec, place: Place, backend: str) -> Job:
    if backend == "gloo":
        return GlooJob("ring", place.hosts, timeout_s=spec.timeout_s)
    return Job(spec.algorithm, place.hosts, spec.channels, timeout_s=spec.timeout_s)


def gradient_bytes(spec: TrainSpec) -> int:
    """What one step reduces."""
    return spec.parameters * FLOAT_BYTES
