"""Communication times: closed forms, and the same from a fabric where nothing gets in the way."""

import pytest

from collectives.cost import cost
from ringlab.experiments.simulated_job import route
from simulation.conditions import Conditions
from simulation.links import Links
from simulation.training.network import AlphaBeta, OnFabric, Place
from simulation.training.parallel import Parallel
from topologies.catalog import from_short_form

RATE_BPS = 100e9
NODE_BPS = 800e9


def on(short_form, devices_per_host=1, policy="pinned", turnaround_s=0.0, hosts=None):
    fabric = from_short_form(short_form)
    places = [Place(host, device) for host in (hosts or fabric.hosts) for device in range(devices_per_host)]
    return OnFabric(
        Links.of(fabric),
        lambda demands: route(fabric, policy, demands).there,
        places,
        NODE_BPS,
        Conditions(turnaround_s, 1.0, 0.0, 1.0),
    )


def test_the_closed_form_is_the_cost_model_s():
    net = AlphaBeta(RATE_BPS, 5e-6)
    ring = cost("ring", 8, 1e8).time_s(5e-6, 8 / RATE_BPS)
    assert net("all_reduce", (tuple(range(8)),), 1e8) == pytest.approx(ring)
    halves = [net(half, (tuple(range(8)),), 1e8) for half in ("reduce_scatter", "all_gather")]
    assert sum(halves) == pytest.approx(ring)
    assert net("send", ((0, 1),), 1e8) == pytest.approx(5e-6 + 8e8 / RATE_BPS)
    assert net("all_to_all", (tuple(range(8)),), 1e8) == pytest.approx(7 * 5e-6 + 7 / 8 * 8e8 / RATE_BPS)
    assert net("all_reduce", (), 1e8) == 0


def test_within_a_host_the_nic_does_not_matter():
    net = AlphaBeta(RATE_BPS, 5e-6, 8, NODE_BPS, 0.0)
    assert net("all_reduce", ((0, 1, 2, 3),), 1e8) == pytest.approx(2 * 3 / 4 * 8e8 / NODE_BPS)
    across = net("all_reduce", (tuple(range(16)),), 1e8)
    assert across == pytest.approx(2 * 15 / 16 * 8e8 / min(8 * RATE_BPS, NODE_BPS) + 30 * 5e-6)


OPERATIONS = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_star_is_the_closed_form(operation):
    """One switch, a host a device: nothing shares a link but an all_to_all's own flows."""
    net = on("star:hosts=8,rate=100G,latency=0")
    groups = ((0, 1),) if operation == "send" else (tuple(range(8)),)
    assert net(operation, groups, 1e8) == pytest.approx(AlphaBeta(RATE_BPS, 0.0)(operation, groups, 1e8), rel=1e-9)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_within_a_host_both_agree(operation):
    net = on("star:hosts=2,rate=100G,latency=0", devices_per_host=4)
    closed = AlphaBeta(RATE_BPS, 0.0, 4, NODE_BPS, 2e-6)
    groups = ((0, 1), (4, 5)) if operation == "send" else ((0, 1, 2, 3), (4, 5, 6, 7))
    assert net(operation, groups, 1e8) == pytest.approx(closed(operation, groups, 1e8), rel=1e-9)


def test_rings_leave_a_host_by_all_of_its_nics():
    """Four rails, four devices a host: a group over all of them has four rings, one a rail."""
    net = on("rail:groups=1,hosts=4,rails=4,spines=0,rate=100G,latency=0", devices_per_host=4)
    closed = AlphaBeta(RATE_BPS, 0.0, 4, NODE_BPS, 0.0)
    groups = (tuple(range(16)),)
    fast = net("all_reduce", groups, 1e8) - 2 * 15 * 2e-6 * 12 / 16  # the rings' steps within hosts
    assert fast == pytest.approx(closed("all_reduce", groups, 1e8), rel=1e-3)


def test_all_data_groups_share_the_links_at_once():
    """Two leaves, one spine: as many groups cross at once as there are hosts on a leaf, all over one link."""
    net = on("leaf-spine:leaves=2,spines=1,hosts=4,rate=100G,latency=0")
    groups = Parallel(data=2, tensor=4).data_groups()
    alone, together = (net("all_reduce", chosen, 1e8) for chosen in (groups[:1], groups))
    assert alone == pytest.approx(8e8 / RATE_BPS)
    assert together == pytest.approx(4 * alone)


def test_routing_tells():
    pinned, tree = (
        on("leaf-spine:leaves=2,spines=4,hosts=4,rate=100G,latency=0", policy=policy)
        for policy in ("pinned", "spanning-tree")
    )
    groups = Parallel(data=2, tensor=4).data_groups()
    assert tree("all_reduce", groups, 1e8) == pytest.approx(4 * pinned("all_reduce", groups, 1e8))


def test_latency_is_a_step_s():
    net = on("star:hosts=4,rate=100G,latency=1us", turnaround_s=5e-6)
    assert net("all_reduce", ((0, 1, 2, 3),), 0) == pytest.approx(6 * 7e-6)
    assert net("send", ((0, 1),), 0) == pytest.approx(7e-6)
