"""The verdict follows from what was seen, and from nothing else."""

from dataclasses import replace

import pytest

from emulation.fidelity import Certificate, Observation, Probe, Verdict, judge

SOUND = Observation(
    cpu_idle=0.4,
    switch_lag=0.02,
    lost_in_switch=0,
    retransmitted=10,
    segments_sent=100_000,
    checksum_errors=0,
    log_lines=(),
)


def certificate(
    seen=SOUND, rate=0.99, best=1.0, worst=1.1, fastest=1.0, departures=0.02, wanted=0.0, trips=(5e-4, 5e-4)
) -> Certificate:
    probe = Probe(rate, departures, wanted, trips)
    return Certificate(tuple(judge(seen, probe, {"pinned": best, "ecmp": worst}, fastest)))


def test_a_sound_run_is_valid_and_gives_no_reasons():
    assert certificate().verdict is Verdict.VALID
    assert certificate().reasons == ()


@pytest.mark.parametrize(
    ("change", "verdict", "reason"),
    [
        ({"cpu_idle": 0.07}, Verdict.DOUBTFUL, "7% idle"),
        ({"cpu_idle": 0.0}, Verdict.INVALID, "0% idle"),
        ({"switch_lag": 0.2}, Verdict.DOUBTFUL, "waited 20%"),
        ({"switch_lag": 0.5}, Verdict.INVALID, "waited 50%"),
        ({"lost_in_switch": 1}, Verdict.INVALID, "1 frames were lost"),
        ({"retransmitted": 5_000}, Verdict.DOUBTFUL, "5.00% of TCP segments"),
        ({"retransmitted": 50_000}, Verdict.INVALID, "50.00% of TCP segments"),
        ({"checksum_errors": 1}, Verdict.INVALID, "1 checksum errors"),
        ({"log_lines": ("Dropped packet: Too big",)}, Verdict.INVALID, "Too big"),
    ],
)
def test_each_thing_seen_can_spoil_a_run(change, verdict, reason):
    spoilt = certificate(replace(SOUND, **change))
    assert spoilt.verdict is verdict
    assert reason in spoilt.reasons[0]


def test_where_ranks_poll_idle_time_is_not_judged_and_the_switch_still_is():
    polled = certificate(replace(SOUND, cpu_idle=None))
    assert polled.verdict is Verdict.VALID
    assert "cpu_idle" not in [check.name for check in polled.checks]
    assert certificate(replace(SOUND, cpu_idle=None, switch_lag=0.5)).verdict is Verdict.INVALID


def test_without_predictions_nothing_is_held_against_them():
    probe = Probe(0.99, 0.02, 0.0, (5e-4, 5e-4))
    names = [check.name for check in judge(SOUND, probe, {}, 1.0)]
    assert not {"reach", "laggard", "too_fast"} & set(names)
    assert {"rate", "cpu_idle", "round_trip"} <= set(names)


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ({"rate": 0.95}, Verdict.DOUBTFUL),
        ({"rate": 1.05}, Verdict.DOUBTFUL),
        ({"rate": 0.5}, Verdict.INVALID),
        ({"departures": 0.07}, Verdict.DOUBTFUL),
        ({"departures": 0.9}, Verdict.INVALID),
        ({"departures": None}, Verdict.VALID),
        ({"trips": (5e-4, 5.9e-4)}, Verdict.VALID),
        ({"trips": (5e-4, 6.1e-4)}, Verdict.DOUBTFUL),
        ({"trips": (5e-4, 5e-3)}, Verdict.INVALID),
        ({"wanted": 4e-3, "trips": (4.1e-3, 4.19e-3)}, Verdict.VALID),
        ({"wanted": 4e-3, "trips": (4.3e-3, 4.3e-3)}, Verdict.DOUBTFUL),
        ({"best": 1.2, "worst": 1.2}, Verdict.DOUBTFUL),
        ({"best": 1.3, "worst": 1.3}, Verdict.INVALID),
        ({"worst": 2.5}, Verdict.DOUBTFUL),
        ({"worst": 5.0}, Verdict.INVALID),
        ({"fastest": 0.5}, Verdict.INVALID),
    ],
)
def test_a_fabric_that_is_not_what_it_claims_is_seen(shares, verdict):
    assert certificate(**shares).verdict is verdict


def test_the_worst_check_decides_and_comes_first():
    spoilt = certificate(replace(SOUND, cpu_idle=0.05, checksum_errors=3))
    assert spoilt.verdict is Verdict.INVALID
    assert "checksum" in spoilt.reasons[0]
    assert "idle" in spoilt.reasons[1]


def test_nothing_checked_is_not_valid():
    assert Certificate(()).verdict is Verdict.INVALID
