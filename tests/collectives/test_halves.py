"""16-bit floats combined as if by float32 and one rounding."""

import ml_dtypes
import numpy as np
import pytest

from collectives.halves import BLOCK, widened

ALL_BITS = np.arange(1 << 16, dtype=np.uint16)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("combine", [np.add, np.minimum, np.maximum])
def test_every_value_meets_another(dtype, combine):
    rng = np.random.default_rng(5)
    one = np.concatenate([ALL_BITS, ALL_BITS]).view(dtype)
    other = rng.permuted(one.view(np.uint16)).view(dtype)
    out = np.empty_like(one)
    with np.errstate(all="ignore"):
        widened(combine, out.dtype)(one, other, out=out)
        wanted = combine(one.astype(np.float32), other.astype(np.float32)).astype(dtype)
    numbers = ~np.isnan(wanted.astype(np.float32))
    assert np.array_equal(out.view(np.uint16)[numbers], wanted.view(np.uint16)[numbers])
    assert np.isnan(out.astype(np.float32)[~numbers]).all()
    assert len(one) > BLOCK  # more than one block


@pytest.mark.parametrize("largest", [1.0, 60000.0])
def test_ordinary_halves_round_to_nearest(largest):
    rng = np.random.default_rng(6)
    one, other = (rng.uniform(-largest / 2, largest / 2, 50_000).astype(np.float16) for _ in range(2))
    out = one.copy()
    widened(np.add, out.dtype)(out, other, out=out)  # in place
    assert np.array_equal(out, (one.astype(np.float32) + other.astype(np.float32)).astype(np.float16))
