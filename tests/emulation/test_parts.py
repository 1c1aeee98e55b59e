"""Parts: both machines work out the same, each has its own nodes, and a cut link has a VXLAN device at both ends."""

import pytest

from emulation import parts, scripts
from emulation.errors import PlanError
from emulation.parts import Machine, divide, machines
from emulation.plan import Plan, Settings
from topologies.leaf_spine import leaf_spine

TWO = (Machine("m1", "192.0.2.1"), Machine("m2", "192.0.2.2"))
FABRIC = leaf_spine(4, 2, 2)


def plans(**settings) -> list[Plan]:
    division = divide(FABRIC, TWO)
    return [Plan(FABRIC, f"rtes{n}", Settings(**settings), part=division.part(m.name)) for n, m in enumerate(TWO)]


def test_every_node_is_on_one_machine_and_every_link_is_whole_or_cut_at_both_ends():
    division = divide(FABRIC, TWO)
    made = [division.part(machine.name) for machine in TWO]
    assert sorted(made[0].hosts + made[1].hosts) == sorted(FABRIC.hosts)
    assert sorted(made[0].switches + made[1].switches) == sorted(FABRIC.switches)
    whole = [veth.link for plan in plans() for veth in plan.veths]
    cut = [link for _, link in division.cut()]
    assert {link.name for link in whole} | {link.name for link in cut} == {link.name for link in FABRIC.links}
    assert len(whole) + len(cut) == len(FABRIC.links)


def test_a_cut_link_is_one_tunnel_seen_from_two_sides():
    here, there = (
        {tunnel.link.name: tunnel for tunnel in divide(FABRIC, TWO).part(machine.name).tunnels} for machine in TWO
    )
    assert here.keys() == there.keys()
    for name, tunnel in here.items():
        other = there[name]
        assert tunnel.vni == other.vni
        assert (tunnel.local, tunnel.remote) == (other.remote, other.local) == ("192.0.2.1", "192.0.2.2")
        assert {tunnel.port, other.port} == {tunnel.link.a, tunnel.link.b}
    assert len({tunnel.vni for tunnel in here.values()}) == len(here), "two links must not be one network"


def test_the_two_plans_have_every_end_once_shaped_as_in_one_machines_plan():
    one = Plan(FABRIC, "rtest", Settings(scale=500))
    ends = [(port, end.shape) for plan in plans(scale=500) for port, end in plan.interfaces.items()]
    assert len(ends) == len(dict(ends))
    assert dict(ends) == {port: end.shape for port, end in one.interfaces.items()}


def test_printed_commands_make_vxlan_devices_with_the_fabrics_port_numbers():
    for plan in plans():
        text = "\n".join(scripts.commands(plan))
        for tunnel in plan.tunnels:
            assert f"name {tunnel.end.name} mtu 9000" in text
            assert f"type vxlan id {tunnel.vxlan.vni} local {tunnel.vxlan.local} remote {tunnel.vxlan.remote}" in text
            assert f"add-port {plan.bridge(tunnel.end.port.node)} {tunnel.end.name}" in text
            assert f"class add dev {tunnel.end.name} " in text
        others = [switch for switch in FABRIC.switches if switch not in plan.switches]
        assert not any(f"add-br {plan.bridge(switch)} " in text for switch in others)


def test_a_hosts_nic_can_be_a_vxlan_device_in_its_namespace():
    division = divide(FABRIC, TWO, [("leaf1", "m1"), ("h1", "m2")])
    plan = Plan(FABRIC, "rtest", part=division.part("m2"))
    lines = scripts.link_lines(plan, dict.fromkeys(plan.hosts, 4711))
    assert [line for line in lines if " name eth1 " in line and "netns 4711 type vxlan" in line]


def test_the_lab_changes_with_whatever_must_be_equal_on_all_machines():
    labs = [
        divide(FABRIC, TWO).lab,
        divide(FABRIC, TWO, agreed="scale 500").lab,
        divide(FABRIC, TWO[::-1]).lab,
        divide(FABRIC, TWO, [("leaf1", "m2")]).lab,
        divide(leaf_spine(4, 2, 1), TWO).lab,
    ]
    assert len(set(labs)) == len(labs)
    assert divide(FABRIC, TWO).lab == labs[0]


@pytest.mark.parametrize("lab", ["00000000", "ffffffff", "00ffffff"])
def test_network_identifiers_are_never_zero_nor_too_large(lab):
    assert all(0 < parts.vni(lab, number) < 2**24 for number in (0, 1, 2**24 - 3, 2**24 - 2))


def test_wishes_are_patterns_and_the_later_one_counts():
    at = divide(FABRIC, TWO, [("spine*", "m1"), ("spine2", "m2")]).at
    assert (at["spine1"].name, at["spine2"].name) == ("m1", "m2")


def test_the_summary_says_what_the_network_between_must_carry():
    lines = divide(FABRIC, TWO).summary(scale=500)
    assert lines[0] == (
        "m1 (192.0.2.1): 4 hosts, 3 switches (50% of the switching), 4 VXLAN links of 800 Mb/s in all each way"
    )
    assert lines[-1].startswith("4 of 16 links are cut; lab ")


def test_vxlan_takes_fifty_bytes():
    assert parts.largest_mtu(9050) == 9000
    assert parts.largest_mtu(1500) == 1450


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: machines("m1=192.0.2.1"), "one machine needs no parts"),
        (lambda: machines("m1,m2"), "machine 'm1': write NAME=ADDRESS"),
        (lambda: machines("m1=192.0.2.1,m1=192.0.2.2"), "two machines have the name 'm1'"),
        (lambda: machines("m1=192.0.2.1,m2=192.0.2.1"), "two machines have the address"),
        (lambda: machines("m1=127.0.0.1,m2=192.0.2.2"), "machine m1: '127.0.0.1' is no IPv4 address"),
        (lambda: machines("m1=fd00::1,m2=192.0.2.2"), "machine m1: 'fd00::1' is no IPv4 address"),
        (lambda: machines("m 1=192.0.2.1,m2=192.0.2.2"), "machine name 'm 1'"),
        (lambda: parts.wish("leaf1"), "write NODE=MACHINE"),
        (lambda: divide(FABRIC, TWO, [("leaf9", "m1")]), "'leaf9' fits no node"),
        (lambda: divide(FABRIC, TWO, [("leaf1", "m3")]), "no machine 'm3': there are m1, m2"),
        (lambda: divide(FABRIC, TWO, [("leaf*", "m1"), ("spine*", "m1")]), "m2 gets no switch"),
        (lambda: divide(FABRIC, TWO).part("m3"), "no machine 'm3'"),
    ],
)
def test_what_cannot_be_divided_is_said(make, message):
    with pytest.raises(PlanError, match=message):
        make()
