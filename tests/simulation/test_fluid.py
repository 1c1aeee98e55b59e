"""The fluid model against closed forms."""

import pytest

from simulation import fluid
from topologies.fabric import Cable, Fabric, Port
from topologies.traffic import Demand, FlowKey, Path

MTU = 9000
RATE = 100_000_000


@pytest.fixture
def pair() -> Fabric:
    return Fabric.cabled("pair", ["h1", "h2"], ["s1"], [Cable("h1", "s1", RATE), Cable("h2", "s1", RATE)])


def there(steps, step_bytes) -> Demand:
    return Demand(FlowKey("h1", "h2", 30000, 20000), steps, step_bytes)


PATH = Path((Port("h1", 1), Port("s1", 2)))


def test_a_single_flow_takes_its_wire_bytes_over_the_rate(pair):
    flow = there((0,), (1_000_000,))
    time_s = fluid.completion_s([flow], {flow.key: PATH}, pair.rate_bps, mtu=MTU, alpha_s=0.0, relay=False)
    assert time_s == pytest.approx(1_000_000 * 8 / RATE * 9014 / 8948)


def test_flows_on_one_link_add_up_only_where_they_meet_in_time(pair):
    one, two = there((0,), (1000,)), Demand(FlowKey("h1", "h2", 30001, 20000), (1,), (1000,))
    both = Demand(FlowKey("h1", "h2", 30001, 20000), (0,), (1000,))
    paths = {one.key: PATH, two.key: PATH}
    apart = fluid.completion_s([one, two], paths, pair.rate_bps, mtu=MTU, alpha_s=0.001, relay=False)
    together = fluid.completion_s([one, both], paths, pair.rate_bps, mtu=MTU, alpha_s=0.001, relay=False)
    assert apart - together == pytest.approx(0.001)  # the same bytes, one step's latency more


def test_acknowledgements_load_the_way_back(pair):
    flow = there((0,), (1_000_000,))
    paths = {flow.key: PATH, flow.key.reversed(): PATH.reversed(pair)}
    slow_back = {Port("h2", 1): 1e4}

    def time_s(known):
        return fluid.completion_s(
            [flow], known, lambda port: slow_back.get(port, RATE), mtu=MTU, alpha_s=0.0, relay=False
        )

    assert time_s(paths) == pytest.approx(1_000_000 * fluid.acknowledgement_share(MTU) * 8 / 1e4)
    assert time_s({flow.key: PATH}) == pytest.approx(1_000_000 / fluid.payload_share(MTU) * 8 / RATE)


def test_the_slowest_link_decides_each_step(pair):
    flow = there((0, 1), (1000, 3000))
    rates = {Port("h1", 1): 1e6, Port("s1", 2): 2e6}
    time_s = fluid.completion_s([flow], {flow.key: PATH}, rates.__getitem__, mtu=MTU, alpha_s=0.0, relay=False)
    assert time_s == pytest.approx(4000 / fluid.payload_share(MTU) * 8 / 1e6)


@pytest.mark.parametrize(("nbytes", "expected_s"), [(100_000, 3 * 0.0080591), (100, 4 * 0.001)])
def test_in_a_relay_latency_hides_behind_the_bytes_or_the_bytes_behind_latency(pair, nbytes, expected_s):
    flow = there((0, 1, 2), (nbytes,) * 3)
    time_s = fluid.completion_s([flow], {flow.key: PATH}, pair.rate_bps, mtu=MTU, alpha_s=0.001, relay=True)
    assert time_s == pytest.approx(expected_s, abs=0.00101 if nbytes > 1000 else 1e-9)
