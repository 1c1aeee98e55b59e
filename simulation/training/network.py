"""How long groups of ranks communicate: in closed form, or on a fabric whose links they share.

Theory of operation. A ``Communicate`` is asked how long an operation takes among groups that do it at the same time,
and answers for the slowest group. ``nbytes`` is the largest buffer of one rank: what all_reduce reduces, all that
all_gather gathers and reduce_scatter scatters, all that a rank sends in all_to_all, the message of a send.

Both answers are alpha + nbytes * beta. all_reduce, all_gather and reduce_scatter go in rings. Where a group has k ranks
on each of its hosts it has k rings, each with a k-th of the bytes and leaving hosts by another rank's NIC, as NCCL
does; so a group within a host goes by the links in the host alone. all_to_all sends to everybody at once.

On a fabric all flows of all groups compete, and each ring is one flow over all its links together (back-pressure makes
its edges run at one rate), at its max-min-fair share (``fair_share.rates``). Flows of one size that start together keep
their rates to the end, so one solve is exact.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulation.collective import Route
from simulation.conditions import Conditions
from simulation.fair_share import rates
from simulation.links import Links
from simulation.training.parallel import Groups
from topologies.ports import connect_port, listen_port
from topologies.traffic import Demand, FlowKey

Communicate = Callable[[str, Groups, float], float]
"""Of operation, groups, and ``nbytes``: seconds."""

ROUNDS = {"all_reduce": 2, "all_gather": 1, "reduce_scatter": 1}
"""How often a ring's bytes go round."""

NODE_STEP_S = 2e-6
"""A step between devices of one host: NCCL's latency of a hop by NVLink is 1 to 3 us."""

UNIT_BYTES = 1 << 20
"""A policy that weighs flows sees each carry so much; only proportions matter."""


