"""Who has a turn when: the order of every block, from a seed.

Arms that need the same fabric, set up alike, share one *bench*: it is built once for the block, and they follow each
other on it. The order of benches, and of arms on a bench, is drawn anew for each block; block 0 is the warm-up.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Order = tuple[tuple[str, ...], ...]
"""Of one block: the arms of each bench, in their order."""


def order(benches: Mapping[str, str], seed: int, block: int) -> Order:
    """``benches`` is each arm's bench. The same for the same seed and block, whatever was drawn before."""
    rng = np.random.default_rng([seed, block])
    shared: dict[str, list[str]] = {}
    for arm, bench in benches.items():
        shared.setdefault(bench, []).append(arm)
    turns = [tuple(arms[place] for place in rng.permutation(len(arms))) for arms in shared.values()]
    return tuple(turns[place] for place in rng.permutation(len(turns)))
