"""How much can this machine switch? Measured once, kept, and used to choose a run's time dilation.

Every packet costs the machine once per switch it passes, so the measure is *switched bits a second*: goodput summed
over all flows, times switches passed. It is taken by the same work that runs do: a ring allreduce of eight ranks,
pinned over a leaf-spine fabric whose links are set faster than the machine can go.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from emulation import doctor
from emulation.lab import new_tag
from emulation.plan import Plan
from ringlab.experiments.bench import Job, bench
from topologies.leaf_spine import leaf_spine

KEPT = Path("/var/lib/ringlab/calibration.json")
LINK_BPS = 4_000_000_000  # faster than any two cores switch for eight hosts
SIZE_BYTES = 8 << 20
SAFE_SHARE = 0.33
"""The share of the limit that runs may ask for. On two cores, a pinned ring came within 1 % of its prediction up to
0.33 of the limit, within 5 % at 0.45, and fell behind beyond."""

SWITCHES_PASSED = 3  # leaf, spine, leaf
ORDER = ("h1", "h3", "h5", "h7", "h2", "h4", "h6", "h8")  # every edge of the ring crosses the spine


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the machine switched at its limit, b/s over all switches, and what a run may ask of it."""

    switched_bps: float
    budget_bps: float
    machine: str


def measure(say: Callable[[str], None]) -> Calibration:
    """Measure now (about 10 s), and keep it for later runs. Needs root, as a run does."""
    fabric = leaf_spine(4, 2, 2, host_rate_bps=LINK_BPS, fabric_rate_bps=LINK_BPS)
    plan = Plan(fabric, new_tag(), doctor.settings(1, mtu=9000, congestion="reno"))
    with bench(plan, Job("ring", ORDER), say) as ready:
        ready.install("pinned", SIZE_BYTES)
        say("switching as fast as it goes")
        block = ready.measure([SIZE_BYTES], warmup=1, iterations=5, patience_s=60)
    best_us = min(block.sizes[0].times_us)
    moved = sum(demand.nbytes for demand in ready.job.demands(SIZE_BYTES))
    switched = 8 * moved * SWITCHES_PASSED / (best_us / 1e6)
    found = Calibration(switched, switched * SAFE_SHARE, _machine())
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(json.dumps(asdict(found)))
    return found


def kept() -> Calibration | None:
    """What was measured before on this machine, with these versions; None where nothing was."""
    try:
        found = Calibration(**json.loads(KEPT.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.machine == _machine() else None


def _machine() -> str:
    """What a calibration depends on: another machine, kernel or version needs another."""
    return json.dumps(doctor.fingerprint(), sort_keys=True)
