"""A ring's connections as queue pairs, hashed onto spines by ``ecmp``: what exercise 16 counts.

Each queue pair is a flow of its own over UDP to RoCE's port 4791, with an equal share of its connection's bytes. Ways
are those of the policy ``ecmp``, whose hash is of the 5-tuple and the switch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from controller.routing import ecmp
from ringlab.exercises.measure import Setup
from topologies.traffic import Demand, FlowKey

FABRIC = "leaf-spine:leaves=4,spines=4,hosts=4"
ROCE_PORT = 4791
LOWEST_PORT, HIGHEST_PORT = 49152, 65535
"""Of the dynamic ports (RFC 6335), as RoCE's entropy uses them."""

SourcePorts = Callable[[int, int], Sequence[int]]
"""Of the number of a connection, and how many queue pairs it has."""


def ring_of_hosts() -> list[tuple[str, str]]:
    """The connections of an interleaved ring, in the order of ranks."""
    hosts = Setup.of(FABRIC, "ring", 16, 16, "interleaved").placement
    return list(zip(hosts, hosts[1:] + hosts[:1], strict=True))


def loads_of(source_ports: SourcePorts, queues: int, seed: int) -> list[float]:
    """Flows on each directed link that carries any, a queue pair counting as 1 / ``queues``."""
    network = Setup.of(FABRIC, "ring", 16, 16).fabric
    keys = [
        FlowKey(src, dst, port, ROCE_PORT, "udp")
        for pair, (src, dst) in enumerate(ring_of_hosts())
        for port in source_ports(pair, queues)
    ]
    paths = ecmp.route(network, [Demand(key, (0,), (1,)) for key in set(keys)], seed)
    loads: Counter[object] = Counter()
    for key in keys:
        for hop in paths[key].hops:
            loads[hop] += 1
    return [load / queues for load in loads.values()]
