"""The compiled programs of all ranks, run against each other in memory in random order, do what the schedule says."""

import random
from collections import deque
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.algorithms import OPERATIONS, build, names
from collectives.chunks import chunk_bounds
from collectives.job import demands
from collectives.operations import ALL, Operation
from collectives.program import OUTPUT, Program, compile_program
from collectives.progress import Piece, Progress, Track
from collectives.schedule import Op, Schedule, ScheduleError, Transfer
from collectives.verify import verify

ITEMSIZE = 4


class Rank:
    """One rank: its program, its input, its output (the same array when in place) and its scratch."""

    def __init__(self, program: Program, data: np.ndarray, in_place: bool) -> None:
        self.rank = program.rank
        self.progress = Progress(program)
        self.input = data.copy()
        self.output = self.input if in_place else np.full(program.output_bytes // ITEMSIZE, -(10**6), np.int32)
        scratch = np.full(program.scratch_bytes // ITEMSIZE, -(10**7), np.int32)
        self.bytes = [memoryview(array.view(np.uint8)) for array in (self.output, scratch, self.input)]
        for to, come, size in program.copies:
            self.bytes[OUTPUT][to : to + size] = self.bytes[-1][come : come + size]

    def read(self, piece: Piece, lo: int, hi: int) -> memoryview:
        return self.bytes[-1][lo + piece.shift : hi + piece.shift] if piece.fresh else self.bytes[piece.home][lo:hi]

    def send(self, track: Track, wire: deque[int], room: int) -> bool:
        piece = track.piece
        end = min(piece.limit(), piece.reached + room)
        if end <= piece.reached:
            return False
        wire.extend(self.read(piece, piece.reached, end))
        finish(track, end)
        return True

    def receive(self, track: Track, wire: deque[int], most: int) -> bool:
        piece = track.piece
        size = max(min(piece.limit() - piece.reached, most, len(wire)), 0)
        if piece.reduce:
            size -= size % ITEMSIZE
        if not size:
            return False
        came = np.array([wire.popleft() for _ in range(size)], dtype=np.uint8)
        here = slice(piece.reached, piece.reached + size)
        if piece.reduce:
            kept = np.frombuffer(self.read(piece, here.start, here.stop), np.int32)
            came = (kept + came.view(np.int32)).view(np.uint8)
        self.bytes[piece.home][here] = came.tobytes()
        finish(track, piece.reached + size)
        return True


def finish(track: Track, reached: int) -> None:
    track.piece.reached = reached
    if reached == track.piece.hi:
        track.advance()


def run(schedule: Schedule, inputs: np.ndarray, in_place: bool, rng: random.Random, capacity: int) -> np.ndarray:
    """Every rank's output; lanes move in random order, by random amounts, over wires that hold ``capacity`` bytes."""
    count = inputs.shape[1]
    ranks = [Rank(program(schedule, rank, count), inputs[rank], in_place) for rank in range(schedule.num_ranks)]
    work(ranks, rng, capacity)
    for rank in ranks:
        assert in_place or np.array_equal(rank.input, inputs[rank.rank])
    return np.array([rank.output for rank in ranks])


def work(ranks: list[Rank], rng: random.Random, capacity: int) -> None:
    wires = {}
    moves = []
    for rank in ranks:
        moves += [(rank, track, True) for track in rank.progress.sends]
        moves += [(rank, track, False) for track in rank.progress.receives]
        wires |= {(rank.rank, track.peer, track.channel): deque() for track in rank.progress.sends}
    while moves:
        rng.shuffle(moves)
        moved = False
        for rank, track, sending in moves:
            ends = (rank.rank, track.peer) if sending else (track.peer, rank.rank)
            wire = wires[*ends, track.channel]
            amount = rng.choice((1, 5, 64, 10**6))
            if sending:
                moved |= rank.send(track, wire, min(amount, capacity - len(wire)))
            else:
                moved |= rank.receive(track, wire, max(amount, ITEMSIZE))
        assert moved, "deadlock"
        moves = [move for move in moves if move[1].piece is not None]
    assert not any(wires.values())


@cache
def program(schedule: Schedule, rank: int, count: int) -> Program:
    return compile_program(schedule, rank, count, ITEMSIZE)


def by_steps(schedule: Schedule, inputs: np.ndarray) -> np.ndarray:
    """The meaning of a schedule, in lock step: what each rank holds in the end."""
    held = inputs.copy()
    bounds = chunk_bounds(inputs.shape[1], schedule.num_chunks)
    transfers = list(schedule.transfers())
    for step in range(schedule.num_steps):
        before = held.copy()
        for t in transfers:
            here = slice(bounds[t.chunk], bounds[t.chunk + t.count])
            if t.step == step:
                held[t.dst, here] = before[t.src, here] + (held[t.dst, here] if t.op is Op.REDUCE else 0)
    return held


def inputs_of(num_ranks: int, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1000, 1000, (num_ranks, count), dtype=np.int32)


@st.composite
def schedules(draw) -> Schedule:
    """Any schedule at all, allreduce or not, so long as no chunk is written twice in a step."""
    num_ranks = draw(st.integers(2, 4))
    num_chunks = draw(st.integers(1, 5))
    transfers, taken = [], set()
    for _ in range(draw(st.integers(0, 14))):
        src, dst = draw(st.permutations(range(num_ranks)))[:2]
        chunk = draw(st.integers(0, num_chunks - 1))
        count = draw(st.integers(1, num_chunks - chunk))
        step = draw(st.integers(0, 3))
        places = {(step, dst, c) for c in range(chunk, chunk + count)}
        if not places & taken:
            taken |= places
            op, channel = draw(st.sampled_from(Op)), draw(st.integers(0, 1))
            transfers.append(Transfer(step, src, dst, chunk, op, channel, count))
    return Schedule.from_transfers(num_ranks, num_chunks, transfers)


@settings(max_examples=50, deadline=None)
@given(schedule=schedules(), count=st.integers(0, 23), seed=st.integers(0, 999), in_place=st.booleans())
def test_any_schedule_runs_as_it_reads(schedule, count, seed, in_place):
    inputs = inputs_of(schedule.num_ranks, count, seed)
    rng = random.Random(seed)
    capacity = rng.choice((ITEMSIZE, 16, 10**9))
    assert np.array_equal(run(schedule, inputs, in_place, rng, capacity), by_steps(schedule, inputs))


MADE = [(operation, name) for operation, makers in OPERATIONS.items() for name in makers]


@pytest.mark.parametrize(("operation", "name"), MADE)
@pytest.mark.parametrize("num_ranks", [1, 2, 3, 4, 6, 8])
def test_every_operation_does_what_it_says(operation, name, num_ranks):
    """Whatever the order in which lanes move: every rank ends with its blocks, and keeps its input."""
    try:
        schedule = build(name, num_ranks, 1 + num_ranks % 2, operation=operation, root=num_ranks // 2)
    except ScheduleError:
        pytest.skip("needs a power of two")
    start, end = schedule.operation.ends(num_ranks)
    for count in (0, 3, 50):
        sizes = schedule.operation.block_sizes(num_ranks, count)
        blocks = [np.split(row, np.cumsum(sizes)[:-1]) for row in inputs_of(num_ranks, int(sizes.sum()), count)]
        inputs = [joined(blocks[r][b] for b in range(len(sizes)) if start[b] in (ALL, r)) for r in range(num_ranks)]
        programs = [compile_program(schedule, rank, count, ITEMSIZE) for rank in range(num_ranks)]
        ranks = [Rank(made, mine, in_place=False) for made, mine in zip(programs, inputs, strict=True)]
        work(ranks, random.Random(count), capacity=24)
        for rank in ranks:
            wanted = [b for b in range(len(sizes)) if end[b] in (ALL, rank.rank)]
            results = [sum(row[b] for row in blocks) if start[b] == ALL else blocks[start[b]][b] for b in wanted]
            assert np.array_equal(rank.output, joined(results))
            assert np.array_equal(rank.input, inputs[rank.rank])


def joined(parts) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int32), *parts])


