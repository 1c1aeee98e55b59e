"""A simulated training: every placement, policy and bucket size, and where a step's time goes in each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from controller.routing import RoutingError
from ringlab.errors import UsageError
from ringlab.experiments import store
from ringlab.experiments.simulated_job import SPRAY, route
from ringlab.training.places import Place as Hosts
from ringlab.training.simulated_spec import SimulatedSpec
from simulation.conditions import SPRAY as SPRAY_FACTOR
from simulation.conditions import TURNAROUND_S, Conditions
from simulation.links import Links
from simulation.training.network import FindRoutes, OnFabric, Place
from simulation.training.step import Job, Step, step
from topologies import formats

WIRE_SHARE = 0.97
"""Of a link's rate: what ring all_reduces of large messages reach on 16 to 1,024 devices (SimAI, nic_ratio.csv)."""

MIB = 1 << 20

FORMAT = "ringlab-train-simulated-1"


@dataclass(frozen=True, slots=True)
class Row:
    """One combination's step."""

    placement: str
    arm: str
    bucket_mb: float
    step: Step


@dataclass(frozen=True, slots=True)
class Outcome:
    """All combinations of a spec, in its order."""

    id: str
    created: str
    spec: SimulatedSpec
    rows: tuple[Row, ...]

    @property
    def memory_fits(self) -> bool:
        return self.rows[0].step.memory.total <= self.spec.device.memory_bytes


def run(spec: SimulatedSpec) -> Outcome:
    """UsageError where a flow has no way on the fabric."""
    try:
        rows = tuple(_rows(spec))
    except RoutingError as error:
        raise UsageError(f"{spec.name}: {error}") from None
    now = datetime.now(UTC)
    content = json.dumps([spec.data, formats.to_data(spec.fabric)], sort_keys=True, default=str)
    suffix = "sim" + hashlib.sha256(content.encode()).hexdigest()[:6]
    return Outcome(store.run_id(now, spec.name, suffix), now.isoformat(timespec="seconds"), spec, rows)


def _rows(spec: SimulatedSpec) -> Iterator[Row]:
    links = Links.of(spec.fabric)
    for hosts in spec.placements:
        for arm in spec.arms:
            network = on_fabric(spec, links, hosts, arm.policy)
            for size in spec.bucket_mb:
                job = Job(spec.model, spec.device, spec.parallel, spec.batch, size * MIB)
                yield Row(hosts.name, arm.name, size, step(job, network))


def on_fabric(spec: SimulatedSpec, links: Links, hosts: Hosts, policy: str) -> OnFabric:
    """The network that the ranks see: host by host, each host's devices in their order."""
    spray = SPRAY_FACTOR if policy == SPRAY else 1.0
    return OnFabric(
        links,
        routes(spec, policy),
        [Place(host, device) for host in hosts.hosts for device in range(spec.devices_per_host)],
        spec.device.node_rate_bps * spec.device.node_share,
        Conditions(TURNAROUND_S, WIRE_SHARE / spray, 0.0, spray),
    )


def routes(spec: SimulatedSpec, policy: str) -> FindRoutes:
    return lambda demands: route(spec.fabric, policy, demands).there


def to_data(outcome: Outcome) -> dict[str, Any]:
    """As JSON has it; times in seconds, memory in bytes."""
    spec = outcome.spec
    return {
        "format": FORMAT,
        "id": outcome.id,
        "name": spec.name,
        "created": outcome.created,
        "backend": "simulated",
        "spec": spec.data,
        "fabric": formats.to_data(spec.fabric),
        "model": {**asdict(spec.model), "parameters": spec.model.parameters},
        "device": asdict(spec.device),
        "devices": spec.parallel.devices,
        "parallel": asdict(spec.parallel),
        "batch": spec.batch,
        "memory_fits": outcome.memory_fits,
        "rows": [_row_data(row) for row in outcome.rows],
        "fingerprint": {"numpy": np.__version__, "wire_share": WIRE_SHARE, "turnaround_s": TURNAROUND_S},
    }


def _row_data(row: Row) -> dict[str, Any]:
    found = row.step
    return {
        "placement": row.placement,
        "arm": row.arm,
        "bucket_mb": row.bucket_mb,
        "step_s": found.step_s,
        "computation_s": found.computation_s,
        "tokens_per_s": found.tokens_per_s,
        **asdict(found),
    }


PARTS: Sequence[tuple[str, Callable[[Step], float]]] = (
    ("compute", lambda found: found.computation_s),
    ("bubble", lambda found: found.bubble_s),
    ("tensor", lambda found: found.exposed_s["tensor"]),
    ("expert", lambda found: found.exposed_s["expert"]),
    ("pipeline", lambda found: found.exposed_s["pipeline"]),
    ("gradients", lambda found: found.exposed_s["gradients"]),
    ("parameters", lambda found: found.exposed_s["parameters"]),
)
"""What a step's time goes to, all of it."""


def parts_of(outcome: Outcome) -> list[tuple[str, Callable[[Step], float]]]:
    """Those that are more than nothing in some row."""
    return [(name, seconds) for name, seconds in PARTS if any(seconds(row.step) > 0 for row in outcome.rows)]
