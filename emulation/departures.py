"""When frames leave a saturated link, against the ideal link of its rate: pure.

Mininet-HiFi's test (Handigol et al., CoNEXT 2012, section 3.3) for links that carry segmentation-offload frames. A link
of rate r that always has something to send lets a frame go every (bytes of the frame before it) / r seconds; HTB lets
the next frame go when the one before it is paid for. Bytes are those that shaping counts: a frame of n segments is
paid for with n headers, though it carries one. Each gap between two frames is compared with its own ideal gap, so a
late frame counts twice, once for the long gap before it and once for the short one after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

HEADERS = 14 + 20 + 20 + 12  # Ethernet, IP, TCP with the timestamp option
PERCENTILE = 0.99


@dataclass(frozen=True, slots=True)
class Departure:
    """A frame seen at the far end of a link: when, seconds, and its length without its segments' headers."""

    at_s: float
    nbytes: int


def shaped_bytes(nbytes: int, mtu: int) -> int:
    """What shaping counts for a frame of ``nbytes``, which leaves a NIC of this MTU as segments."""
    segment = mtu + 14 - HEADERS
    segments = max(1, ceil((nbytes - HEADERS) / segment))
    return nbytes + (segments - 1) * HEADERS


def deviations(seen: Sequence[Departure], rate_bps: float, mtu: int) -> list[float]:
    """Every gap's distance from its ideal, as a share of the ideal."""
    found = []
    for before, after in pairwise(seen):
        ideal_s = 8 * shaped_bytes(before.nbytes, mtu) / rate_bps
        found.append(abs(after.at_s - before.at_s - ideal_s) / ideal_s)
    return found


def p99(seen: Sequence[Departure], rate_bps: float, mtu: int) -> float | None:
    """The deviation that 99 of 100 gaps keep; None where too few frames were seen to tell."""
    found = sorted(deviations(seen, rate_bps, mtu))
    if len(found) < 1 / (1 - PERCENTILE) / 2:  # with fewer than 50 the worst one would stand for p99
        return None
    return found[min(len(found) - 1, ceil(PERCENTILE * len(found)) - 1)]
