"""A fabric as a Python script for plain Mininet: ``mn --custom FILE --topo fabric``. It needs nothing of ours.

The script carries a table of hosts, switches and links and a Topo that reads it, so that all that ``addressing``
says holds there too: names, IP and MAC addresses, port numbers, datapath ids. Three traps shape it:

* Mininet leaves a link of more than 1000 Mb/s unshaped. So the script divides rates and multiplies latencies by a
  *scale* (time dilation), which can be set again when it is run, and refuses one that is too small.
* ``mn`` puts every global of a custom file among its own, so a global named HOSTS or LINKS would break it: the tables
  stand in the class. It cleans up the whole machine after an Exception, so a refusal is a SystemExit.
* Linux takes 15 characters for an interface; where a name needs more, the interface or the switch has a short one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from topologies import addressing
from topologies.fabric import Fabric, FabricError, Link, Port
from topologies.rates import format_rate

MAX_RATE_BPS = 10**9  # mininet.link.TCIntf.bwParamMax is 1000 Mb/s
MAX_INTERFACE_NAME = 15  # IFNAMSIZ - 1
RESERVED = re.compile(r"c0|lo|eth[0-9]+")  # Mininet's own controller; interfaces that a machine has

_SCRIPT = """\
# The fabric {name}: {counts}. Written by ringlab for plain Mininet; run it as root:
#
#     mn --custom THIS_FILE --topo fabric --arp
#
# With a controller of your own add: --controller remote --switch ovs,protocols=OpenFlow13
# Without one, where there is no loop: --controller none --switch ovsbr (and ovsbr,stp=1 where there is one).
#
# Mininet shapes links up to 1000 Mb/s. So rates are divided by the scale and latencies multiplied by it:
# at scale {scale} the fastest link, {fastest}b/s, runs at {scaled}b/s. Another scale: --topo fabric,scale={another}
# Latencies need a kernel with netem; without one: --topo fabric,delay=0
# Open vSwitch's userspace datapath (datapath=user) wants: --topo fabric,offload=0
{remarks}
from mininet.link import TCLink
from mininet.topo import Topo


class Fabric(Topo):
    # Of each host: name, IP address, MAC address.
    host_table = [
{hosts}
    ]
    # Of each switch: name, datapath id.
    switch_table = [
{switches}
    ]
    # Of each link: name; node, port and interface at either end; rate in b/s, latency in s, one way.
    link_table = [
{links}
    ]
    # Of each further NIC of a host: host, port, IP address, MAC address.
    nic_table = [
{nics}
    ]

    def build(self, scale={scale}, delay=1, offload=1):
        nics = {{(host, port): (ip, mac) for host, port, ip, mac in self.nic_table}}
        for name, ip, mac in self.host_table:
            self.addHost(name, ip=ip, mac=mac)
        for name, dpid in self.switch_table:
            self.addSwitch(name, dpid=dpid)
        for name, a, port_a, interface_a, b, port_b, interface_b, rate_bps, latency_s in self.link_table:
            if rate_bps > 1e9 * scale:
                raise SystemExit("link %s: %g Mb/s is more than Mininet shapes; "
                                 "give a scale of at least %d" % (name, rate_bps / scale / 1e6, -(-rate_bps // 10**9)))
            ip_a, mac_a = nics.get((a, port_a), (None, None))
            ip_b, mac_b = nics.get((b, port_b), (None, None))
            if mac_a or mac_b:  # Mininet fails on a link with one address given: the switch's end gets one too
                mac_a, mac_b = mac_a or "06" + mac_b[2:], mac_b or "06" + mac_a[2:]
            self.addLink(
                a, b, port_a, port_b, cls=TCLink, intfName1=interface_a, intfName2=interface_b,
                addr1=mac_a, addr2=mac_b, params1={{"ip": ip_a}}, params2={{"ip": ip_b}},
                bw=rate_bps / scale / 1e6,
                delay="%.3fus" % (latency_s * scale * 1e6) if delay and latency_s else None,
                txo=bool(offload), rxo=bool(offload),
            )


topos = {{"fabric": Fabric}}
"""


def dumps(fabric: Fabric, scale: float | None = None) -> str:
    """The script. Where no ``scale`` is given it is ``fitting_scale``.

    FabricError where a link would be faster than Mininet shapes, or the fabric has more than addresses hold.
    """
    fastest = max(link.rate_bps for link in fabric.links)
    scale = fitting_scale(fabric) if scale is None else scale
    if fastest > MAX_RATE_BPS * scale:
        least = -(-fastest // MAX_RATE_BPS)
        raise FabricError(f"scale {scale:g}: {format_rate(fastest)}b/s would not fit 1000 Mb/s; give at least {least}")
    names = switch_names(fabric)
    nics = addressing.nics(fabric)
    first = [nic for nic in nics if nic.rail == 0]
    prefix = addressing.PREFIX_LENGTH
    return _SCRIPT.format(
        name=ascii(fabric.name),
        counts=f"{len(fabric.hosts)} hosts, {len(fabric.switches)} switches, {len(fabric.links)} links",
        scale=f"{scale:.12g}",
        another=f"{10 * scale:.12g}",
        fastest=format_rate(fastest),
        scaled=format_rate(round(fastest / scale)),
        remarks=_remarks(names),
        hosts=_rows((nic.host, f"{nic.ip}/{prefix}", nic.mac) for nic in first),
        switches=_rows((names[switch], f"{addressing.dpid(fabric, switch):016x}") for switch in fabric.switches),
        links=_rows(_link_row(link, number, names) for number, link in enumerate(fabric.links, 1)),
        nics=_rows((nic.host, nic.port.number, f"{nic.ip}/{prefix}", nic.mac) for nic in nics if nic.rail),
    )


def fitting_scale(fabric: Fabric) -> float:
    """The least of 1, 2, 5, 10, ... at which every link fits into what Mininet shapes."""
    fastest = max(link.rate_bps for link in fabric.links)
    return next(
        step * 10.0**power for power in range(15) for step in (1, 2, 5) if fastest <= MAX_RATE_BPS * step * 10**power
    )


def switch_names(fabric: Fabric) -> dict[str, str]:
    """Each switch's name in Mininet: its own, or ``sN`` where Linux or Mininet would not take that for a bridge."""
    taken = set(fabric.nodes)
    names = {}
    for switch in fabric.switches:
        name = switch
        if len(switch) > MAX_INTERFACE_NAME or RESERVED.fullmatch(switch):
            name = f"s{addressing.dpid(fabric, switch)}"
            while name in taken:
                name += "x"
            taken.add(name)
        names[switch] = name
    return names


def _remarks(names: dict[str, str]) -> str:
    changed = ((old, new) for old, new in names.items() if old != new)
    return "".join(f"# The switch {old} is {new} here: Linux takes no such name.\n" for old, new in changed)


def _link_row(link: Link, number: int, names: dict[str, str]) -> tuple[object, ...]:
    ends: list[object] = []
    for side, port in (("a", link.a), ("b", link.b)):
        node = names.get(port.node, port.node)
        ends += [node, port.number, _interface(node, port, f"{side}{number}")]
    return (link.name, *ends, link.rate_bps, link.latency_s)


def _interface(node: str, port: Port, short: str) -> str:
    """Mininet's own name for the interface, or a short one."""
    name = f"{node}-eth{port.number}"
    return name if len(name) <= MAX_INTERFACE_NAME else f"{short}-eth{port.number}"


def _rows(rows: Iterable[tuple[object, ...]]) -> str:
    return "\n".join(f"        ({', '.join(map(ascii, row))})," for row in rows)
