"""Programs as people and msccl-tools write them, and the schedules that they are."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.algorithms import build
from collectives.interchange.msccl_document import ProgramError
from collectives.interchange.msccl_reader import read
from collectives.schedule import Op, ScheduleError
from collectives.verify import verify

EXAMPLES = Path(__file__).parents[2] / "examples" / "msccl"


def listed(schedule):
    return sorted((t.step, t.src, t.dst, t.chunk, t.op.name, t.count) for t in schedule.transfers())


def test_what_comes_into_scratch_is_added_where_it_is_added_later():
    """All pairs: three arrivals in scratch, added one after another, are transfers that add, one step after another."""
    schedule = read((EXAMPLES / "allpairs-4.xml").read_text())
    assert (schedule.num_ranks, schedule.num_chunks, schedule.num_steps, len(schedule)) == (4, 4, 4, 24)
    adds = [t for t in schedule.transfers() if t.op is Op.REDUCE]
    assert sorted((t.dst, t.step, t.src) for t in adds if t.dst < 2) == [
        (0, 0, 1), (0, 1, 2), (0, 2, 3), (1, 0, 0), (1, 1, 2), (1, 2, 3)
    ]  # fmt: skip
    assert all(t.chunk == t.dst for t in adds)


def test_an_out_of_place_all_gather_is_that_of_the_registry():
    assert listed(read((EXAMPLES / "ring-allgather-3.xml").read_text())) == listed(
        build("ring", 3, operation="all_gather")
    )


@pytest.mark.parametrize("in_place", [True, False])
def test_an_all_reduce_in_place_and_out_of_place(msccl, in_place):
    out = "i0" if in_place else "o0"
    blocks = [(1 - r, 1 - r, "s i0 s0", f"rrc i0 {out}") for r in (0, 1)]
    assert listed(read(msccl("allreduce", 1, [[block] for block in blocks], in_place=in_place))) == [
        (0, 0, 1, 0, "REDUCE", 1),
        (0, 1, 0, 0, "REDUCE", 1),
    ]


def test_fused_steps_are_two_transfers(msccl):
    """A ring of three on one chunk: s, rrs, rrcs (or rrc and s), then rcs and r."""
    gpus = [[(1, 2, "s i0 i0", "rcs i0 i0")], [(2, 0, "rrs i0 i0", "r i0 i0")], [(0, 1, "rrcs i0 i0")]]
    assert listed(read(msccl("allreduce", 1, gpus))) == [
        (0, 0, 1, 0, "REDUCE", 1), (1, 1, 2, 0, "REDUCE", 1), (2, 2, 0, 0, "COPY", 1), (3, 0, 1, 0, "COPY", 1)
    ]  # fmt: skip


def test_an_input_sent_after_the_output_has_begun_goes_before_it(msccl):
    """Out of place the input stays as it was; in a schedule it must be sent before anything is added."""
    gpus = [
        [(1, 1, "r i0 s0", "cpy i0 o0", "re s0 o0", "s i0 s0")],
        [(0, 0, "s i0 s0", "rrc i0 o0")],
    ]
    assert [t[0] for t in listed(read(msccl("allreduce", 1, gpus, in_place=False)))] == [0, 0]


@pytest.mark.parametrize("in_place", [True, False])
def test_reduce_scatter_buffers(msccl, in_place):
    out = "o0"
    gpus = [[(1 - r, 1 - r, f"s i{1 - r} s0", f"rrc i{r} {out}")] for r in (0, 1)]
    found = listed(read(msccl("reduce_scatter", 2, gpus, in_place=in_place)))
    assert found == [(0, 0, 1, 1, "REDUCE", 1), (0, 1, 0, 0, "REDUCE", 1)]


def test_an_all_gather_in_place_has_its_input_in_the_output(msccl):
    gpus = [[(1 - r, 1 - r, "s i0 o0", f"r o0 o{1 - r}")] for r in (0, 1)]
    assert listed(read(msccl("allgather", 2, gpus))) == listed(build("ring", 2, operation="all_gather"))


def test_an_all_to_all_by_way_of_another_rank(msccl):
    """Rank 0's block for rank 2 goes by rank 1's scratch; two blocks that lie beside each other cross as one."""
    gpus = [
        [(1, 1, "s i1 s0 x2", "r i0 o1"), (-1, 2, "r i0 o2"), (-1, -1, "cpy i0 o0")],
        [(0, 0, "r i1 s0 x2", "s i0 o1 !"), (2, 2, "s s1 o0 <0.1", "s i2 o1", "r i1 o2"),
         (-1, -1, "cpy i1 o1", "cpy s0 o0 <0.1")],
        [(1, 1, "r s1 o0", "r i2 o1", "s i1 o2"), (0, -1, "s i0 o2"), (-1, -1, "cpy i2 o2")],
    ]  # fmt: skip
    schedule = read(msccl("alltoall", 3, gpus, in_place=False))
    assert [t for t in listed(schedule) if t[3] in (1, 2)] == [(0, 0, 1, 1, "COPY", 2), (1, 1, 2, 2, "COPY", 1)]


def test_whole_blocks_are_one_transfer(msccl):
    """Two chunks a rank that always go together are one; where they part, each is its own."""
    gpus = [[(1 - r, 1 - r, "s i0 o0 x2", f"r o0 o{2 * (1 - r)} x2")] for r in (0, 1)]
    assert (read(msccl("allgather", 4, gpus)).num_chunks, len(read(msccl("allgather", 4, gpus)))) == (2, 2)
    gpus[0][0] = (1, 1, "s i0 o0", "s i1 o1", "r o0 o2 x2")
    gpus[1][0] = (0, 0, "s i0 o0 x2", "r o0 o0", "r o1 o1")
    assert (read(msccl("allgather", 4, gpus)).num_chunks, len(read(msccl("allgather", 4, gpus)))) == (4, 4)


def test_chunks_of_one_message_part_where_they_must(msccl):
    """Both chunks come as one; the second may be added only when the answer to the first is there."""
    gpus = [
        [(1, 1, "s i0 s0 x2", "r i0 i0", "r i1 i1")],
        [(0, 0, "r i0 s0 x2", "re s0 i0", "s i0 i0", "re s1 i1", "s i1 i1")],
    ]
    schedule = read(msccl("allreduce", 2, gpus))
    assert schedule.num_chunks == 2
    assert {(t.chunk, t.count) for t in schedule.transfers() if t.op is Op.COPY} == {(0, 1), (1, 1)}


def test_the_order_of_sends_is_kept(msccl):
    """Nothing in the data holds the second send up: the program does."""
    gpus = [
        [(1, -1, "s i0 o0 !"), (2, -1, "s i0 o0 <0.0"), (-1, 1, "r o0 o1"), (-1, 2, "r o0 o2")],
        [(0, -1, "s i0 o1"), (2, -1, "s i0 o1"), (-1, 0, "r o0 o0"), (-1, 2, "r o0 o2")],
        [(0, -1, "s i0 o2"), (1, -1, "s i0 o2"), (-1, 0, "r o0 o0"), (-1, 1, "r o0 o1")],
    ]
    found = {(t.src, t.dst): t.step for t in read(msccl("allgather", 3, gpus)).transfers()}
    assert found == {(0, 1): 0, (0, 2): 1, (1, 0): 0, (1, 2): 0, (2, 0): 0, (2, 1): 0}


@pytest.mark.parametrize(
    ("coll", "gpus", "said"),
    [
        ("broadcast", [[], []], "line 1: no coll 'broadcast' here: there are allreduce, allgather"),
        ("all_reduce", [[], []], "line 1: no coll 'all_reduce' here: did you mean 'allreduce'?"),
        ("allgather", [[], [], []], "line 1: nchunksperloop 2: allgather of 3 ranks takes a multiple of 3"),
        (
            "allreduce",
            [[(1, 1, "s i0 i0 x2", "rrc i0 i0 x2", "s i1 s3")], [(0, 0, "s i0 i0 x2", "rrc i0 i0 x2", "r i1 s3")]],
            "line 6 (gpu 0, tb 0, step 2): gpu 1 needs nothing of the chunk 1 that it sends there: take it out",
        ),
        (
            "allreduce",
            [[(1, 1, "s i0 i0 x2", "r i0 i0 x2")], [(0, 0, "rrc i0 i0 x2", "s i0 i0"), (-1, -1, "nop")]],
            "line 5 (gpu 0, tb 0, step 1): receives 2 chunks, and gpu 1 sends 1",
        ),
    ],
)
def test_what_can_not_be_read_gets_one_line(msccl, coll, gpus, said):
    with pytest.raises(ProgramError) as error:
        read(msccl(coll, 2, gpus))
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_two_versions_of_a_chunk_at_once_are_no_schedule(msccl):
    """Every rank passes on what came as it came, and adds it up beside: all ranks end with the sum, by two versions."""
    gpus = [[((r + 1) % 3, (r - 1) % 3, "s i0 s0", "r i0 s0", "s s0 s1", "r s0 s1", "cpy i0 o0", "re s0 o0",
              "re s1 o0")] for r in range(3)]  # fmt: skip
    with pytest.raises(ProgramError, match="gpu 0, chunk 0: two versions of it are needed at once"):
        read(msccl("allreduce", 1, gpus, in_place=False))


def test_versions_that_wait_for_each_other_are_no_schedule(msccl):
    """Rank 1 must have rank 0's sum before its input, and rank 0 must send its input before it can have the sum."""
    gpus = [
        [(1, 1, "rrc i0 o0", "s o0 s0", "s i0 s1")],
        [(0, 0, "s i0 s0", "r i0 s0", "r i0 s1", "re s1 s0", "cpy s0 o0")],
    ]
    with pytest.raises(ProgramError, match=r"line 11 .* gpu 1 or 0 needs two versions of chunk 0 at once"):
        read(msccl("allreduce", 1, gpus, in_place=False))


