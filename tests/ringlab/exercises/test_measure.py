"""What exercises measure with, against closed forms and the study's figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectives.algorithms import build
from controller.routing import RoutingError
from ringlab.exercises.measure import ALPHA_S, B, Setup, fabric, link_names, simulate, ways

SMALL = "leaf-spine:leaves=4,spines=2,hosts=2"


@given(st.integers(2, 12), st.integers(1_000, 1_000_000))
def test_a_ring_on_one_switch_is_the_streaming_formula(n, elements):
    nbytes = 4 * n * (elements // n + 1)  # chunks of one size
    found = simulate(Setup.of(f"star:hosts={n}", "ring", n, nbytes), "shortest")
    steps = 2 * (n - 1)
    assert found.time_s == pytest.approx(max(steps * ALPHA_S, steps / n * nbytes * 8 / B) + ALPHA_S)
    assert set(found.link_bytes.values()) == {steps * nbytes // n}


def test_the_fabrics_of_exercises_have_links_of_100_megabits_and_no_latency():
    assert {(link.rate_bps, link.latency_s) for link in fabric(SMALL).links} == {(100_000_000, 0.0)}
    mixed = fabric("ring:switches=8,hosts=1,host_rate=200M,fabric_rate=100M")
    assert {link.rate_bps for link in mixed.links} == {100_000_000, 200_000_000}


@pytest.mark.parametrize(
    ("short_form", "algorithm", "ranks", "hosts", "policy", "share"),
    [
        (SMALL, "ring", 8, "interleaved", "pinned", 1.0),
        (SMALL, "ring", 8, "interleaved", "spanning-tree", 0.5),
        ("leaf-spine:leaves=4,spines=1,hosts=2", "ring", 8, "interleaved", "shortest", 0.5),
        ("leaf-spine:leaves=4,spines=1,hosts=2", "ring", 8, "contiguous", "shortest", 1.0),
    ],
)
def test_the_studys_shares(short_form, algorithm, ranks, hosts, policy, share):
    found = simulate(Setup.of(short_form, algorithm, ranks, 16_000_000, hosts), policy)
    assert found.busbw == pytest.approx(share, abs=2e-3)


@pytest.mark.parametrize("share", [0.5, 0.25, 0.1])
def test_a_slow_link_slows_the_ring(share):
    setup = Setup.of(SMALL, "ring", 8, 16_000_000, "interleaved")
    assert simulate(setup, slow={"leaf2-spine1": share}).busbw == pytest.approx(share, rel=1e-2)


def test_paths_and_functions_route_as_names_do():
    setup = Setup.of(SMALL, "ring", 8, 16_000_000, "interleaved")
    paths = setup.paths("pinned")
    by_function = simulate(setup, lambda fabric, demands: {demand.key: paths[demand.key] for demand in demands})
    assert simulate(setup, paths).time_s == by_function.time_s == simulate(setup, "pinned").time_s


def test_ways_avoid_dead_links():
    setup = Setup.of(SMALL, "ring", 8, 16_000_000, "interleaved")
    key = setup.demands[0].key
    both = ways(setup.fabric, key)
    assert sorted(path.nodes(setup.fabric)[2] for path in both) == ["spine1", "spine2"]
    (left,) = ways(setup.fabric, key, frozenset(["leaf1-spine1"]))
    assert "leaf1-spine1" not in link_names(setup.fabric, left)
    with pytest.raises(RoutingError):
        ways(setup.fabric, key, frozenset(["leaf1-spine1", "leaf1-spine2"]))


def test_a_setup_may_name_the_hosts():
    setup = Setup(fabric(SMALL), build("ring", 2), 4_000, ("h1", "h8"))
    assert {(demand.key.src, demand.key.dst) for demand in setup.demands} == {("h1", "h8"), ("h8", "h1")}
