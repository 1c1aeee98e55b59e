from ipaddress import IPv4Address

import pytest

from topologies import addressing
from topologies.fabric import FabricError
from topologies.leaf_spine import leaf_spine
from topologies.ports import MAX_CHANNELS, connect_port, listen_port, slots

FABRIC = leaf_spine(20, 2, 20)


def test_addresses_are_the_nodes_places():
    assert addressing.ip(FABRIC, "h1") == "10.0.0.1"
    assert addressing.ip(FABRIC, "h300") == "10.0.1.44"
    assert addressing.mac(FABRIC, "h300") == "02:00:00:00:01:2c"
    assert addressing.mac(FABRIC, "h300", rail=3) == "02:03:00:00:01:2c"
    assert addressing.dpid(FABRIC, "spine1") == 21


def test_no_two_nodes_share_an_address():
    ips = {IPv4Address(addressing.ip(FABRIC, host)) for host in FABRIC.hosts}
    macs = {addressing.mac(FABRIC, host) for host in FABRIC.hosts}
    dpids = {addressing.dpid(FABRIC, switch) for switch in FABRIC.switches}
    assert (len(ips), len(macs), len(dpids)) == (400, 400, 22)


def test_unknown_nodes_are_refused_by_name():
    with pytest.raises(
        FabricError, match=r"no host 'h401' in fabric 'leaf-spine-20x2x20': it has h1, h2, h3, h4, \.\.\. h400"
    ):
        addressing.ip(FABRIC, "h401")
    with pytest.raises(FabricError, match="no switch 'h1' in fabric"):
        addressing.dpid(FABRIC, "h1")


def test_ports_of_slots_and_channels_never_meet():
    used = {connect_port(slot, channel) for slot in range(8) for channel in range(MAX_CHANNELS)}
    assert len(used) == 8 * MAX_CHANNELS
    assert used.isdisjoint({listen_port(slot) for slot in range(8)})
    assert slots(["h1", "h2", "h1", "h1"]) == (0, 0, 1, 2)
    with pytest.raises(ValueError, match="channel 64: from 0 to 63"):
        connect_port(0, MAX_CHANNELS)
