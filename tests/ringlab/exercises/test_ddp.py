"""The buckets of exercise 15 are those of PyTorch itself; and its figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringlab.exercises import ddp


def _step_s(limit):
    sizes, ready, now = [layer.nbytes for layer in ddp.LAYERS], ddp.ready_s(), 0.0
    for bucket in ddp.pytorch_buckets(sizes, limit):
        now = max(now, *(ready[number] for number in bucket)) + ddp.sum_s(sum(sizes[number] for number in bucket))
    return now


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 100))
def test_buckets_hold_each_gradient_once_and_are_full_but_the_last(sizes, limit):
    buckets = ddp.pytorch_buckets(sizes, limit)
    assert [number for bucket in buckets for number in bucket] == list(reversed(range(len(sizes))))
    assert all(sum(sizes[number] for number in bucket) >= limit for bucket in buckets[:-1])
    assert all(sum(sizes[number] for number in bucket[:-1]) < limit for bucket in buckets)


@pytest.mark.parametrize("limit", [1, 1_000_000, 25 << 20, 1 << 40])
def test_they_are_pytorchs(limit):
    torch = pytest.importorskip("torch")
    distributed = pytest.importorskip("torch.distributed")
    sizes = [layer.nbytes for layer in ddp.LAYERS]
    backwards = [torch.empty(size // 4, device="meta") for size in reversed(sizes)]
    theirs, _ = distributed._compute_bucket_assignment_by_size(backwards, [limit])
    last = len(sizes) - 1
    assert ddp.pytorch_buckets(sizes, limit) == sorted([[last - n for n in bucket] for bucket in theirs], reverse=True)


def test_the_figures_of_its_readme():
    sizes = [layer.nbytes for layer in ddp.LAYERS]
    assert len(sizes) == 147
    assert sum(sizes) == pytest.approx(391e6, rel=0.01)
    assert pytest.approx(0.222, rel=0.01) == ddp.BACKWARD_S
    wanted = {1 << 40: 441, 1: 558, 8_000_000: 252, 25 << 20: 263}
    assert {limit: round(_step_s(limit) * 1e3) for limit in wanted} == wanted


def test_other_buckets_are_refused():
    for wrong in ([[1, 0]], [[0], [1]], [[1]], [[1], [0], [0]]):
        with pytest.raises(ValueError, match="bucket"):
            ddp.check_buckets(wrong, [8, 8], 8)
    ddp.check_buckets([[1], [0]], [8, 8], 8)
