"""Delays on a real link: as long as they should be, in each direction of its own, and nothing left afterwards."""

import os
import subprocess

import pytest

from emulation import doctor, probe
from emulation.delay import Impairment
from emulation.errors import RunError
from emulation.lab import new_tag, start_time
from emulation.network import built
from emulation.plan import Plan
from topologies import addressing
from topologies.fabric import Cable, Fabric, Port
from topologies.traffic import Path

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("nothing_left")]

LATENCY_S = 2e-3
FABRIC = Fabric.cabled(
    "pair", ["h1", "h2"], ["s1"], [Cable(host, "s1", 100_000_000, LATENCY_S) for host in ("h1", "h2")]
)
THERE = Path((Port("h1", 1), Port("s1", 2)))
BACK = THERE.reversed(FABRIC)


def plan() -> Plan:
    return Plan(FABRIC, new_tag(), doctor.settings(1, mtu=9000, congestion="reno", delays="relay"))


def forward(made: Plan) -> None:
    for number, host in ((1, "h1"), (2, "h2")):
        flow = f"ip,nw_dst={addressing.ip(FABRIC, host)},actions=output:{number}"
        subprocess.run(["ovs-ofctl", "-O", "OpenFlow13", "add-flow", made.bridge("s1"), flow], check=True)


def test_a_round_trip_takes_the_delays_of_its_links_and_a_stream_still_gets_its_rate():
    with built(plan()) as network:
        forward(network.plan)
        assert probe.delays_s(network, THERE, BACK) == pytest.approx(4 * LATENCY_S)
        probe.settle(network, "h1", "h2", THERE, BACK)
        found_s = probe.round_trip_near_s(network, "h1", "h2", 4 * LATENCY_S, 0.05 * 4 * LATENCY_S)
        assert found_s == pytest.approx(4 * LATENCY_S, rel=0.05)
        network.relay.impair(Port("h1", 1), Impairment(4 * LATENCY_S))
        assert probe.round_trip_s(network, "h1", "h2") == pytest.approx(7 * LATENCY_S, rel=0.15)
        network.relay.impair(Port("h1", 1), Impairment(LATENCY_S))
        found = probe.stream(network, "h1", "h2", THERE)
        assert found.goodput_bps > 90_000_000
        assert len(found.departures) > 100
        network.relay.impair(Port("h1", 1), Impairment(LATENCY_S, loss=1.0))
        with pytest.raises(RunError):
            probe.round_trip_s(network, "h1", "h2")


def test_the_process_is_on_record_and_its_end_is_an_error_that_says_so():
    with built(plan()) as network:
        pid, start = network.lab.record.processes[-1]
        assert start_time(pid) == start
        os.kill(pid, 9)
        with pytest.raises(RunError, match="process that delays frames has ended"):
            network.relay.allow_for(0)
