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

from collections import defaultdict
from collections.abc import Callable, Iterable

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


def wire_bytes(demands: Iterable[Demand], paths: Paths, mtu: int) -> dict[int, dict[Port, float]]:
    """Bytes that shaping counts, by step and directed link; acknowledgements included.

    ``paths`` holds every demand's flow, and its reversed flow where acknowledgements are to be counted.
    """
    share, back = payload_share(mtu), acknowledgement_share(mtu)
    loads: dict[int, dict[Port, float]] = defaultdict(lambda: defaultdict(float))
    for demand in demands:
        there = paths[demand.key].hops
        returning = paths.get(demand.key.reversed())
        for step, nbytes in zip(demand.steps, demand.step_bytes, strict=True):
            load = loads[step]
            for port in there:
                load[port] += nbytes / share
            for port in returning.hops if returning else ():
                load[port] += nbytes * back
    return dict(loads)


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
    loads = wire_bytes(demands, paths, mtu).values()
    serial_s = [max(8 * nbytes / rate_bps(port) for port, nbytes in load.items()) for load in loads]
    if relay:
        return sum(max(alpha_s, step_s) for step_s in serial_s) + alpha_s
    return sum(alpha_s + step_s for step_s in serial_s)
