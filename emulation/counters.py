"""Port counters to bytes per directed link, as the switches saw them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from emulation.commands import run
from emulation.plan import Plan
from topologies.fabric import Fabric, Port

_PORT = re.compile(
    r"port\s+\"?(?P<name>[^\s:\"]+)\"?: rx pkts=(?P<rx_pkts>\d+), bytes=(?P<rx_bytes>\d+), drop=(?P<rx_drop>\d+|\?)"
    r".*?tx pkts=(?P<tx_pkts>\d+), bytes=(?P<tx_bytes>\d+), drop=(?P<tx_drop>\d+|\?)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class PortCount:
    """What one switch port counted since it was added."""

    received_bytes: int
    sent_bytes: int
    dropped: int


def read(plan: Plan) -> dict[Port, PortCount]:
    """The counters of every switch port, asked from the switches by OpenFlow."""
    counts: dict[Port, PortCount] = {}
    for switch in plan.switches:
        numbers = {plan.interface_name(port): port for port in plan.fabric.ports(switch)}
        text = run(["ovs-ofctl", "-O", "OpenFlow13", "--names", "dump-ports", plan.management(switch)])
        for name, count in parse(text).items():
            if name in numbers:
                counts[numbers[name]] = count
    return counts


def parse(text: str) -> dict[str, PortCount]:
    """``ovs-ofctl --names dump-ports`` by interface name."""
    return {
        found["name"]: PortCount(
            int(found["rx_bytes"]), int(found["tx_bytes"]), _number(found["rx_drop"]) + _number(found["tx_drop"])
        )
        for found in _PORT.finditer(text)
    }


def link_bytes(fabric: Fabric, counts: dict[Port, PortCount]) -> Counter[Port]:
    """Bytes that crossed each directed link: what the receiving switch counted, or for a link to a host the sender."""
    crossed: Counter[Port] = Counter()
    for port, count in counts.items():
        crossed[fabric.peer(port)] = count.received_bytes
        if not fabric.is_switch(fabric.peer(port).node):
            crossed[port] = count.sent_bytes
    return crossed


def _number(text: str) -> int:
    return 0 if text == "?" else int(text)
