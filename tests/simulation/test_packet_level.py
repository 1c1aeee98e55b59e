"""The flow model against packet-level simulators: completion times, within the errors that were measured.

What is claimed is the time at which the *last* flow ends. Times of single flows are not: NSCC is no max-min fair
transport, and per flow the model is off by 5 to 25 % (mean) there.
"""

import numpy as np
import pytest

from simulation.conditions import SPRAY
from simulation.packet_level import (
    ERRORS,
    PERMUTATION_NBYTES,
    PERMUTATIONS,
    RING_NBYTES,
    RINGS,
    ROCE,
    SHUFFLED_RINGS,
    UEC,
    permutation_s,
    ring_capacity,
    ring_chains,
    sorted_ring_s,
)
from simulation.replay import replay


def name(figure):
    return f"{figure.transport.name}-{figure.hosts}"


def replayed_s(order, spine, figure):
    made = ring_chains(order, spine, RING_NBYTES // figure.hosts, figure.transport)
    return float(replay(made, ring_capacity(figure.hosts), slack_s=1e-9)[1].max())


def test_messages_are_padded_to_whole_packets():
    assert ROCE.padded(256 << 10) == 30 * 9000
    assert UEC.padded(65 * 4086) == 65 * 4086
    assert ROCE.padded(256 << 10) / (256 << 10) == pytest.approx(1.030, abs=5e-4)
    assert UEC.padded(256 << 10) / (256 << 10) == pytest.approx(1.013, abs=5e-4)


@pytest.mark.parametrize("ring", RINGS, ids=name)
def test_sorted_rings_take_what_the_prototype_said(ring):
    assert sorted_ring_s(ring) == pytest.approx(ring.flow_s, rel=2e-4)


@pytest.mark.parametrize("ring", [ring for ring in RINGS if ring.packet_s], ids=name)
def test_sorted_rings_take_what_packets_take(ring):
    """-1.7 to +1.5 %, 16 to 256 hosts, with one set of constants."""
    assert -0.0175 <= sorted_ring_s(ring) / ring.packet_s - 1 <= 0.0155


@pytest.mark.parametrize("ring", [ring for ring in RINGS if ring.hosts <= 64], ids=name)
def test_the_closed_form_is_what_the_replay_says(ring):
    spine = np.zeros((ring.hosts, 2 * ring.hosts - 1), dtype=np.int64)
    assert replayed_s(np.arange(ring.hosts), spine, ring) == pytest.approx(sorted_ring_s(ring), rel=1e-6)


@pytest.mark.parametrize("ring", [ring for ring in SHUFFLED_RINGS if ring.hosts == 16], ids=name)
def test_shuffled_rings_with_collisions_take_what_packets_take(ring):
    """On other ways than htsim's, so the mean of several: -2.8 to -10.8 % on the same ways."""
    random = np.random.default_rng(1)
    found = [replayed_s(random.permutation(16), random.integers(0, 4, (16, 31)), ring) for _ in range(5)]
    middle = sum(ring.packet_s) / 2
    assert -0.16 <= np.mean(found) / middle - 1 <= 0.03


def test_the_fluid_ideal_of_the_permutation():
    """1,346 to 1,355 us, by transport and hops."""
    for transport in (ROCE, UEC):
        assert 1_346e-6 <= permutation_s(PERMUTATION_NBYTES, transport) <= 1_355e-6


@pytest.mark.parametrize("case", PERMUTATIONS, ids=name)
def test_a_whole_number_of_flows_on_the_fullest_link_explains_hashed_permutations(case):
    """The ways that htsim took are not known here, but a hashed flow is whole: the fullest link has 3, 4, 5... of them.

    There must be a number whose completion is off by no more than was measured on the same ways (a tenth of a per cent
    more for rounding). Two neighbours differ by 14 to 33 %: for UEC, most times have none.
    """
    low, high = ERRORS[case.transport.name]
    errors = [permutation_s(case.nbytes, case.transport, load) / case.ecmp_s - 1 for load in range(1, 12)]
    assert any(low - 0.001 <= error <= high + 0.001 for error in errors)


def test_most_times_would_not_be_explained():
    """So that the test above is one: of all times between 2 and 8 ideals, few are where UEC's error allows."""
    low, high = ERRORS["UEC"]
    times = np.linspace(2, 8, 601) * permutation_s(PERMUTATION_NBYTES, UEC)
    loads = np.arange(1, 12)[:, None]
    errors = permutation_s(PERMUTATION_NBYTES, UEC, loads) / times - 1
    assert ((low <= errors) & (errors <= high)).any(axis=0).mean() < 0.3


@pytest.mark.parametrize("case", [case for case in PERMUTATIONS if case.spray_s], ids=name)
def test_spraying_costs_what_the_factor_says(case):
    ideal_s = permutation_s(case.nbytes, case.transport)
    for spray_s in case.spray_s:
        assert 1.13 <= spray_s / ideal_s <= 1.24
        assert ideal_s * SPRAY == pytest.approx(spray_s, rel=0.07)


@pytest.mark.parametrize(
    ("transport", "packet_s", "load"),
    [(UEC, 94.5e-6, 1), (ROCE, 95.6e-6, 1), (UEC, 625.6e-6, 7), (ROCE, 439.0e-6, 5)],
)
def test_one_step_of_a_ring_of_1024_hosts(transport, packet_s, load):
    """Chunks of 1 MiB, sorted (no two flows meet) and shuffled (whole flows on the fullest link)."""
    assert -0.06 <= permutation_s(1 << 20, transport, load) / packet_s - 1 <= 0