@dataclass(frozen=True, slots=True)
class AlphaBeta:
    """Every device has its own NIC into a fabric that never gets in the way, and ``node`` devices share a host.

    ``rate_bps`` and ``step_s`` of the NIC, ``node_rate_bps`` and ``node_step_s`` of the links in a host; rates one way.
    Ranks fill hosts in their order.
    """

    rate_bps: float
    step_s: float
    node: int = 1
    node_rate_bps: float = float("inf")
    node_step_s: float = NODE_STEP_S

    def __call__(self, operation: str, groups: Groups, nbytes: float) -> float:
        return max((self._one(operation, group, nbytes) for group in groups), default=0.0)

    def _one(self, operation: str, group: Sequence[int], nbytes: float) -> float:
        hosts = Counter(rank // self.node for rank in group)
        size, apart = len(group), len(hosts) > 1
        step_s = self.step_s if apart else self.node_step_s
        if operation in ROUNDS:
            rings = min(hosts.values())
            rate_bps = min(self.rate_bps * rings, self.node_rate_bps) if apart else self.node_rate_bps
            return ROUNDS[operation] * (size - 1) * (step_s + 8 * nbytes / size / rate_bps)
        if operation == "all_to_all":
            near = min(hosts.values())
            inside, outside = 8 * (near - 1) / size * nbytes, 8 * (size - near) / size * nbytes
            return (size - 1) * step_s + max(inside / self.node_rate_bps, outside / self.rate_bps if apart else 0.0)
        return step_s + 8 * nbytes / (self.rate_bps if apart else self.node_rate_bps)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rank runs: its host, and its number (from 0) among the host's devices; it uses the NIC of that number."""

    host: str
    device: int


FindRoutes = Callable[[Sequence[Demand]], Mapping[FlowKey, Route]]
"""A routing policy bound to a fabric."""

Edge = tuple[int, int]


@dataclass(frozen=True)
class OnFabric:
    """``places[rank]``; rates of the links within hosts in b/s, one way. Paths and rates are found once for each
    pattern of communication.
    """

    links: Links
    find_routes: FindRoutes
    places: Sequence[Place]
    node_rate_bps: float
    conditions: Conditions
    node_step_s: float = NODE_STEP_S
    _known: dict[tuple[str, Groups], tuple[float, float]] = field(default_factory=dict)

    def __call__(self, operation: str, groups: Groups, nbytes: float) -> float:
        if not groups:
            return 0.0
        shape = "ring" if operation in ROUNDS else operation
        if (shape, groups) not in self._known:
            self._known[shape, groups] = self._ring(groups) if shape == "ring" else self._flows(shape, groups)
        alpha_s, beta_s = self._known[shape, groups]
        return ROUNDS.get(operation, 1) * (alpha_s + nbytes * beta_s)

    def _ring(self, groups: Groups) -> tuple[float, float]:
        """Seconds of one round without bytes, and for each byte of ``nbytes``."""
        rings = [
            (len(group), 8 / len(found), ring) for group in groups for found in [self._rings(group)] for ring in found
        ]
        routes = self._routes([edge for *_, ring in rings for edge in ring])
        rate = self._rates([{edge: routes[edge] for edge in ring} for *_, ring in rings])
        alphas, betas = zip(
            *(
                (
                    (size - 1) * float(np.mean([self._step_s(edge, routes[edge]) for edge in ring])),
                    bits * (size - 1) / size,
                )
                for size, bits, ring in rings
            ),
            strict=True,
        )
        return max(alphas), float((np.array(betas) / rate).max())

    def _flows(self, operation: str, groups: Groups) -> tuple[float, float]:
        pairs = [pair for group in groups for pair in _pairs(operation, group)]
        routes = self._routes(pairs)
        rate = self._rates([{pair: routes[pair]} for pair in pairs])
        share, steps = (1 / len(groups[0]), len(groups[0]) - 1) if operation == "all_to_all" else (1.0, 1)
        return steps * max(self._step_s(pair, routes[pair]) for pair in pairs), float((8 * share / rate).max())

    def _rings(self, group: Sequence[int]) -> list[list[Edge]]:
        """As many rings as the group has ranks on each of its hosts, each turned by one within the hosts."""
        hosts: dict[str, list[int]] = defaultdict(list)
        for rank in group:
            hosts[self.places[rank].host].append(rank)
        count = min(map(len, hosts.values()))
        return [list(_around([ranks[ring:] + ranks[:ring] for ranks in hosts.values()])) for ring in range(count)]

    def _routes(self, edges: Sequence[Edge]) -> dict[Edge, Route]:
        """Those that leave their host; within a host a route is empty."""
        keys = {edge: self._key(edge) for edge in edges if self._apart(edge)}
        wanted = [Demand(key, (0,), (UNIT_BYTES,)) for key in dict.fromkeys(keys.values())]
        found = self.find_routes(wanted) if wanted else {}
        return {edge: found[keys[edge]] if edge in keys else () for edge in edges}

    def _key(self, edge: Edge) -> FlowKey:
        src, dst = (self.places[rank] for rank in edge)
        return FlowKey(src.host, dst.host, connect_port(src.device, src.device), listen_port(dst.device))

    def _apart(self, edge: Edge) -> bool:
        return self.places[edge[0]].host != self.places[edge[1]].host

    def _step_s(self, edge: Edge, route: Route) -> float:
        if not self._apart(edge):
            return self.node_step_s
        way_s = sum(share * float(self.links.latency_s[self.links.number[port]]) for port, share in route)
        return self.conditions.turnaround_s + way_s

    def _rates(self, flows: Sequence[Mapping[Edge, Route]]) -> NDArray[np.float64]:
        """Of each flow over all its edges together, in b/s; within hosts by its devices' links there."""
        inside = np.full(2 * len(self.places), self.node_rate_bps)
        taken = [self._taken(routes) for routes in flows]
        width = max(map(len, taken))
        rows, use = np.full((len(taken), width), -1, dtype=np.int64), np.zeros((len(taken), width))
        for number, one in enumerate(taken):
            rows[number, : len(one)], use[number, : len(one)] = list(one), list(one.values())
        return rates(rows, np.concatenate((self.links.rate_bps, inside)), use=use)

    def _taken(self, routes: Mapping[Edge, Route]) -> dict[int, float]:
        """Of each link, for a unit of the flow's rate."""
        taken: dict[int, float] = defaultdict(float)
        first = len(self.links.rate_bps)
        for (src, dst), route in routes.items():
            for port, share in route:
                taken[self.links.number[port]] += share / self.conditions.payload_share
            if not route:
                taken[first + 2 * src] += 1.0
                taken[first + 2 * dst + 1] += 1.0
        return taken


def _around(hosts: Sequence[Sequence[int]]) -> Iterator[Edge]:
    """Through all ranks of each host, on to the next host, and back to the first."""
    order = [rank for ranks in hosts for rank in ranks]
    return zip(order, order[1:] + order[:1], strict=True)


def _pairs(operation: str, group: Sequence[int]) -> Iterator[Edge]:
    if operation == "all_to_all":
        return ((src, dst) for src in group for dst in group if src != dst)
    return iter([(group[0], group[1])])
