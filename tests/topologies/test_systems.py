from collections import Counter

import pytest

from collectives.baseline import published
from controller import routing
from topologies import systems
from topologies.catalog import from_short_form
from topologies.drawing import draw
from topologies.fabric import FabricError
from topologies.formats import dumps, loads
from topologies.measures import measures
from topologies.traffic import Demand, FlowKey

G = 10**9


def test_two_dgx_h100_have_eight_rails_and_the_nvswitch_at_its_rate():
    fabric = from_short_form("system:dgx-h100-2")
    assert fabric.hosts == tuple(f"h{number}" for number in range(1, 17))
    assert fabric.switches == ("node1", "node2", *(f"rail{number}" for number in range(1, 9)))
    rates = Counter((fabric.is_switch(link.a.node), link.rate_bps) for link in fabric.links)
    assert rates == {(False, 3600 * G): 16, (True, 400 * G): 16}
    assert {fabric.attachment(host).node for host in fabric.hosts[:8]} == {"node1"}
    for rail in fabric.switches[2:]:
        assert [fabric.peer(port).node for port in fabric.ports(rail)] == ["node1", "node2"]
    assert measures(fabric).bisection_bps == 3200 * G


def test_a_node_of_one_gpu_is_the_host_itself():
    fabric = from_short_form("system:hkbu-10g-16")
    assert (len(fabric.hosts), fabric.switches) == (16, ("net",))
    assert {link.rate_bps for link in fabric.links} == {10 * G}


def test_one_node_stands_without_a_network():
    assert from_short_form("system:dgx-a100-1") == from_short_form("system:dgx-a100")
    assert from_short_form("system:dgx-a100").switches == ("node1",)


def test_nics_on_one_switch_are_parallel_links():
    fabric = from_short_form("system:polaris-2")
    assert [link.name for link in fabric.links if link.b.node == "net"] == [
        "node1-net", "node1-net#2", "node2-net", "node2-net#2",
    ]  # fmt: skip


def test_the_latency_can_be_said():
    fabric = from_short_form("system:polaris-2,latency=5us")
    assert {link.latency_s for link in fabric.links} == {5e-6}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("system:dgx-h10-2", "no system 'dgx-h10'; did you mean 'dgx-h100'?"),
        ("system:h100-2", "no system 'h100'; did you mean 'dgx-h100'?"),
        ("system:dgx", "no system 'dgx'; did you mean 'dgx-1-v100' or 'dgx-a100' or 'dgx-b200' or 'dgx-h100'?"),
        ("system:", "no system ''; there are alps-gh200, "),
        ("system:dgx-h100-0", "system:dgx-h100-0: nodes: 0 is too few; give at least 1"),
        ("system:hkbu-10g-1", "system:hkbu-10g-1: nodes: 1 is too few; give at least 2"),
        ("system:hkbu-10g", "system:hkbu-10g: nodes: 1 is too few; give at least 2"),
        ("system:polaris-2,rate=3", "system:polaris-2,rate=3: rate: a system has no such parameter"),
        ("system:polaris-2,latency=3", "system:polaris-2,latency=3: latency: '3' is not a latency"),
        ("system:polaris-999999", "links are too many"),
        ("sytem:polaris-2", "no generator 'sytem'; did you mean 'system'?"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_said(text, said):
    with pytest.raises(FabricError) as error:
        from_short_form(text)
    assert said in str(error.value)


def test_the_data_is_in_order_of_names_and_complete():
    assert list(systems.names()) == sorted(systems.names())
    for name in systems.names():
        of = systems.system(name)
        assert of.name == name
        assert of.title
        assert of.gpu
        assert of.network
        assert of.source
        assert of.wiring in {systems.RAILS, systems.SWITCH}
        assert (of.inside_rate_bps is None) == (of.gpus == 1) == (not of.inside)
        assert of.gpus > 1 or of.nics == 1  # a host of several NICs would need a switch each


@pytest.mark.parametrize("name", systems.names())
def test_every_system_makes_a_fabric_that_is_read_back_and_drawn(name):
    of = systems.system(name)
    fabric = from_short_form(f"system:{name}-2")
    assert len(fabric.hosts) == 2 * of.gpus
    assert loads(dumps(fabric)) == fabric
    assert draw(fabric).startswith("<svg")
    if of.gpus > 1:
        ports = [port for port in fabric.ports("node2") if fabric.is_switch(fabric.peer(port).node)]
        assert sum(map(fabric.rate_bps, ports)) == of.node_rate_bps


@pytest.mark.parametrize("name", systems.names())
@pytest.mark.parametrize("policy", ["ecmp:seed=1", "pinned", "spanning-tree", "shortest", "least-loaded"])
def test_a_ring_over_two_nodes_is_routed_and_pinned_to_nics_of_its_own(name, policy):
    fabric = from_short_form(f"system:{name}-2")
    channels = systems.system(name).nics
    ring = zip(fabric.hosts, (*fabric.hosts[1:], fabric.hosts[0]), strict=True)
    demands = [
        Demand(FlowKey(a, b, 30000 + channel, 20000), (0,), (1,)) for a, b in ring for channel in range(channels)
    ]
    paths = routing.policy(policy).route(fabric, demands)
    assert len(paths) == len(demands)
    if policy == "pinned":
        loads = Counter(port for path in paths.values() for port in path.hops[1:-1])
        assert set(loads.values()) <= {1}  # each channel has a NIC, and a port of the network, to itself


@pytest.mark.parametrize("sweep", published.names())
def test_every_published_sweep_has_one_system_with_its_rates(sweep):
    found = [systems.system(name) for name in systems.names() if systems.system(name).measured(sweep)]
    assert found == [systems.of_sweep(sweep)]
    baseline, of = published.load(sweep), found[0]
    assert baseline.gpus_per_node == of.gpus
    rate_bps = of.inside_rate_bps if baseline.nodes == 1 else of.node_rate_bps
    if baseline.collective != "alltoall":  # whose line is not that of the links
        assert baseline.nominal_line_rate_GBps * 8 * G == pytest.approx(rate_bps)


def test_a_sweep_that_nobody_knows_has_no_system():
    assert systems.of_sweep("abacus-2x8") is None
