"""``algorithm: auto`` in a spec: the cheapest on the fabric that is up, by what its ranks measure there."""

from __future__ import annotations

from dataclasses import replace

from collectives.choice import choose
from collectives.metrics import format_size
from collectives.operations import Operation
from ringlab.experiments.bench import Bench
from ringlab.experiments.spec import Spec

STAND_IN = "ring"
"""Runs while nothing is chosen yet: its flows are those that the measurement uses, from each rank to the next."""


def settled(spec: Spec, ready: Bench) -> tuple[Spec, str]:
    """The spec with the algorithm that is cheapest at its largest size on the last arm's paths, and the reasons."""
    size = max(spec.sizes)
    ready.install(spec.arms[-1].policy, size)
    network = ready.network_costs()
    choice = choose(Operation(spec.collective), len(spec.placement), size, network)
    return replace(spec, algorithm=choice.algorithm), (
        f"auto is {choice.algorithm} at {format_size(size)}: a step takes {network.alpha_s * 1e6:.0f} us, "
        f"a byte {network.beta_s_per_byte * 1e9:.3g} ns on the wire and {network.gamma_s_per_byte * 1e9:.3g} ns "
        f"in memory; {choice.explain()}"
    )
