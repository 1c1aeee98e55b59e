"""Marked packets are served first where a link is full, and the others are not starved."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from controller.rules import EXPEDITED
from emulation import doctor
from emulation.lab import new_tag
from emulation.network import built
from emulation.plan import Plan
from topologies import addressing
from topologies.leaf_spine import leaf_spine

FABRIC = leaf_spine(2, 1, 2, host_rate_bps=10**11, fabric_rate_bps=10**11)

SEND = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], 9000)); end = time.monotonic() + 4; s.settimeout(0.2)
while time.monotonic() < end:
    try: s.send(bytes(60000))
    except TimeoutError: pass
"""
RECEIVE = """
import socket, time
s = socket.create_server(("", 9000)); print("ready", flush=True); c, _ = s.accept(); n = 0; c.settimeout(0.1)
begin = time.monotonic()
while (now := time.monotonic() - begin) < 3:
    try: read = len(c.recv(1 << 20))
    except TimeoutError: continue
    n += read if now > 1 else 0
print(n)
"""


def plan(**changes):
    settings = doctor.settings(1000, mtu=9000, congestion="reno")
    return Plan(FABRIC, new_tag(), replace(settings, **changes))


def test_only_switches_have_the_second_queue():
    made = plan(priority_queue=True)
    assert {port.node for port, end in made.interfaces.items() if end.shape.prioritised} == set(FABRIC.switches)
    assert not any(end.shape.prioritised for end in plan().interfaces.values())


@pytest.mark.root
@pytest.mark.usefixtures("nothing_left")
def test_a_marked_stream_takes_the_link_that_it_shares():
    made = plan(priority_queue=True)
    with built(made) as network:
        for switch in FABRIC.switches:
            subprocess.run(
                ["ovs-ofctl", "-O", "OpenFlow13", "add-flows", made.bridge(switch), "-"],
                input="\n".join(rules(switch)), text=True, check=True,
            )  # fmt: skip
        marked, other = together(network, [("h2", "h4"), ("h1", "h3")])
    assert marked > 4 * other > 0
    assert marked + other < 1.1 * 2 * 12_500_000  # 100 Mb/s for 2 s


def rules(switch):
    """Destination rules by hand; what h2 sends is marked where it enters."""
    for host in FABRIC.hosts:
        below = FABRIC.attachment(host)
        if below.node == switch:
            out = below.number
        elif switch == "spine1":
            out = next(p.number for p in FABRIC.ports(switch) if FABRIC.peer(p).node == below.node)
        else:
            out = next(p.number for p in FABRIC.ports(switch) if FABRIC.peer(p).node == "spine1")
        yield f"priority=1,ip,nw_dst={addressing.ip(FABRIC, host)},actions=output:{out}"
        if switch == "leaf1":
            mark = f"set_field:{EXPEDITED}->ip_dscp"
            match = f"ip,nw_src={addressing.ip(FABRIC, 'h2')},nw_dst={addressing.ip(FABRIC, host)}"
            yield f"priority=2,{match},actions={mark},output:{out}"


def together(network, pairs):
    """Bytes that each pair moved while all were sending."""
    receivers = [network.popen(b, [sys.executable, "-c", RECEIVE], stdout=subprocess.PIPE) for _, b in pairs]
    try:
        for receiver in receivers:
            assert receiver.stdout.readline() == "ready\n"
        senders = [network.popen(a, [sys.executable, "-c", SEND, addressing.ip(FABRIC, b)]) for a, b in pairs]
        for sender in senders:
            sender.wait(20)
        return [int(receiver.communicate(timeout=20)[0]) for receiver in receivers]
    finally:
        for receiver in receivers:
            receiver.kill()
