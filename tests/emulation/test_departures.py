"""Frames of an ideal link deviate by nothing, and others by as much as they do."""

import pytest

from emulation.departures import Departure, deviations, p99, shaped_bytes

RATE = 100_000_000
MTU = 9000


def ideal(count: int, nbytes: int = 60_000) -> list[Departure]:
    gap_s = 8 * shaped_bytes(nbytes, MTU) / RATE
    return [Departure(number * gap_s, nbytes) for number in range(count)]


def test_a_segmented_frame_is_paid_for_with_all_its_headers():
    assert shaped_bytes(9014, MTU) == 9014
    assert shaped_bytes(66 + 2 * 8948, MTU) == 2 * 9014
    assert shaped_bytes(66 + 8948 + 1, MTU) == 9014 + 67


def test_an_ideal_link_deviates_by_nothing():
    assert max(deviations(ideal(100), RATE, MTU)) == pytest.approx(0, abs=1e-9)
    assert p99(ideal(100), RATE, MTU) == pytest.approx(0, abs=1e-9)


def test_a_gap_is_ideal_for_the_frame_before_it():
    small_s, large_s = (8 * shaped_bytes(nbytes, MTU) / RATE for nbytes in (9000, 60_000))
    seen = [Departure(0, 9000), Departure(small_s, 60_000), Departure(small_s + large_s, 9000)]
    assert deviations(seen, RATE, MTU) == pytest.approx([0, 0], abs=1e-9)


def test_one_late_frame_counts_before_and_after_it():
    seen = ideal(4)
    late = Departure(seen[2].at_s + 0.1 * seen[1].at_s, seen[2].nbytes)
    assert deviations([seen[0], seen[1], late, seen[3]], RATE, MTU) == pytest.approx([0, 0.1, 0.1], abs=1e-9)


def test_a_link_of_another_rate_is_seen():
    assert p99(ideal(100), RATE * 1.1, MTU) == pytest.approx(0.1)


def test_too_few_frames_tell_nothing():
    assert p99(ideal(20), RATE, MTU) is None
    assert p99([], RATE, MTU) is None
