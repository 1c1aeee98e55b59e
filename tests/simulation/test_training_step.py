"""A step's parts: the bubble, memory by stage of sharding, what overlaps, and degrees that do not fit."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.training.device import DeviceError, device
from simulation.training.memory import activation_bytes, held, memory, states
from simulation.training.model import megatron, preset
from simulation.training.overlap import exposed_after, exposed_before
from simulation.training.parallel import Parallel, ParallelError
from simulation.training.step import Job, step

SMALL = megatron("small", 8, 512, 8)


def silent(operation, groups, nbytes):
    return 0.0


def by_the_byte(operation, groups, nbytes):
    return nbytes * 1e-9


class Told:
    """Remembers what was asked."""

    def __init__(self):
        self.calls = []

    def __call__(self, operation, groups, nbytes):
        self.calls.append((operation, groups, nbytes))
        return 1e-3


def job(batch=8, model=SMALL, bucket_bytes=1e6, **degrees):
    return Job(model, device("a100"), Parallel(**degrees), batch, bucket_bytes)


@pytest.mark.parametrize(("p", "m", "v"), [(2, 4, 1), (4, 8, 1), (8, 8, 1), (4, 8, 2), (2, 16, 4)])
def test_the_bubble_is_megatron_s(p, m, v):
    """(p - 1) / (v m) of the work: arXiv 2104.04473, section 2.2; of inner stages, which have no output matrix."""
    bare = replace(SMALL, vocabulary=1, sequence=2048)
    found = step(job(m, replace(bare, vocabulary=0), pipeline=p, interleave=v), silent)
    assert found.bubble_s / (found.matmul_s + found.traffic_s) == pytest.approx((p - 1) / (v * m), rel=1e-9)


def test_parts_add_up_to_the_step():
    found = step(job(16, data=2, tensor=2, pipeline=2, zero=1), by_the_byte)
    parts = found.matmul_s + found.traffic_s + found.optimizer_s + found.bubble_s + sum(found.exposed_s.values())
    assert found.step_s == pytest.approx(parts)
    assert 0 < found.mfu < found.hfu < 1
    assert found.mfu == pytest.approx(SMALL.token_flops * found.tokens / (8 * 312e12 * found.step_s))


def test_zero_s_own_example():
    """7.5 B parameters on 64 devices: 120, 31.4, 16.6 and 1.9 GB (arXiv 1910.02054, figure 1)."""
    totals = [states(7.5e9, 64, zero).total / 1e9 for zero in (0, 1, 2, 3)]
    assert totals == pytest.approx([120, 31.4, 16.6, 1.9], abs=0.06)


def test_sharding_spares_memory_and_costs_bytes():
    plain, one, two, three = (step(job(16, data=4, zero=zero, overlap=False), by_the_byte) for zero in (0, 1, 2, 3))
    assert plain.memory.total > one.memory.total > two.memory.total > three.memory.total
    assert one.communication_s["parameters"] > 0 == plain.communication_s["parameters"]
    # four micro-batches: gradients scattered in each; parameters gathered in each forward and each backward
    assert two.communication_s["gradients"] == pytest.approx(4 * one.communication_s["gradients"])
    assert three.communication_s["parameters"] == pytest.approx(8 * one.communication_s["parameters"])


def test_the_ranks_of_a_pipeline_hold_the_model_once():
    model = preset("gpt3-175b")
    parallel = Parallel(tensor=8, pipeline=12)
    inside = 12 * 8 * held(model, parallel, 5).dense
    ends = 8 * (held(model, parallel, 0).dense + held(model, parallel, 11).dense - 2 * held(model, parallel, 5).dense)
    copied = model.hidden * model.vocabulary  # of the tied output, at the last stage
    assert inside + ends == pytest.approx(model.parameters + copied, rel=1e-9)


def test_activations_in_flight():
    """One forward, one backward: the first stage keeps p micro-batches, whatever their number; the last but one."""
    first, last = (activation_bytes(replace(SMALL, vocabulary=0), Parallel(pipeline=4), 16, stage) for stage in (0, 3))
    assert first == pytest.approx(4 * last)
    few = activation_bytes(SMALL, Parallel(pipeline=4), 2, 0)
    assert few == pytest.approx(first / 2)
    interleaved = activation_bytes(SMALL, Parallel(pipeline=4, interleave=2), 16, 0)
    assert interleaved == pytest.approx(first * (1 + 3 / 8))
    assert memory(SMALL, Parallel(pipeline=4), 16).total > 0


@given(st.floats(0, 10), st.integers(1, 60), st.floats(0, 1))
def test_what_sticks_out(work_s, buckets, bucket_s):
    """At least the last bucket, or what the network needs beyond the work; at most all of it. Either way alike."""
    total_s = buckets * bucket_s
    for exposed_s in (exposed_after(work_s, buckets, bucket_s), exposed_before(work_s, buckets, bucket_s)):
        assert exposed_s >= max(bucket_s, total_s - work_s) - 1e-9
        assert exposed_s <= total_s + 1e-9
        assert exposed_s == pytest.approx(max(bucket_s, total_s - work_s * (buckets - 1) / buckets), abs=1e-9)


def test_buckets_hide_gradients():
    whole, small = (step(job(8, data=8, bucket_bytes=size), by_the_byte) for size in (1e12, 1e6))
    alone = step(job(8, data=8, bucket_bytes=1e6, overlap=False), by_the_byte)
    assert small.exposed_s["gradients"] < whole.exposed_s["gradients"]
    assert whole.exposed_s["gradients"] == pytest.approx(alone.exposed_s["gradients"])
    assert small.communication_s["gradients"] == pytest.approx(whole.communication_s["gradients"])


def test_what_is_asked_of_the_network():
    told = Told()
    step(job(8, data=2, tensor=2, pipeline=2), told)
    grid = Parallel(data=2, tensor=2, pipeline=2)
    asked = {(operation, groups) for operation, groups, _ in told.calls}
    assert asked == {
        ("all_reduce", grid.tensor_groups()),
        ("send", grid.stage_pairs()),
        ("all_gather", grid.tensor_groups()),
        ("all_reduce", grid.data_groups()),
    }
    values = 2 * 2048 * 512
    assert {nbytes for operation, _, nbytes in told.calls if operation == "send"} == {values / 2}
    assert ("all_reduce", grid.tensor_groups(), values) in told.calls


def test_tensor_groups_speak_four_times_a_layer_and_six_if_computed_again():
    told = Told()
    plain = step(job(4, tensor=2), told)
    again = step(job(4, tensor=2, recompute="full"), told)
    assert plain.exposed_s["tensor"] == pytest.approx(4 * 8 * 4 * 1e-3)
    assert again.exposed_s["tensor"] == pytest.approx(6 * 8 * 4 * 1e-3)
    assert again.hfu / again.mfu == pytest.approx(4 / 3, rel=0.2)


def test_experts_deal_out_tokens():
    model = replace(SMALL, experts=4, active_experts=2)
    told = Told()
    found = step(job(8, model, data=8, expert=4), told)
    assert found.exposed_s["expert"] == pytest.approx(4 * 8 * 1e-3)
    (nbytes,) = {nbytes for operation, _, nbytes in told.calls if operation == "all_to_all"}
    assert nbytes == 2 * 2 * 2048 * 512
    dealt, whole = (held(model, Parallel(data=8, expert=expert), 0).experts for expert in (4, 1))
    assert whole == 4 * dealt == 8 * 4 * model.expert_parameters


def test_groups():
    grid = Parallel(data=4, tensor=2, pipeline=2, expert=2)
    assert (0, 1) in grid.tensor_groups()
    assert (0, 2, 4, 6) in grid.data_groups()
    assert (0, 2) in grid.expert_groups()
    assert (4, 6) in grid.expert_groups()
    assert (0, 4) in grid.expert_data_groups()
    assert (0, 8) in grid.stage_pairs()
    assert len(grid.stage_pairs()) == 8
    assert (0, 1, 2, 3) in replace(grid, order=("data", "tensor", "pipeline")).data_groups()
    assert Parallel(data=4).tensor_groups() == ()


@given(st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 3]), st.sampled_from([1, 2, 5]), st.permutations(
    ["tensor", "data", "pipeline"]
))  # fmt: skip
def test_every_rank_is_in_one_group_of_each_kind(data, tensor, pipeline, order):
    grid = Parallel(data=data, tensor=tensor, pipeline=pipeline, order=tuple(order))
    for degree, groups in ((tensor, grid.tensor_groups()), (data, grid.data_groups())):
        ranks = [rank for group in groups for rank in group]
        assert sorted(ranks) == (list(range(grid.devices)) if degree > 1 else [])


WRONG = {
    "tensor": ({"tensor": 3, "data": 1}, "tensor: 3 does not divide small's 8 heads; take a divisor"),
    "pipeline": ({"pipeline": 9}, "pipeline: 9 stages of 8 layers; take at most as many"),
    "pieces": ({"pipeline": 4, "interleave": 3}, "interleave: 3 pieces of a stage's 2 layers; take at most as many"),
    "one stage": ({"interleave": 2}, "interleave: 2 pieces of one stage"),
    "micro-batches": (
        {"pipeline": 4, "interleave": 2, "micro_batch": 4},
        "interleave: 2 micro-batches are no multiple of",
    ),
    "expert": ({"expert": 2, "data": 2}, "expert: 2 does not divide small's 1 experts"),
    "batch": ({"data": 3}, "batch: 8 samples are no multiple of 3, data times micro_batch"),
    "zero": ({"zero": 4}, "zero: 4 is no stage; write 0, 1, 2 or 3"),
    "zero and stages": ({"zero": 3, "pipeline": 2}, "zero: 3 gathers every stage's parameters in each micro-batch"),
    "recompute": ({"recompute": "some"}, "recompute: no 'some'; there are none, selective, full"),
    "order": ({"order": ("data",)}, "order: data: name each of tensor, data, pipeline once"),
    "nothing": ({"data": 0}, "data: 0 is too few; give at least 1"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_degrees_that_do_not_fit(wrong):
    degrees, words = WRONG[wrong]
    with pytest.raises(ParallelError) as caught:
        step(job(8, **degrees), silent)
    assert str(caught.value).startswith(words)


def test_an_unknown_device():
    with pytest.raises(DeviceError, match="no device 'h10'; did you mean 'h100'"):
        device("h10")
