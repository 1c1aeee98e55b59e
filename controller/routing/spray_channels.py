"""spray-channels: the channels of a host pair take its equal-cost paths in turn, from a place drawn for the pair.

Models: E-ECMP with queue-pair scaling (Meta, SIGCOMM'24, "RDMA over Ethernet for Distributed AI Training at Meta
Scale"): several queue pairs for each pair of GPUs, messages posted to them in turn, and switches that hash the queue
pair's number too. Here the turns are exact: with the pair's draw o, channel c takes path number o + c, whose digits
pick the next hops: the number modulo the equal-cost next hops of the first switch, what is left of it at the second,
and so on. On a Clos that counts through all n paths, so that c and c + n meet again, and neighbouring channels part
at the first switch. The draw is of the seed and both hosts' names (``seeds.draw``).

One pair's channels never collide while there are no more of them than paths. It fails where pairs collide: the draws
know nothing of one another, so with as many pairs as paths the load is again that of balls in bins, only of more and
smaller balls; and a job of one channel gets no more than ecmp would give it. Links that other jobs use make no
difference to it. Acknowledgements are sprayed by the draw of their own direction.
"""

from __future__ import annotations

from collections.abc import Sequence

from controller.routing.next_hops import NextHops, ends, host_to_host
from controller.routing.seeds import draw
from controller.routing.situation import CLEAR, Situation
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path


def route(
    fabric: Fabric, demands: Sequence[Demand], seed: int = 0, situation: Situation = CLEAR
) -> dict[FlowKey, Path]:
    hops = NextHops(fabric, situation.dead)

    def walk(key: FlowKey) -> list[Port]:
        switch, target = ends(fabric, key, hops.dead)
        number = draw(seed, f"{key.src} {key.dst}".encode()) + key.channel
        ports: list[Port] = []
        while switch != target:
            choices = hops.choices(switch, target)
            number, digit = divmod(number, len(choices))
            ports.append(choices[digit])
            switch = fabric.peer(ports[-1]).node
        return ports

    return {demand.key: host_to_host(fabric, demand.key, walk(demand.key)) for demand in demands}
