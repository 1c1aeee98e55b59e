"""Demands and paths to a completion time: what the network alone would need.

Theory of operation. At each step of a collective every active flow has its bytes to move; the step is over when the
most loaded directed link is. With alpha the time one step takes when there is nothing to carry (measured in the
fabric itself) and S(step) = max over links l of bytes(l, step) / rate(l),

    T = sum over steps of ( alpha + S(step) )                 where a step waits for the whole of the one before it
    T = sum over steps of max(alpha, S(step)) + alpha         where chunks stream through their ranks (a *relay*)

A ring is a relay: every step loads the links alike, latency hides behind the bytes, and the pipeline runs at the rate
of its slowest link. Payload becomes wire bytes by the share of a frame that is payload, and acknowledgements ride on
the links of the way back.

Most steps of a regular schedule are alike (a ring's, if its chunks are of one size): each *different* one is counted
once, whatever the ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.fair_share import Numbers
from topologies.fabric import Port
from topologies.traffic import Demand, Paths

Index = NDArray[np.int64]

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
    return _lasting_s(_serial_s(list(demands), paths, rate_bps, mtu), alpha_s, relay=relay)


def _lasting_s(serial_s: Numbers, alpha_s: float, *, relay: bool) -> float:
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


@dataclass(frozen=True, eq=False)
class Steps:
    """Bytes by connection in the steps of a job, those steps that are alike once.

    ``nbytes[i]``, above 0, cross ``connection[i]`` in the different step ``which[i]``; step s is the one ``of[s]``.
    """

    connection: Index
    which: Index
    nbytes: Numbers
    of: Index

    @classmethod
    def alike(cls, step: Index, connection: Index, nbytes: Index) -> Steps:
        """Of transfers, or whatever moves ``nbytes`` at a ``step`` over a ``connection``."""
        width = int(connection.max(initial=0)) + 1
        cell, where = np.unique(step * width + connection, return_inverse=True)
        moved = np.bincount(where.reshape(-1), nbytes, len(cell)).astype(np.int64)
        cell, moved = cell[moved > 0], moved[moved > 0]
        steps, numbers = np.divmod(cell, width)
        bounds = np.searchsorted(steps, np.arange(int(step.max(initial=-1)) + 2))
        first: dict[bytes, int] = {}
        kept, of = [np.zeros(0, dtype=np.int64)], []
        for low, high in zip(bounds.tolist(), bounds[1:].tolist(), strict=False):
            content = numbers[low:high].tobytes() + moved[low:high].tobytes()
            if content not in first:
                first[content] = len(first)
                kept.append(np.arange(low, high))
            of.append(first[content])
        rows = np.concatenate(kept)
        which = np.repeat(np.arange(len(first)), [len(rows_) for rows_ in kept[1:]])
        return cls(numbers[rows], which, moved[rows].astype(np.float64), np.array(of, dtype=np.int64))


def stepped_s(steps: Steps, rows: Index, use: Numbers, rate_bps: Numbers, *, alpha_s: float, relay: bool) -> float:
    """As ``completion_s``, of connections that take ``use`` of the links ``rows``: see ``routes.both``.

    Steps of which nothing crosses a link are none.
    """
    links, number = len(rate_bps), int(steps.of.max(initial=-1)) + 1
    crossed = rows[steps.connection]
    weights = steps.nbytes[:, None] * use[steps.connection]
    there = crossed >= 0
    cell = (steps.which[:, None] * links + crossed)[there]
    loads = np.bincount(cell, weights[there], number * links).reshape(number, links)
    slowest = (8 * loads / rate_bps).max(axis=1, initial=0.0)
    counts = np.bincount(steps.which, there.any(axis=1), number) > 0
    return _lasting_s(slowest[steps.of][counts[steps.of]], alpha_s, relay=relay)