def test_a_ring_needs_scratch_for_two_chunks():
    compiled = compile_program(build("ring", 8, operation="reduce_scatter"), 3, 8000, 4)
    assert (compiled.input_bytes, compiled.output_bytes, compiled.scratch_bytes) == (32000, 4000, 8000)


def test_nobody_sends_what_it_does_not_hold():
    wrong = Schedule.from_transfers(2, 1, [Transfer(0, 1, 0, 0, Op.COPY)]).doing(Operation("broadcast"))
    with pytest.raises(ScheduleError, match="chunk 0 is sent at step 0 by a rank that does not hold it"):
        compile_program(wrong, 1, 4, 4)
    with pytest.raises(ScheduleError, match="rank 1 chunk 0: sent at step 0, and holds nothing"):
        verify(wrong)


SIZES = [(name, n) for name in names() for n in (1, 2, 3, 4, 5, 8) if "ring" in name or n in (1, 2, 4, 8)]


@pytest.mark.parametrize(("name", "num_ranks"), SIZES)
@pytest.mark.parametrize("in_place", [False, True])
def test_allreduce_sums(name, num_ranks, in_place):
    schedule = build(name, num_ranks, channels=2)
    for count in (0, 3, 37):
        inputs = inputs_of(num_ranks, count, 7)
        got = run(schedule, inputs, in_place, random.Random(count), capacity=24)
        assert np.array_equal(got, np.broadcast_to(inputs.sum(axis=0), got.shape))


@pytest.mark.parametrize("name", names())
def test_bytes_are_those_of_the_demands(name):
    schedule = build(name, 8, channels=2)
    for count in (0, 1, 5, 1003):
        hosts = [f"h{rank}" for rank in range(8)]
        expected = {(d.key.src, d.key.dst, d.key.src_port): d.nbytes for d in demands(schedule, hosts, count, 8)}
        sent: dict[tuple[str, str, int], int] = dict.fromkeys(expected, 0)
        received = dict(sent)
        for rank in range(8):
            compiled = compile_program(schedule, rank, count, 8)
            for lane in compiled.sends:
                key = (f"h{rank}", f"h{lane.peer}", 30000 + lane.channel)
                sent[key] += sum(compiled.parts[i].hi - compiled.parts[i].lo for i in lane.parts)
            for lane in compiled.receives:
                key = (f"h{lane.peer}", f"h{rank}", 30000 + lane.channel)
                received[key] += sum(compiled.parts[i].hi - compiled.parts[i].lo for i in lane.parts)
        assert sent == received == expected


def test_a_chunk_is_forwarded_while_it_arrives():
    compiled = compile_program(build("ring", 4), 0, 4000, 4)
    progress = Progress(compiled)
    [out], [into] = progress.sends, progress.receives
    assert out.piece.limit() == out.piece.hi
    finish(out, out.piece.hi)
    assert out.piece.limit() == out.piece.lo
    into.piece.reached += 100
    assert out.piece.limit() == out.piece.lo + 100


def test_sends_keep_the_order_of_steps_across_peers():
    compiled = compile_program(build("halving-doubling", 4), 0, 4000, 4)
    progress = Progress(compiled)
    first, second = sorted(progress.sends, key=lambda track: track.piece.step)
    for track in progress.receives:
        track.piece.reached = track.piece.hi
    assert second.piece.limit() <= second.piece.reached
    first.piece.reached = first.piece.hi
    assert second.piece.limit() == second.piece.hi
