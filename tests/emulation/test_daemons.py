"""A large lab's own switch daemons: who has which switch, and that such a lab works and goes."""

import subprocess

import pytest

from controller.process import running_controller
from emulation import counters, doctor, plan, probe, vxlan
from emulation.errors import PlanError
from emulation.lab import new_tag
from emulation.network import built
from emulation.plan import PORTS_EACH, Plan, Settings
from topologies import addressing
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Path


def test_a_normal_lab_has_none():
    assert Plan(leaf_spine(4, 2, 2), "rtest").shares == ()
    assert Plan(leaf_spine(4, 2, 2), "rtest").management("leaf1") == "rtest-leaf1"


def test_a_large_lab_shares_its_switches_out():
    fabric = leaf_spine(40, 20, 10)
    large = Plan(fabric, "rtest")
    assert [switch for share in large.shares for switch in share] == list(fabric.switches)
    assert all(sum(len(fabric.ports(switch)) for switch in share) <= PORTS_EACH for share in large.shares)
    assert large.management("leaf1") == f"unix:/run/ringlab/rtest/0/{large.bridge('leaf1')}.mgmt"


def test_the_kernels_datapath_needs_none():
    assert Plan(leaf_spine(40, 20, 10), "rtest", Settings(datapath="system")).shares == ()


def test_relayed_delays_are_refused_where_no_relay_reaches_the_links():
    fabric = leaf_spine(40, 20, 10)
    with pytest.raises(PlanError, match=r"delays: a fabric of \d+ switch ports gets switch daemons of its own"):
        Plan(fabric, "rtest", Settings(scale=1000, delays="relay"))
    Plan(leaf_spine(4, 2, 2), "rtest", Settings(scale=1000, delays="relay"))


def test_each_daemon_is_asked_whether_its_switches_have_their_controller(monkeypatch):
    large = Plan(leaf_spine(40, 20, 10), "rtest")
    asked: list[list[str]] = []
    monkeypatch.setattr(vxlan, "run", lambda argv, **_: asked.append(argv) or "[c1]\n")
    vxlan.wait_for_controller(large, 10)
    assert len(asked) == 2 * len(large.shares)
    for number, share in enumerate(large.shares):
        get, wait = asked[2 * number : 2 * number + 2]
        assert get[1] == wait[1] == f"--db=unix:/run/ringlab/rtest/{number}/db.sock"
        assert [word for word in get if word.startswith("rtest-")] == [large.bridge(switch) for switch in share]
        assert wait[-1] == "is_connected=true"


@pytest.mark.root
@pytest.mark.usefixtures("nothing_left")
def test_a_lab_with_daemons_of_its_own_follows_its_controller(monkeypatch):
    monkeypatch.setattr(plan, "MOST_PORTS", 2)
    monkeypatch.setattr(plan, "PORTS_EACH", 2)
    fabric = leaf_spine(2, 1, 1)
    made = Plan(fabric, new_tag(), doctor.settings(1000, mtu=9000, congestion="reno"))
    with running_controller(fabric) as control, built(made, f"tcp:{control.openflow}"):
        vxlan.wait_for_controller(made, 20)
        control.client.wait_ready(20)


@pytest.mark.root
@pytest.mark.usefixtures("nothing_left")
def test_a_lab_with_daemons_of_its_own_forwards_counts_and_goes(monkeypatch):
    monkeypatch.setattr(plan, "MOST_PORTS", 2)
    monkeypatch.setattr(plan, "PORTS_EACH", 2)
    fabric = leaf_spine(2, 1, 1, host_rate_bps=10**11, fabric_rate_bps=10**11)
    made = Plan(fabric, new_tag(), doctor.settings(1000, mtu=9000, congestion="reno"))
    assert made.shares == (("leaf1",), ("leaf2",), ("spine1",))
    said: list[str] = []
    with built(made, progress=said.append) as network:
        for switch, (to_h1, to_h2) in {"leaf1": (1, 2), "leaf2": (2, 1), "spine1": (1, 2)}.items():
            flows = "".join(
                f"ip,nw_dst={addressing.ip(fabric, host)},actions=output:{port}\n"
                for host, port in (("h1", to_h1), ("h2", to_h2))
            )
            argv = ["ovs-ofctl", "-O", "OpenFlow13", "add-flows", made.management(switch), "-"]
            subprocess.run(argv, input=flows, text=True, check=True)
        assert " 0% packet loss" in network.run("h1", ["ping", "-c", "2", "-i", "0.2", addressing.ip(fabric, "h2")])
        assert counters.read(made)[Port("spine1", 1)].received_bytes > 0
        there = Path((Port("h1", 1), Port("leaf1", 2), Port("spine1", 2), Port("leaf2", 1)))
        found = probe.stream(network, "h1", "h2", there)
        assert found.goodput_bps > 0
        assert found.departures == (), "its switch ports can't be seen from the machine"
        bridges = subprocess.run(["ovs-vsctl", "list-br"], capture_output=True, text=True, check=True).stdout
        assert made.tag not in bridges, "the system's switch has nothing to do with it"
    assert "3 of 3 switches are up" in said
