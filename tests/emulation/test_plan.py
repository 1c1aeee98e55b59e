"""The plan: names, rates, and the exact commands, before anything is made."""

import pytest

from emulation.errors import PlanError
from emulation.plan import MAX_INTERFACE_NAME, OFFLOAD_FRAME, Plan, Settings
from topologies.fabric import Cable, Fabric, Port
from topologies.leaf_spine import leaf_spine

GBPS = 10**9


def small(**settings) -> Plan:
    return Plan(leaf_spine(2, 2, 2), "rtest", Settings(**settings))


def test_rates_are_divided_by_the_scale_and_delays_multiplied():
    fabric = Fabric.cabled(
        "pair", ["h1", "h2"], ["s1"], [Cable("h1", "s1", 100 * GBPS, 1e-6), Cable("h2", "s1", 50 * GBPS, 2e-6)]
    )
    plan = Plan(fabric, "rtest", Settings(scale=500, delays="netem"))
    shapes = [plan.interfaces[port].shape for port in (Port("h1", 1), Port("s1", 2))]
    assert [shape.rate_bps for shape in shapes] == [200_000_000, 100_000_000]
    assert [shape.impairment.delay_s for shape in shapes] == pytest.approx([500e-6, 1000e-6])


def test_without_netem_no_delay_is_claimed():
    assert all(end.shape.impairment.delay_s == 0 for end in small(delays="none").interfaces.values())
    assert "netem" not in small(delays="none").switch_tc()


@pytest.mark.parametrize("rate", [10_000_000, 100_000_000, 10 * GBPS])
def test_queue_and_burst_hold_what_they_must(rate):
    fabric = leaf_spine(2, 2, 1, host_rate_bps=rate, fabric_rate_bps=rate)
    shape = Plan(fabric, "rtest", Settings()).interfaces[Port("leaf1", 1)].shape
    assert shape.queue_bytes >= 2 * OFFLOAD_FRAME, "a queue smaller than a frame drops that frame for ever"
    assert shape.burst_bytes >= rate / 8 * 0.001, "a burst must last one timer tick"
    assert 1000 <= shape.quantum_bytes <= 200_000, "beyond these the kernel warns"


@pytest.mark.parametrize("leaves", [2, 40, 200])
def test_names_fit_the_kernel_and_differ(leaves):
    plan = Plan(leaf_spine(leaves, 10, 1), "rtest")
    names = [plan.bridge(switch) for switch in plan.fabric.switches]
    names += [end.name for end in plan.interfaces.values() if plan.fabric.is_switch(end.port.node)]
    assert max(map(len, names)) <= MAX_INTERFACE_NAME
    assert len(set(names)) == len(names)
    assert all(name.startswith("rtest-") for name in names)


def test_bridges_never_learn_and_carry_our_mark():
    for switch in (plan := small()).fabric.switches:
        args = plan.bridge_transaction(switch, "tcp:127.0.0.1:6653")
        assert "fail_mode=secure" in args
        assert "external_ids:ringlab=rtest" in args
        assert 'target="tcp:127.0.0.1:6653"' in args


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small(scale=0.5), "scale 0.5"),
        (lambda: Plan(leaf_spine(2, 2, 1), "toolong"), "tag 'toolong'"),
    ],
)
def test_what_cannot_be_emulated_is_said_before_it_is_tried(make, message):
    with pytest.raises(PlanError, match=message):
        make()


def test_bfd_is_spoken_between_switches_only():
    assert not any("bfd" in arg for switch in small().switches for arg in small().bridge_transaction(switch, None))
    plan = small(bfd=True)
    for switch in plan.switches:
        args = plan.bridge_transaction(switch, None)
        for port in plan.fabric.ports(switch):
            at = args.index(f"ofport_request={port.number}", args.index(plan.interface_name(port)))
            assert (args[at + 1 : at + 2] == ["bfd:enable=true"]) == plan.fabric.is_switch(plan.fabric.peer(port).node)
