"""How much can this machine switch truthfully? Measured once, kept, and used to choose a run's time dilation.

Every packet costs the machine once per switch it passes, so load is *switched bits a second*: goodput summed over all
flows, times switches passed. It is made by the same work that runs do: a ring allreduce of eight ranks, pinned over
a leaf-spine fabric, every edge of the ring alone on its links, so that it must run at line rate.

First the links are faster than the machine can go: that is its limit. Then the largest load is searched at which
the machine's certificate is valid and the ring runs at line rate. Loads lie on a fixed ladder whose rungs are 10 %
apart, so that two calibrations of one machine agree or are one rung apart; a rung has to fail twice, for a neighbour's
work of a moment must not lower it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from emulation import doctor, fidelity
from emulation.lab import new_tag
from emulation.observe import Watch
from emulation.plan import Plan
from ringlab.experiments.bench import Job, bench
from ringlab.experiments.statistics import median
from simulation import fluid
from topologies.leaf_spine import leaf_spine

KEPT = Path("/var/lib/ringlab/calibration.json")
LIMIT_LINK_BPS = 4_000_000_000  # faster than any two cores switch for eight hosts
LIMIT_SIZE_BYTES = 8 << 20
OPERATION_S = 0.2  # of one allreduce in a try
ITERATIONS = 4
TRIES = 2  # before a rung counts as too high

LADDER_BPS, RUNG = 1e9, 1.1
LOWEST, HIGHEST = 0.08, 0.8  # of the limit: where to search
MARGIN = 0.6
"""The share of the largest truthful load that runs may ask for: their arms also share links, and drop frames."""

SWITCHES_PASSED = 3  # leaf, spine, leaf
ORDER = ("h1", "h3", "h5", "h7", "h2", "h4", "h6", "h8")  # every edge of the ring crosses the spine


@dataclass(frozen=True, slots=True)
class Calibration:
    """b/s over all switches: what the machine switched at its limit, and what a run may ask of it."""

    switched_bps: float
    budget_bps: float
    machine: str


@dataclass(frozen=True, slots=True)
class _Try:
    """One ring at one rate: what was switched, its time over what its bytes need, and what the machine's checks say."""

    switched_bps: float
    slowness: float
    verdict: fidelity.Verdict

    @property
    def truthful(self) -> bool:
        return self.verdict is fidelity.Verdict.VALID and not fidelity.LIMITS["reach"].judge(self.slowness - 1)


def measure(say: Callable[[str], None]) -> Calibration:
    """Measure now (about 40 s), and keep it for later runs. Needs root, as a run does."""
    say("switching as fast as it goes")
    limit_bps = _attempt(LIMIT_LINK_BPS, LIMIT_SIZE_BYTES).switched_bps
    largest_bps = _largest(ladder(limit_bps), lambda load_bps: _carries(load_bps, say))
    found = Calibration(limit_bps, MARGIN * largest_bps, _machine())
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(json.dumps(asdict(found)))
    return found


def ladder(limit_bps: float) -> list[float]:
    """The rungs between LOWEST and HIGHEST of the limit; the rungs themselves do not depend on it."""
    rungs, load_bps = [], LADDER_BPS
    while load_bps <= HIGHEST * limit_bps:
        if load_bps >= LOWEST * limit_bps:
            rungs.append(load_bps)
        load_bps *= RUNG
    return rungs or [LOWEST * limit_bps]


def _largest(rungs: Sequence[float], carries: Callable[[float], bool]) -> float:
    """The highest rung that holds, by halving; the lowest one is taken for granted."""
    low, high = 0, len(rungs)
    while high - low > 1:
        middle = (low + high) // 2
        if carries(rungs[middle]):
            low = middle
        else:
            high = middle
    return rungs[low]


def _carries(load_bps: float, say: Callable[[str], None]) -> bool:
    link_bps = round(load_bps / SWITCHES_PASSED / len(ORDER))
    passes = 2 * (len(ORDER) - 1) / len(ORDER)  # of the size over each link
    size_bytes = round(link_bps / 8 * OPERATION_S / passes) // 4 * 4
    for _ in range(TRIES):
        say(f"asking for {load_bps / 1e9:.1f} Gb/s")
        if _attempt(link_bps, size_bytes).truthful:
            return True
    return False


def _attempt(link_bps: int, size_bytes: int) -> _Try:
    fabric = leaf_spine(4, 2, 2, host_rate_bps=link_bps, fabric_rate_bps=link_bps)
    plan = Plan(fabric, new_tag(), doctor.settings(1, mtu=9000, congestion="reno", delays="none"))
    with bench(plan, Job("ring", ORDER), lambda _: None) as ready:
        installed = ready.install("pinned", size_bytes)
        watch = Watch(ready.network)
        with watch.stretch() as work_begins:
            block = ready.measure([size_bytes], 1, [ITERATIONS], 60, lambda _: work_begins())
        seen = watch.observation()
    time_s = median([block.sizes[0].times_us]) / 1e6
    demands = ready.job.demands(size_bytes)
    needed_s = fluid.completion_s(demands, installed.paths, plan.rate_bps, mtu=9000, alpha_s=0, relay=True)
    switched_bps = 8 * sum(demand.nbytes for demand in demands) * SWITCHES_PASSED / time_s
    verdict = max(check.verdict for check in fidelity.judge_machine(seen))
    return _Try(switched_bps, time_s / needed_s, verdict)


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
