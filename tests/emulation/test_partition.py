"""Partition: few links cut, even loads; against closed forms and against every division of small fabrics."""

import itertools

import networkx as nx
import pytest

from emulation.errors import PlanError
from emulation.partition import TOLERANCE, partition
from topologies.fabric import Cable, Fabric
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring

GBPS = 10**9


def from_graph(graph: nx.Graph, hosts_each: int = 1, rate_bps: int = GBPS) -> Fabric:
    """A switch a node, named s0, s1, ... in the graph's order, with hosts at each."""
    switches = {node: f"s{index}" for index, node in enumerate(graph)}
    hosts = [f"h{index}" for index in range(len(switches) * hosts_each)]
    cables = [Cable(host, f"s{index // hosts_each}", rate_bps) for index, host in enumerate(hosts)]
    cables += [Cable(switches[a], switches[b], rate_bps) for a, b in graph.edges]
    return Fabric.cabled("graph", hosts, switches.values(), cables)


def fat_tree(k: int) -> Fabric:
    half = k // 2
    cables, hosts, edges, aggregations = [], [], [], []
    for pod in range(k):
        for edge in range(half):
            edges.append(f"e{pod}-{edge}")
            for host in range(half):
                hosts.append(f"h{pod}-{edge}-{host}")
                cables.append(Cable(hosts[-1], edges[-1], GBPS))
        for up in range(half):
            aggregations.append(f"a{pod}-{up}")
            cables += [Cable(f"e{pod}-{edge}", aggregations[-1], GBPS) for edge in range(half)]
            cables += [Cable(aggregations[-1], f"c{up * half + core}", GBPS) for core in range(half)]
    cores = [f"c{core}" for core in range(half * half)]
    return Fabric.cabled(f"fat-tree {k}", hosts, [*edges, *aggregations, *cores], cables)


def cut_bps(fabric: Fabric, at: dict[str, int]) -> int:
    return sum(link.rate_bps for link in fabric.links if at[link.a.node] != at[link.b.node])


def loads(fabric: Fabric, at: dict[str, int], machines: int) -> list[int]:
    total = [0] * machines
    for switch in fabric.switches:
        total[at[switch]] += sum(fabric.rate_bps(port) for port in fabric.ports(switch))
    return total


@pytest.mark.parametrize(
    ("fabric", "machines", "links_cut"),
    [
        (ring(8, 2), 2, 2),  # two arcs
        (ring(9, 1), 3, 3),
        (leaf_spine(4, 2, 2), 2, 4),  # half of each leaf's uplinks go to the other machine's spine
        (leaf_spine(8, 4, 4), 4, 24),  # three quarters of them
        (fat_tree(4), 2, 8),  # pods stay whole; half of the 16 core links
        (fat_tree(8), 4, 96),  # three quarters of 128
        (from_graph(nx.grid_2d_graph(8, 8)), 2, 8),  # across the middle
        (from_graph(nx.grid_2d_graph(8, 8, periodic=True)), 2, 16),
        (from_graph(nx.barbell_graph(5, 0)), 2, 1),  # the bridge between two cliques
    ],
    ids=lambda value: value.name if isinstance(value, Fabric) else None,
)
def test_the_known_best_cut_is_found_at_even_loads(fabric, machines, links_cut):
    at = partition(fabric, machines)
    assert sum(at[link.a.node] != at[link.b.node] for link in fabric.links) <= links_cut
    found = loads(fabric, at, machines)
    assert max(found) <= (1 + TOLERANCE) * sum(found) / machines + 1


@pytest.mark.parametrize("seed", range(6))
def test_no_halving_of_a_small_fabric_cuts_less_than_ours(seed):
    """Against all 252 halvings of a random fabric of ten switches."""
    fabric = from_graph(nx.random_regular_graph(3, 10, seed))
    at = partition(fabric, 2)
    halves = itertools.combinations(range(10), 5)
    every = ({f"{kind}{n}": int(n in half) for kind in "sh" for n in range(10)} for half in halves)
    assert cut_bps(fabric, at) <= min(cut_bps(fabric, here) for here in every)
    assert max(loads(fabric, at, 2)) <= (1 + TOLERANCE) * sum(loads(fabric, at, 2)) / 2


def test_hosts_go_with_the_switch_of_their_first_nic():
    fabric = Fabric.cabled(
        "rails", ["h1", "h2"], ["s1", "s2"],
        [Cable("h1", "s1", GBPS), Cable("h1", "s2", GBPS), Cable("h2", "s1", GBPS), Cable("h2", "s2", GBPS)],
    )  # fmt: skip
    at = partition(fabric, 2)
    assert at["h1"] == at["h2"] == at["s1"] != at["s2"]


def test_the_users_word_goes_first_and_the_rest_follows():
    fabric = leaf_spine(4, 2, 1)
    at = partition(fabric, 2, {"leaf1": 1, "spine1": 1, "h4": 0})
    assert (at["leaf1"], at["h1"], at["spine1"], at["h4"]) == (1, 1, 1, 0)
    assert len({at[switch] for switch in fabric.switches}) == 2
    assert max(loads(fabric, at, 2)) <= 12 * GBPS * 100


def test_every_machine_gets_work_and_too_many_machines_are_refused():
    fabric = leaf_spine(4, 2, 1)
    assert set(partition(fabric, 6).values()) == set(range(6))
    with pytest.raises(PlanError, match="7 machines for 6 switches"):
        partition(fabric, 7)


def test_a_large_fabric_is_divided_while_one_waits():
    fabric = fat_tree(12)
    at = partition(fabric, 3)
    assert sum(at[link.a.node] != at[link.b.node] for link in fabric.links) <= 12 * 36 * 2 // 3
