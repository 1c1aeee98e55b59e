from dataclasses import replace
from itertools import groupby

import pytest

from collectives.algorithms import OPERATIONS, build, names
from collectives.operations import ALL, Operation
from collectives.schedule import Op, Schedule, ScheduleError, Transfer
from collectives.verify import verify


def mutants(transfers, num_chunks):
    """Every schedule that differs in one transfer: what was done to it, and the transfers."""
    for index, t in enumerate(transfers):
        others = transfers[:index] + transfers[index + 1 :]
        yield f"dropped {t}", others
        yield f"doubled {t}", [*transfers, t]
        yield f"flipped {t}", [*others, replace(t, op=Op(1 - t.op))]
        moved = (t.chunk + 1) % (num_chunks - t.count + 1)
        if moved != t.chunk:
            yield f"shifted {t}", [*others, replace(t, chunk=moved)]


def really_does(operation, num_ranks, num_chunks, transfers) -> bool:
    """An independent judge: numbers whose sum tells how often each rank was added, one chunk and step at a time.

    What is written twice in one step is no result, as the order would be chance; what a rank does not hold (None) can't
    be sent.
    """
    starts, ends = (side.tolist() for side in operation.ends(num_ranks))
    base = 1 << 12
    held = [
        [base**rank if starts[c % len(starts)] in (ALL, rank) else None for c in range(num_chunks)]
        for rank in range(num_ranks)
    ]
    whole = [sum(filter(None, column)) for column in zip(*held, strict=True)]
    for _, now in groupby(sorted(transfers, key=lambda t: t.step), key=lambda t: t.step):
        before = [chunks.copy() for chunks in held]
        written = set()
        for t in now:
            for c in t.chunks:
                if (t.dst, c) in written or before[t.src][c] is None:
                    return False
                written.add((t.dst, c))
                held[t.dst][c] = before[t.src][c] + ((before[t.dst][c] or 0) if t.op is Op.REDUCE else 0)
    return all(
        chunks[c] == whole[c]
        for rank, chunks in enumerate(held)
        for c in range(num_chunks)
        if ends[c % len(ends)] in (ALL, rank)
    )


@pytest.mark.parametrize(("operation", "name"), [(what, name) for what in OPERATIONS for name in names(what)])
def test_every_mutant_is_caught_or_does_the_operation_all_the_same(operation, name):
    caught = equal = 0
    for num_ranks in (2, 3, 4, 5, 6, 7, 8):
        try:
            schedule = build(name, num_ranks, operation=Operation(operation, root=1, peer=0))
        except ScheduleError:
            continue
        doing = schedule.operation
        for label, transfers in mutants(list(schedule.transfers()), schedule.num_chunks):
            fine = really_does(doing, num_ranks, schedule.num_chunks, transfers)
            try:
                verify(Schedule.from_transfers(num_ranks, schedule.num_chunks, transfers).doing(doing))
            except ScheduleError:
                assert not fine, f"{num_ranks} ranks, {label}: refused, but it is a {doing}"
                caught += 1
            else:
                assert fine, f"{num_ranks} ranks, {label}: passed, but it is none"
                equal += 1
    # Most mutants are wrong: the judge does not just say yes. Where nothing is added, a copy may as well add.
    assert caught > (9 if doing.reduces else 1.5) * equal


def ring_of_three():
    return list(build("ring", 3).transfers())


def refused(transfers, chunks=3):
    with pytest.raises(ScheduleError) as error:
        verify(Schedule.from_transfers(3, chunks, transfers))
    return str(error.value)


def test_a_missing_rank_is_named():
    assert refused(ring_of_three()[1:]) == "rank 0 chunk 0: never adds ranks [0]"


def test_a_rank_added_twice_is_named():
    extra = Transfer(4, 1, 0, 2, Op.REDUCE)
    assert refused([*ring_of_three(), extra]) == "rank 0 chunk 2: adds ranks [0, 1, 2] more than once"


def test_two_writes_in_a_step_are_named():
    both = [Transfer(0, 1, 0, 0, Op.REDUCE), Transfer(0, 2, 0, 0, Op.REDUCE)]
    assert refused(both, 1) == "rank 0 chunk 0: ranks 1 and 2 both write it at step 0"


def test_chunks_are_proven_block_by_block(monkeypatch):
    monkeypatch.setattr("collectives.verify.CELLS", 100)
    verify(build("ring", 7))
    with pytest.raises(ScheduleError, match="rank 2 chunk 6"):
        good = build("ring", 7)
        verify(
            Schedule.from_transfers(7, 7, [t for t in good.transfers() if (t.dst, t.chunk, t.op) != (2, 6, Op.COPY)])
        )


def test_counts_do_not_overflow():
    doubling = [Transfer(step, step % 2, 1 - step % 2, 0, Op.REDUCE) for step in range(200)]
    with pytest.raises(ScheduleError, match="more than once"):
        verify(Schedule.from_transfers(2, 1, doubling))
