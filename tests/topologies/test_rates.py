import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.rates import MAX_RATE_BPS, format_latency, format_rate, parse_latency, parse_rate


@pytest.mark.parametrize(
    ("text", "rate_bps"),
    [
        ("100G", 100 * 10**9),
        ("100Gb/s", 100 * 10**9),
        ("100 Gbit/s", 100 * 10**9),
        ("2.5Gbps", 2_500_000_000),
        ("400Mb/s", 400 * 10**6),
        ("64k", 64_000),
        ("64K", 64_000),
        ("1e9", 10**9),
        ("1000000000.0", 10**9),
        ("1.2T", 1_200_000_000_000),
        (" 7 ", 7),
    ],
)
def test_rates_are_read(text, rate_bps):
    assert parse_rate(text) == rate_bps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fast", "'fast' is not a rate: write one like 100G"),
        ("", "is not a rate"),
        ("-1G", "is not a rate"),
        ("nan", "is not a rate"),
        ("100m", "is not a rate"),
        ("12.5GB/s", r"is in bytes; rates are in bits: write 100Gb/s"),
        ("0", "out of range: above 0, at most 1000T"),
        ("1e999", "out of range"),
        ("1001T", "out of range"),
        ("0.5", "not a whole number of bits"),
    ],
)
def test_what_is_no_rate_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_rate(text)


@settings(deadline=None)
@given(st.integers(1, MAX_RATE_BPS))
def test_a_rate_is_read_back_exactly(rate_bps):
    assert parse_rate(format_rate(rate_bps)) == rate_bps


def test_rates_are_written_short():
    assert [format_rate(rate) for rate in (10**11, 2_500_000_000, 400_000_000, 1_234_567)] == [
        "100G",
        "2.5G",
        "400M",
        "1234.567k",
    ]


@pytest.mark.parametrize(
    ("text", "latency_s"),
    [("1us", 1e-6), ("10 ms", 0.01), ("2.5µs", 2.5e-6), ("3ns", 3e-9), ("1s", 1.0), ("0", 0.0), ("0.0", 0.0)],
)
def test_latencies_are_read(text, latency_s):
    assert parse_latency(text) == latency_s


@pytest.mark.parametrize("text", ["1", "us", "-1us", "1 hour", "inf", ""])
def test_what_is_no_latency_is_refused(text):
    with pytest.raises(ValueError, match="write a number and a unit, like 1us, 10ms or 0"):
        parse_latency(text)


@settings(deadline=None)
@given(st.floats(0, 10))
def test_a_latency_is_read_back_exactly(latency_s):
    assert parse_latency(format_latency(latency_s)) == latency_s


def test_latencies_are_written_short():
    assert [format_latency(x) for x in (0.0, 1e-6, 2.5e-3, 1.0, 5e-10)] == ["0", "1us", "2.5ms", "1s", "0.5ns"]
