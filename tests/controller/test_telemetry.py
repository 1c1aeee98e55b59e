"""Telemetry: totals never fall, rates are of the last interval, and what is hot comes first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.events import CountersRead
from controller.rules import cookie
from controller.telemetry import FlowCounters, GroupCounters, PortCounters, Telemetry
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine

FABRIC = leaf_spine(2, 2, 2, fabric_rate_bps=8000)
UP = Port("leaf1", 3)


def ports(*counters):
    return CountersRead(1, 1, ports=counters)


def test_rates_and_utilisation_are_of_the_last_interval():
    telemetry = Telemetry(FABRIC)
    telemetry.take("leaf1", ports(PortCounters(3, tx_bytes=1000, rx_bytes=50)), 0.0)
    assert (telemetry.ports[UP].total.tx_bytes, telemetry.ports[UP].tx_bps) == (1000, 0)
    telemetry.take("leaf1", ports(PortCounters(3, tx_bytes=1500, rx_bytes=150)), 0.5)
    use = telemetry.ports[UP]
    assert (use.tx_bps, use.rx_bps, use.utilisation) == (8000, 1600, 1.0)
    telemetry.take("leaf1", ports(PortCounters(3, tx_bytes=1500, rx_bytes=150)), 1.0)
    assert telemetry.ports[UP].utilisation == 0
    assert telemetry.told_at("leaf1") == 1.0
    assert telemetry.told_at("leaf2") is None


def test_a_full_wire_is_full_at_any_scale():
    telemetry = Telemetry(FABRIC, scale=8)
    assert telemetry.wire_bps(UP) == 1000
    for now in (0, 1):
        telemetry.take("leaf1", ports(PortCounters(3, tx_bytes=now * 125)), now)
    assert (telemetry.ports[UP].tx_bps, telemetry.ports[UP].utilisation) == (1000, 1.0)


@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), min_size=1))
def test_totals_are_what_was_counted_however_often_the_switch_starts_anew(steps):
    telemetry, counted, total = Telemetry(FABRIC), 0, 0
    for number, (grown, restarts) in enumerate(steps):
        before, counted = counted, grown if restarts else counted + grown
        total += grown if counted < before or not restarts else counted - before  # a start that can't be seen
        told = CountersRead(
            1, 1, (PortCounters(3, tx_bytes=counted),), (FlowCounters(cookie(5, 1, 1, True), 0, counted),)
        )
        telemetry.take("leaf1", told, number)
        assert telemetry.ports[UP].total.tx_bytes == total
        assert telemetry.jobs[5].nbytes == total


def test_jobs_are_sums_over_switches_and_resident_rules_are_nobodys():
    telemetry = Telemetry(FABRIC)
    for now, nbytes in [(0.0, 100), (1.0, 300)]:
        for switch in ("leaf1", "leaf2"):
            flows = [FlowCounters(cookie(5, 4, flow, True), nbytes // 10, nbytes) for flow in (1, 2)]
            telemetry.take(switch, CountersRead(1, 1, flows=[*flows, FlowCounters(cookie(), 9, 9)]), now)
    assert set(telemetry.jobs) == {5}
    use = telemetry.jobs[5]
    assert (use.nbytes, use.packets, use.bps) == (1200, 120, 8 * 800)


def test_a_rule_that_is_gone_and_comes_again_counts_from_zero():
    telemetry = Telemetry(FABRIC)
    one, another = (FlowCounters(cookie(5, 4, flow, True), 10, 100) for flow in (1, 2))
    for now, flows in enumerate([[one], [another], [one]]):
        telemetry.take("leaf1", CountersRead(1, 1, flows=flows), now)
    assert telemetry.jobs[5].nbytes == 300


def test_the_last_flow_of_a_job_takes_its_rate_along():
    telemetry = Telemetry(FABRIC)
    for now, nbytes in [(0, 100), (1, 200)]:
        telemetry.take(
            "leaf1", CountersRead(1, 1, ports=[], flows=[FlowCounters(cookie(5, 4, 1, True), 1, nbytes)]), now
        )
    assert telemetry.jobs[5].bps == 800
    telemetry.take("leaf1", CountersRead(1, 1, ports=[PortCounters(3)], flows=[]), 2)
    assert telemetry.jobs[5].bps == 0


def test_detours_are_packets_of_all_buckets_but_the_first():
    telemetry = Telemetry(FABRIC)
    for packets in [(10, 0), (20, 3), (20, 7), (1, 1)]:  # the last: put in anew
        telemetry.take("leaf1", CountersRead(1, 1, groups=[GroupCounters(7, packets)]), 0.0)
    assert telemetry.detours == {"leaf1": 8}


def test_hot_links_lie_between_switches_and_strange_ports_are_left_out():
    telemetry = Telemetry(FABRIC)
    for now in (0, 1):
        told = [PortCounters(number, tx_bytes=now * rate) for number, rate in [(1, 900), (3, 100), (4, 200), (99, 1)]]
        telemetry.take("leaf1", ports(*told), now)
    assert [port for port, _ in telemetry.hot(5)] == [Port("leaf1", 4), UP]
    assert telemetry.hot(1)[0][1].utilisation == pytest.approx(0.2)
    assert Port("leaf1", 99) not in telemetry.ports
