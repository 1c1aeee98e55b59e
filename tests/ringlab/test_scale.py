"""The scale follows from the load, and is a number that a reader can divide by."""

import pytest

from ringlab.experiments import calibrate, scale
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Demand, FlowKey

FABRIC = leaf_spine(2, 2, 2, host_rate_bps=10**10, fabric_rate_bps=10**10)


def flow(src: str, dst: str, nbytes: int) -> Demand:
    return Demand(FlowKey(src, dst, 30000, 20000), (0,), (nbytes,))


@pytest.mark.parametrize(
    ("factor", "rounded"),
    [(0.01, 1), (1, 1), (1.2, 2), (2.1, 2.5), (7, 8), (10.1, 20), (282, 400), (480, 500), (999, 1000)],
)
def test_scales_are_round_and_never_too_small(factor, rounded):
    assert scale.rounded_up(factor) == rounded


def test_load_counts_a_bit_once_per_switch_it_passes():
    near, far = flow("h1", "h2", 1000), flow("h1", "h3", 1000)
    assert scale.load_bps(FABRIC, [near]) == 4 * 10**10
    assert scale.load_bps(FABRIC, [far]) == 3 * 4 * 10**10
    assert scale.load_bps(FABRIC, [near, far]) == 2 * 4 * 10**10
    assert scale.load_bps(FABRIC, []) == 3 * 4 * 10**10


def test_the_scale_keeps_the_load_within_the_budget(monkeypatch):
    measured = calibrate.Calibration(switched_bps=2e9, budget_bps=1e9, machine="")
    monkeypatch.setattr(calibrate, "kept", lambda: measured)
    found = scale.chosen(FABRIC, [flow("h1", "h3", 1)], lambda _: None)
    assert found.factor == 200 >= scale.load_bps(FABRIC, [flow("h1", "h3", 1)]) / 1e9
    assert scale.load_bps(FABRIC, [flow("h1", "h3", 1)]) / found.factor <= measured.budget_bps
    assert "1.0 Gb/s" in found.why


def test_a_calibration_of_another_machine_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(calibrate, "KEPT", tmp_path / "calibration.json")
    assert calibrate.kept() is None
    calibrate.KEPT.write_text('{"switched_bps": 1, "budget_bps": 1, "machine": "another"}')
    assert calibrate.kept() is None
    calibrate.KEPT.write_text("not json")
    assert calibrate.kept() is None
