import numpy as np
import pytest

from collectives.memory import OPS
from collectives.operations import ALL, Operation
from collectives.perf.checkdata import Expected, contributions, fill
from collectives.perf.kinds import KINDS, kind_of


@pytest.mark.parametrize(
    ("name", "count", "nbytes", "factor"),
    [
        ("all_reduce", 256, 1024, 1.5),
        ("all_gather", 64, 1024, 0.75),
        ("reduce_scatter", 64, 1024, 0.75),
        ("alltoall", 64, 1024, 0.75),
        ("gather", 64, 1024, 0.75),
        ("scatter", 64, 1024, 0.75),
        ("broadcast", 256, 1024, 1),
        ("reduce", 256, 1024, 1),
        ("sendrecv", 256, 1024, 1),
    ],
)
def test_counts_and_factors_are_those_of_nccl_tests(name, count, nbytes, factor):
    kind = KINDS[name]
    assert kind.count(1024, 4, 4) == count
    assert kind.largest(count, 4) * 4 == nbytes
    assert kind.busbw_factor(4) == factor
    assert kind.program == f"{name}_perf"


def test_counts_of_blocks_are_aligned_to_16_bytes():
    assert KINDS["all_gather"].count(1000, 4, 3) == 80  # 83 floats a rank, rounded down to a multiple of 4
    assert KINDS["all_gather"].count(8, 4, 3) == 0
    assert KINDS["all_reduce"].count(1000, 4, 3) == 250


def test_names_that_users_write():
    assert kind_of("all_to_all") is kind_of("alltoall_perf") is kind_of("all-to-all") is KINDS["alltoall"]
    with pytest.raises(KeyError):
        kind_of("nonsense")


@pytest.mark.parametrize("name", KINDS)
def test_expected_data_is_what_the_blocks_say(name):
    """Made here block by block, from the inputs of all ranks; any element moved by one is wrong."""
    kind, num_ranks, dtype = KINDS[name], 3, np.dtype(np.int32)
    count = kind.count(60_000, 4, num_ranks)
    largest = kind.largest(count, num_ranks)
    operation = Operation(kind.operation, root=1 if kind.rooted else 0)
    starts, ends = operation.ends(num_ranks)
    sizes = operation.block_sizes(num_ranks, largest)
    parts = contributions("sum", dtype, num_ranks)
    blocks = {}
    for rank in range(num_ranks):
        mine = np.empty(operation.lengths(num_ranks, rank, largest)[0], dtype)
        fill(mine, parts[rank])
        held = np.flatnonzero((starts == ALL) | (starts == rank))
        for block, data in zip(held, np.split(mine, np.cumsum(sizes[held]))[: len(held)], strict=True):
            blocks.setdefault(int(block), []).append(data)
    for rank in range(num_ranks):
        wanted = [OPS["sum"].reduce(blocks[block]) for block in np.flatnonzero((ends == ALL) | (ends == rank)).tolist()]
        right = np.concatenate([np.empty(0, dtype), *wanted]).astype(dtype)
        expected = Expected(operation, "sum", dtype, num_ranks, rank, largest)
        assert len(right) == operation.lengths(num_ranks, rank, largest)[1]
        assert expected.count_wrong(right) == 0
        if len(right):
            assert expected.count_wrong(np.roll(right, 1)) > len(right) / 2
            expected.spoil(right)
            assert expected.count_wrong(right) == len(right)
