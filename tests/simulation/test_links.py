"""Links as numbers: what a fabric says of each, and paths as rows."""

import numpy as np
import pytest

from controller.routing import policy
from simulation.fair_share import rates
from simulation.links import Links
from topologies.fabric import Port
from topologies.fat_tree import fat_tree
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey, Path, link_bytes


@pytest.mark.parametrize(
    "fabric", [leaf_spine(3, 2, 2, links=2), fat_tree(4), ring(4, 2)], ids=lambda fabric: fabric.name
)
def test_every_direction_of_every_link_has_one_number(fabric):
    links = Links.of(fabric)
    assert len(links.ports) == len(set(links.ports)) == 2 * len(fabric.links)
    assert [links.number[port] for port in links.ports] == list(range(len(links.ports)))
    assert {fabric.peer(port) for port in links.ports} == set(links.ports)


def test_rates_and_latencies_are_the_fabric_s():
    links = Links.of(
        leaf_spine(2, 2, 2, host_rate_bps=10, fabric_rate_bps=25, host_latency_s=1e-6, fabric_latency_s=5e-6)
    )
    for port in links.ports:
        between = not port.node.startswith("h") and (port.node.startswith("spine") or port.number > 2)
        number = links.number[port]
        assert (links.rate_bps[number], links.latency_s[number]) == ((25, 5e-6) if between else (10, 1e-6))


def test_other_rates_than_the_fabric_s():
    links = Links.of(leaf_spine(2, 2, 2), lambda port: 3.0 if port.node == "leaf1" else 7.0)
    assert {links.rate_bps[links.number[port]] for port in links.ports if port.node == "leaf1"} == {3.0}
    assert {links.rate_bps[links.number[port]] for port in links.ports if port.node != "leaf1"} == {7.0}


def test_rows_are_the_paths_hops_filled_up():
    fabric = leaf_spine(2, 1, 2)
    links = Links.of(fabric)
    near = Path((Port("h1", 1), Port("leaf1", 2)))
    far = Path((Port("h1", 1), Port("leaf1", 3), Port("spine1", 2), Port("leaf2", 1)))
    rows = links.rows([near, far])
    assert rows.shape == (2, 4)
    assert [links.ports[number] for number in rows[0, :2]] == list(near.hops)
    assert rows[0, 2:].tolist() == [-1, -1]
    assert [links.ports[number] for number in rows[1]] == list(far.hops)


def test_no_paths_are_no_rows_and_an_empty_path_is_a_row_without_links():
    links = Links.of(leaf_spine(2, 1, 2))
    assert links.rows([]).shape[0] == 0
    assert (links.rows([Path(())]) == -1).all()
    assert rates(links.rows([Path(())]), links.rate_bps).tolist() == [np.inf]


@pytest.mark.parametrize("name", ["ecmp:seed=3", "pinned", "spanning-tree"])
def test_loads_counted_by_rows_are_the_bytes_per_link_of_the_traffic(name):
    """The same bytes on the same links, to the byte, whoever counts them."""
    fabric = leaf_spine(4, 2, 2)
    demands = [
        Demand(FlowKey(a, b, 30000 + number, 20000), (0, 1), (1000 + number, 7))
        for number, (a, b) in enumerate(zip(fabric.hosts, (*fabric.hosts[3:], *fabric.hosts[:3]), strict=True))
    ]
    paths = policy(name).route(fabric, demands)
    links = Links.of(fabric)
    rows = links.rows(paths[demand.key] for demand in demands)
    there = rows >= 0
    nbytes = np.repeat([demand.nbytes for demand in demands], there.sum(axis=1))
    counted = np.bincount(rows[there], nbytes, len(links.ports))
    assert {port: counted[number] for port, number in links.number.items() if counted[number]} == link_bytes(
        demands, paths
    )