def test_a_program_that_does_not_do_what_it_says_is_refused(msccl):
    gpus = [[(1, 1, "s i0 i0", "rrc i0 i0")], [(0, 0, "s i0 i0", "r i0 i0")]]
    with pytest.raises(ScheduleError, match=r"rank 1 chunk 0: never adds ranks \[1\]"):
        read(msccl("allreduce", 1, gpus))


def test_hierarchical_with_sums_in_scratch(msccl):
    """Four ranks in pairs: the pair's sum is made in the input, the other pair's comes to scratch and is added."""

    def gpu(rank):
        near, far = rank ^ 1, rank ^ 2
        return [
            (near, near, "s i0 s0", "r i0 s0", "re s0 i0 !"),
            (far, far, "s i0 s1 <0.2", "r i0 s1", "re s1 i0"),
        ]  # fmt: skip

    schedule = read(msccl("allreduce", 1, [gpu(rank) for rank in range(4)]))
    assert listed(schedule) == listed(build("recursive-doubling", 4))
    verify(schedule)
    assert np.array_equal(schedule.chunk_sizes(10), [10])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_spoilt_program_is_refused_or_still_right(data):
    """Whatever is changed: an error of ours, in one line, or a schedule that is proven."""
    text = (EXAMPLES / data.draw(st.sampled_from(("allpairs-4.xml", "ring-allgather-3.xml")))).read_text()
    for _ in range(data.draw(st.integers(1, 3))):
        found = data.draw(st.sampled_from([*re.finditer(r'(?<=")-?\w+(?=")', text)]))
        new = data.draw(st.sampled_from(("-1", "0", "1", "2", "3", "i", "o", "s", "r", "rrcs", "re", "", "allreduce")))
        text = text[: found.start()] + new + text[found.end() :]
    said = ""
    try:
        verify(read(text))
    except ScheduleError as error:
        said = str(error)
    assert "\n" not in said
