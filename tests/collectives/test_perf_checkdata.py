import numpy as np
import pytest

from collectives.memory import OPS, divide
from collectives.metrics import DTYPES
from collectives.perf.checkdata import PERIOD, contributions, count_wrong, expected, fill, spoil


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=lambda dtype: dtype.name)
def test_any_order_gives_exactly_what_is_expected(op, dtype):
    """Added up one after another, backwards, and as a tree, in the type itself."""
    kind = dtype.numpy
    for num_ranks in (1, 3, 8, 60):
        parts = list(contributions(op, kind, num_ranks))
        results = [run(parts, op, kind) for run in (in_line, lambda p, o, k: in_line(p[::-1], o, k), as_tree)]
        for result in results:
            if op == "avg":
                divide(result, num_ranks)
            assert np.array_equal(result, expected(op, kind, num_ranks))


def in_line(parts, op, kind):
    total = parts[0].copy()
    for part in parts[1:]:
        OPS[op](total, part, out=total)
    return total


def as_tree(parts, op, kind):
    while len(parts) > 1:
        pairs = [OPS[op](a, b, dtype=kind) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[len(pairs) * 2 :]
    return parts[0].copy()


@pytest.mark.parametrize("op", OPS)
def test_ranks_put_in_different_things(op):
    parts = contributions(op, np.dtype(np.float32), 4)
    assert parts.shape == (4, PERIOD)
    assert len({part.tobytes() for part in parts}) == 4
    wanted = expected(op, np.dtype(np.float32), 4)
    assert all(count_wrong(part, wanted) > PERIOD / 20 for part in parts)


@pytest.mark.parametrize("count", [0, 1, PERIOD - 1, PERIOD, 3 * PERIOD + 7, 70 * PERIOD + 1])
def test_wrong_elements_are_counted(count):
    pattern = expected("sum", np.dtype(np.int32), 3)
    buffer = np.empty(count, np.int32)
    fill(buffer, pattern)
    assert count_wrong(buffer, pattern) == 0
    assert buffer.tolist() == np.resize(pattern, count).tolist()
    spoil(buffer, pattern)
    assert count_wrong(buffer, pattern) == count
    fill(buffer, pattern)
    buffer[::2] += 1
    assert count_wrong(buffer, pattern) == len(buffer[::2])
