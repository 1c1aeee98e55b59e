"""A spec to a Result without a packet: the same fabric, schedule and policies, and flows that share links fairly.

Theory of operation. ``simulated_figures`` finds the arms' figures; what a kept run tells besides stands here: bytes per
link (the simulator's own, and those of the controller's paths and the job's demands beside them), comparisons, a
baseline, the fabric. A spec's result is the same to the bit whenever it runs; it has no spread, and its samples are all
the time itself.

By default the fabric is the nominal one, as a spec states it: its rates and latencies, and a step's turnaround from
``simulation.conditions``. ``Beside`` an emulated run it has that run's rates, and the turnaround measured there.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np

from ringlab.experiments import baselines, store
from ringlab.experiments import result as results
from ringlab.experiments.compare import beside, compare
from ringlab.experiments.neighbours import arm_name
from ringlab.experiments.simulated_figures import Beside, figures, jobs_of, slack
from ringlab.experiments.simulated_job import SimulatedJob, paths_together, ways_together
from ringlab.experiments.spec import Arm, Spec
from simulation.links import Links
from topologies import formats
from topologies.fabric import Port
from topologies.traffic import link_bytes

__all__ = ["Beside", "run"]


def run(spec: Spec, beside_run: Beside | None = None) -> results.Result:
    """Simulate ``spec``. UsageError for what has no simulation; a flow without a way is the result's ``failure``."""
    created = datetime.now(UTC)
    found = figures(spec, beside_run)
    spec = found.spec
    baseline = baselines.choose(spec.baseline, spec.baseline_line_rate_GBps) if spec.baseline else None
    return results.Result(
        id=store.run_id(created, spec.name, f"sim{secrets.token_hex(3)}"),
        name=found.name,
        created=created.isoformat(timespec="seconds"),
        spec=spec.data,
        fabric=formats.to_data(spec.fabric),
        collective=found.collective,
        algorithm=found.algorithm,
        channels=found.channels,
        ranks=found.ranks,
        placement=spec.placement,
        scale=found.scale,
        line_rate_bps=found.line_rate_bps,
        nominal_line_rate_bps=found.nominal_line_rate_bps,
        arms=found.arms,
        comparisons=compare(found.arms, _pairs(spec), np.random.default_rng(1)),
        certificate=found.certificate,
        fingerprint={
            "backend": "simulated", "scale_from": "the emulated run" if beside_run else "the spec",
            "turnaround_us": round(found.turnaround_s * 1e6, 3), "mtu": spec.transport.mtu,
            "slack": slack(jobs_of(spec), max(spec.sizes)), "numpy": np.__version__,
        },
        links=tuple(_crossed(spec, len(found.arms))),
        baseline=beside(baseline, spec.sizes) if baseline else None,
        timeline=(),
        failure=found.failure,
    )  # fmt: skip


def _pairs(spec: Spec) -> list[tuple[str, str]]:
    """Those of the spec, and the same of each neighbour."""
    others = [(arm_name(a, one.name), arm_name(b, one.name)) for one in spec.neighbours for a, b in spec.compare]
    return [*spec.compare, *others]


def _crossed(spec: Spec, num_arms: int) -> Iterator[results.LinkBytes]:
    """Of the first arms' rows; none where faults send flows now this way, now that."""
    if not spec.faults:
        jobs = jobs_of(spec)
        for arm in spec.arms[: num_arms // len(jobs)]:
            yield from _links_crossed(spec, jobs, arm)


def _links_crossed(spec: Spec, jobs: Sequence[SimulatedJob], arm: Arm) -> Iterator[results.LinkBytes]:
    """What the simulator's ways carry, and what the controller's paths would; those of sprayed flows are rounded."""
    links, largest = Links.of(spec.fabric), max(spec.sizes)
    ways, paths = ways_together(jobs, arm.policy, largest), paths_together(jobs, arm.policy, largest)
    simulated = np.zeros(len(links.ports), dtype=np.int64)
    expected: Counter[Port] = Counter()
    for job, way in zip(jobs, ways, strict=True):
        rows, share = way.there.rows[job.crossing], way.there.share[job.crossing]
        for size in spec.sizes:
            wanted = job.demands(size)
            nbytes = np.array([demand.nbytes for demand in wanted], dtype=np.int64)
            here = np.rint(nbytes[:, None] * share).astype(np.int64)
            np.add.at(simulated, rows[rows >= 0], here[rows >= 0])
            if paths is not None:
                expected.update(link_bytes(wanted, paths))
    for port, counted in zip(links.ports, simulated.tolist(), strict=True):
        yield results.LinkBytes.of(arm.name, spec.fabric.direction(port), counted, expected[port])
