"""The search for the largest truthful load, without a machine."""

import pytest

from ringlab.experiments import calibrate


def test_the_rungs_do_not_depend_on_the_limit_that_was_measured():
    low, high = calibrate.ladder(18e9), calibrate.ladder(20e9)
    assert set(low) & set(high) == {rung for rung in low if rung >= 0.08 * 20e9}
    assert low[1] / low[0] == pytest.approx(calibrate.RUNG)


def test_a_very_slow_machine_has_a_rung_too():
    assert calibrate.ladder(1e6) == [8e4]


@pytest.mark.parametrize("highest", range(10))
def test_the_highest_rung_that_holds_is_found_in_few_tries(highest):
    asked = []

    def carries(load_bps: float) -> bool:
        asked.append(load_bps)
        return load_bps <= highest

    assert calibrate._largest([float(rung) for rung in range(10)], carries) == highest
    assert len(asked) <= 4
