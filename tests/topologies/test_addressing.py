from ipaddress import IPv4Address, IPv4Interface

import pytest

from topologies import addressing
from topologies.fabric import Cable, Fabric, FabricError
from topologies.leaf_spine import leaf_spine
from topologies.ports import MAX_CHANNELS, connect_port, listen_port, slots
from topologies.traffic import FlowKey

FABRIC = leaf_spine(20, 2, 20)


def test_addresses_are_the_nodes_places():
    assert addressing.ip(FABRIC, "h1") == "10.0.0.1"
    assert addressing.ip(FABRIC, "h300") == "10.0.1.44"
    assert addressing.mac(FABRIC, "h300") == "02:00:0a:00:01:2c"
    assert addressing.ip(FABRIC, "h300", rail=3) == "10.48.1.44"
    assert addressing.mac(FABRIC, "h300", rail=3) == "02:00:0a:30:01:2c"
    assert addressing.dpid(FABRIC, "spine1") == 21


def test_no_two_nodes_share_an_address():
    ips = {IPv4Address(addressing.ip(FABRIC, host)) for host in FABRIC.hosts}
    macs = {addressing.mac(FABRIC, host) for host in FABRIC.hosts}
    dpids = {addressing.dpid(FABRIC, switch) for switch in FABRIC.switches}
    assert (len(ips), len(macs), len(dpids)) == (400, 400, 22)


def test_every_nic_has_a_subnet_and_an_address_of_its_own():
    cables = [Cable(host, f"rail{rail}", 10) for host in ("h1", "h2") for rail in (1, 2, 3)]
    fabric = Fabric.cabled("rails", ["h1", "h2"], ["rail1", "rail2", "rail3"], cables)
    nics = addressing.nics(fabric)
    assert [nic.ip for nic in nics] == ["10.0.0.1", "10.16.0.1", "10.32.0.1", "10.0.0.2", "10.16.0.2", "10.32.0.2"]
    assert [str(nic.port) for nic in nics] == ["h1:1", "h1:2", "h1:3", "h2:1", "h2:2", "h2:3"]
    assert len({IPv4Interface(f"{nic.ip}/{addressing.PREFIX_LENGTH}").network for nic in nics}) == 3
    assert {
        tuple(bytes.fromhex(nic.mac.replace(":", ""))[2:]) == tuple(map(int, nic.ip.split("."))) for nic in nics
    } == {True}
    assert addressing.ends(fabric, FlowKey("h1", "h2", connect_port(0, 4), 20000)) == ("10.16.0.1", "10.16.0.2")
    with pytest.raises(FabricError, match=r"rail 16: 10\.0\.0\.0/8 holds 16 rails"):
        addressing.ip(fabric, "h1", rail=16)


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
