"""What a situation leaves of a link."""

from __future__ import annotations

import pytest

from controller.routing import CLEAR, RoutingError, Situation
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine

FABRIC = leaf_spine(2, 2, 1)
UP, OTHER = Port("leaf1", 2), Port("leaf1", 3)
RATE_BPS = FABRIC.rate_bps(UP)


def test_a_clear_fabric_is_all_alive_and_all_ours():
    assert Situation(frozenset(), {}) == CLEAR
    for port in FABRIC.directed_links():
        assert CLEAR.alive(FABRIC, port)
        assert CLEAR.residual_rate_bps(FABRIC, port) == FABRIC.rate_bps(port)


def test_a_dead_link_carries_nothing_in_either_direction():
    situation = Situation(frozenset({FABRIC.link(UP).name}))
    for port in (UP, FABRIC.peer(UP)):
        assert not situation.alive(FABRIC, port)
        assert situation.residual_rate_bps(FABRIC, port) == 0
    assert situation.alive(FABRIC, OTHER)


def test_a_busy_direction_is_shared_fairly_and_the_other_one_is_free():
    situation = Situation(busy={UP: 1.0, OTHER: 0.25})
    assert situation.residual_rate_bps(FABRIC, UP) == RATE_BPS / 2
    assert situation.residual_rate_bps(FABRIC, OTHER) == RATE_BPS / 1.25
    assert situation.residual_rate_bps(FABRIC, FABRIC.peer(UP)) == RATE_BPS


@pytest.mark.parametrize("share", [-0.1, float("nan")])
def test_a_share_below_nothing_is_refused(share):
    with pytest.raises(RoutingError, match=r"busy share .* of leaf1:2 must be 0 or more"):
        Situation(busy={UP: share})
