import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectives.metrics import DTYPES, algbw_GBps, busbw_factor, format_size, parse_size


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [("8", 8), ("1K", 1024), ("64k", 65536), ("1.5M", 1572864), ("2G", 1 << 31), ("32MiB", 1 << 25), (" 1KB ", 1024)],
)
def test_sizes_are_binary(text, nbytes):
    assert parse_size(text) == nbytes


@pytest.mark.parametrize("text", ["", "M", "1T", "-1", "1 2", "0x10", "1e3"])
def test_no_size(text):
    with pytest.raises(ValueError, match="is no size: write bytes or K, M, G"):
        parse_size(text)


@given(st.integers(0, 1 << 50))
def test_sizes_round_trip(nbytes):
    assert parse_size(format_size(nbytes)) == nbytes


def test_short_spellings():
    assert [format_size(n) for n in (0, 8, 1024, 1536 << 10, 1 << 30)] == ["0", "8", "1K", "1536K", "1G"]


def test_bandwidths():
    assert algbw_GBps(2_000_000_000, 0.5) == 4
    assert algbw_GBps(8, 0) == 0
    assert busbw_factor("all_reduce", 4) == 1.5
    assert busbw_factor("all_gather", 4) == 0.75
    assert busbw_factor("broadcast", 4) == 1


def test_types_are_numpys():
    for dtype in DTYPES.values():
        assert np.dtype(dtype.numpy_name).itemsize == dtype.itemsize
