"""Demands and paths to a completion time: what the network alone would need.

Theory of operation. At each step of a collective every active flow has its bytes to move; the step is over when the
most loaded directed link is. With alpha the time one step takes when there is nothing to carry (measured in the
fabric itself) and S(step) = max over links l of bytes(l, step) / rate(l),

    T = sum over steps of ( alpha + S(step) )                 where a step waits for the whole of the one before it
    T = sum over steps of max(alpha, S(step)) + alpha         where chunks stream through their ranks (a *relay*)

A ring is a relay: every step loads the links alike, latency hides behind the bytes, and the pipeline runs at the rate
of its slowest link. Payload becomes wire bytes by the share of a frame that is payload, and acknowledgements ride on
the links of the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from topologies.fabric import Port
from topologies.traffic import Demand, Paths

ETHERNET_HEADER = 14
IP_TCP_HEADERS = 20 + 20 + 12  # with the timestamp option
SEGMENTS_PER_ACK = 2  # delayed acknowledgements, RFC 9293 section 3.8.6.3


def payload_share(mtu: int) -> float:
    """Payload bytes over bytes that shaping counts, of a full frame."""
    return (mtu - IP_TCP_HEADERS) / (mtu + ETHERNET_HEADER)


def acknowledgement_share(mtu: int) -> float:
    """Bytes of acknowledgements on the way back, over payload bytes on the way there."""
    return (IP_TCP_HEADERS + ETHERNET_HEADER) / (SEGMENTS_PER_ACK * (mtu - IP_TCP_HEADERS))


def completion_s(
    demands: Iterable[Demand],
    paths: Paths,
    rate_bps: Callable[[Port], float],
    *,
    mtu: int,
    alpha_s: float,
    relay: bool,
) -> float:
    """Predicted time of one run of the collective, seconds.

    ``rate_bps(port)`` is a directed link's rate, ``alpha_s`` the time of a step that carries nothing; ``relay`` says
    that chunks stream (``Schedule.relays``).
    """
    serial_s = _serial_s(list(demands), paths, rate_bps, mtu)
    if relay:
        return float(np.maximum(alpha_s, serial_s).sum()) + alpha_s
    return float((alpha_s + serial_s).sum())


def _serial_s(
    demands: Sequence[Demand], paths: Paths, rate_bps: Callable[[Port], float], mtu: int
) -> NDArray[np.float64]:
    """What the most loaded directed link of each step needs for its bytes, acknowledgements included."""
    share, back = payload_share(mtu), acknowledgement_share(mtu)
    number: dict[Port, int] = {}
    steps = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(demand.steps for demand in demands)]))
    taken: list[tuple[Demand, list[int], list[float]]] = []
    for demand in demands:
        returning = paths.get(demand.key.reversed())
        hops = [(port, 1 / share) for port in paths[demand.key].hops]
        hops += [(port, back) for port in returning.hops] if returning else []
        links = [number.setdefault(port, len(number)) for port, _ in hops]
        taken.append((demand, links, [use for _, use in hops]))
    loads = np.zeros((len(steps), len(number)))
    for demand, links, uses in taken:
        at = np.searchsorted(steps, demand.steps)
        np.add.at(loads, np.ix_(at, np.array(links)), np.outer(demand.step_bytes, uses))
    rates = np.array([rate_bps(port) for port in number])
    slowest: NDArray[np.float64] = (8 * loads / rates).max(axis=1, initial=0.0)
    return slowest
