"""The pairs that try a fabric tell every link from every other."""

import pytest

from ringlab.exercises.measure import fabric
from ringlab.exercises.probes import FABRIC, probe_all, trials


def test_each_link_is_crossed_by_a_set_of_pairs_of_its_own():
    seen = [tuple(link.name in trial.links for trial in trials()) for link in fabric(FABRIC).links]
    assert len(set(seen)) == len(seen)
    assert not any(signature == (False,) * len(trials()) for signature in seen)
    assert len(trials()) == 6  # the handbook for teachers says so


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_a_slow_link_is_seen_by_those_that_cross_it_alone(share):
    for probe in probe_all({"leaf3-spine1": share}):
        assert probe.busbw == pytest.approx(share if "leaf3-spine1" in probe.links else 1.0, rel=0.05)
