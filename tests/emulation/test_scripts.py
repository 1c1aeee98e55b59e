"""A plan as text: what is run for all nodes at once, before anything is run."""

import pytest

from emulation.plan import Plan, Settings
from emulation.scripts import commands, device_group, host_scripts, in_namespace, link_lines, switch_lines
from topologies import addressing
from topologies.fabric import Cable, Fabric
from topologies.leaf_spine import leaf_spine

GBPS = 10**9


def small(**settings) -> Plan:
    return Plan(leaf_spine(2, 2, 2), "rtest", Settings(**settings))


def two_nics() -> Plan:
    cables = [Cable(host, switch, GBPS) for host in ("h1", "h2") for switch in ("s1", "s2")]
    return Plan(Fabric.cabled("rails", ["h1", "h2"], ["s1", "s2"], [*cables, Cable("s1", "s2", GBPS)]), "rtest")


def test_a_host_end_is_born_in_its_namespace_and_a_switch_end_in_the_labs_group():
    lines = link_lines(small(), {"h1": 4711})
    assert len(lines) == 8
    [first] = [line for line in lines if "netns 4711" in line]
    assert "name eth1 mtu 9000 netns 4711" in first
    assert f"name rtest-leaf1-1 mtu 9000 group {device_group('rtest')}" in first


def test_groups_of_labs_differ_and_are_no_small_numbers():
    groups = {device_group(f"r{number:04x}") for number in range(1000)}
    assert len(groups) == 1000
    assert all(2**30 <= group < 2**31 for group in groups)


def test_both_ends_of_every_link_are_shaped():
    plan = small(scale=1000)
    lines = plan.switch_tc().splitlines() + [line for _, text in host_scripts(plan) for line in text.splitlines()]
    assert sum(" htb rate " in line for line in lines) == 2 * len(plan.fabric.links)


def test_neighbours_are_permanent_and_complete():
    script = dict(host_scripts(small()))["h1"]
    assert script.count("nud permanent") == 3
    assert "neigh add 10.0.0.1 " not in script


def test_every_nic_has_its_own_subnet_and_neighbours():
    script = dict(host_scripts(two_nics()))["h1"]
    assert "addr add 10.0.0.1/12 dev eth1" in script
    assert "addr add 10.16.0.1/12 dev eth2" in script
    assert "neigh add 10.0.0.2 lladdr 02:00:0a:00:00:02 dev eth1" in script
    assert "neigh add 10.16.0.2 lladdr 02:00:0a:10:00:02 dev eth2" in script
    assert script.count("nud permanent") == 2
    assert script.count(" htb rate ") == 2


def test_in_a_large_fabric_nobody_holds_a_list():
    largest = leaf_spine(8, 1, addressing.MAX_LISTED_HOSTS // 8)
    assert "nud permanent" in dict(host_scripts(Plan(largest, "rtest")))["h1"]
    larger = leaf_spine(8, 1, addressing.MAX_LISTED_HOSTS // 8 + 1)
    assert "nud permanent" not in dict(host_scripts(Plan(larger, "rtest")))["h1"]


def test_a_datapath_without_offload_gets_finished_checksums():
    plan = small(offload=False)
    assert "ethtool -K eth1 tx off" in dict(host_scripts(plan))["h1"]
    assert "\n".join(switch_lines(plan)).count("tx off") == 4 + 2 * 4  # host ports, both ends of four fabric links
    assert not list(switch_lines(small()))


def test_a_script_in_a_namespace_says_when_it_is_done():
    text = in_namespace(4711, "h1", "true")
    assert text.startswith("mnexec -a 4711 sh -e <<")
    assert text.endswith("\necho h1\n")


@pytest.mark.parametrize("word", ["namespace h4", "rtest-spine2", "htb rate", "bfifo limit", "tcp_congestion_control"])
def test_the_printed_plan_names_every_part(word):
    assert word in "\n".join(commands(small()))
