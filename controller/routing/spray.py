"""Spraying: every packet of a flow takes another of its equal-cost paths, so that a flow is spread over all of them.

Switches that we can program here don't spray packets of a connection (TCP would take the disorder for loss), so this
policy has no path to install: it is simulated (``ringlab run SPEC --backend simulated``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import networkx as nx

from controller.routing.errors import RoutingError
from controller.routing.situation import CLEAR, Situation
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path

ONLY_SIMULATED = "spray has no path that a switch here could install; simulate it: --backend simulated"

Spread = tuple[tuple[Port, float], ...]
"""The directed links of a flow, and the share of it that crosses each."""


def route(fabric: Fabric, demands: Sequence[Demand], situation: Situation = CLEAR) -> dict[FlowKey, Path]:  # noqa: ARG001
    """RoutingError, always: a sprayed flow has no path."""
    raise RoutingError(ONLY_SIMULATED)


def spread(fabric: Fabric, keys: Sequence[FlowKey], situation: Situation = CLEAR) -> dict[FlowKey, Spread]:
    """Equal shares at every node over all next links that lie on a shortest way. RoutingError where there is no way."""
    alive = [link for link in fabric.links if link.name not in situation.dead]
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(fabric.nodes)
    graph.add_edges_from((link.a.node, link.b.node) for link in alive)
    out: dict[str, list[tuple[Port, str]]] = defaultdict(list)
    for link in alive:
        out[link.a.node].append((link.a, link.b.node))
        out[link.b.node].append((link.b, link.a.node))
    distances: dict[str, dict[str, int]] = {}
    found: dict[FlowKey, Spread] = {}
    known: dict[tuple[str, str], Spread] = {}
    for key in keys:
        pair = key.src, key.dst
        if pair not in known:
            if key.dst not in distances:
                distances[key.dst] = _distances(fabric, graph, key.dst)
            known[pair] = _spread(fabric, key, distances[key.dst], out)
        found[key] = known[pair]
    return found


def _distances(fabric: Fabric, graph: nx.Graph[str], host: str) -> dict[str, int]:
    """Hops to ``host`` of everything from which switches lead there: hosts pass nothing on."""
    through = graph.subgraph([*fabric.switches, host])
    found: dict[str, int] = dict(nx.single_source_shortest_path_length(through, host))
    return found


def _spread(fabric: Fabric, key: FlowKey, distance: dict[str, int], out: dict[str, list[tuple[Port, str]]]) -> Spread:
    at: dict[str, float] = {key.src: 1.0}
    shares: list[tuple[Port, float]] = []
    while set(at) != {key.dst}:
        after: dict[str, float] = defaultdict(float)
        for node, share in at.items():
            ways = [
                (port, peer)
                for port, peer in out[node]
                if peer in distance and (fabric.is_switch(peer) or peer == key.dst)
            ]
            best = min((distance[peer] for _, peer in ways), default=None)
            if best is None or (node in distance and best >= distance[node]):
                raise RoutingError(f"{key.src} has no way to {key.dst}")
            nearest = [(port, peer) for port, peer in ways if distance[peer] == best]
            for port, peer in nearest:
                shares.append((port, share / len(nearest)))
                after[peer] += share / len(nearest)
        at = dict(after)
    return tuple(shares)
