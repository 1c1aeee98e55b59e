"""The compiled programs of all ranks, run against each other in memory in random order, do what the schedule says."""

import random
from collections import deque
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.algorithms import build, names
from collectives.chunks import chunk_bounds
from collectives.job import demands
from collectives.program import Program, compile_program
from collectives.progress import Progress, Track
from collectives.schedule import Op, Schedule, Transfer

ITEMSIZE = 4


class Rank:
    """One rank: its program, its input and its output (the same array when in place)."""

    def __init__(self, program: Program, data: np.ndarray, in_place: bool) -> None:
        self.rank = program.rank
        self.progress = Progress(program)
        self.input = data.copy()
        self.output = self.input if in_place else np.full_like(data, -(10**6))
        self.bytes = [memoryview(array.view(np.uint8)) for array in (self.output, self.input)]

    def send(self, track: Track, wire: deque[int], room: int) -> bool:
        piece = track.piece
        end = min(piece.limit(), piece.reached + room)
        if end <= piece.reached:
            return False
        wire.extend(self.bytes[piece.fresh][piece.reached : end])
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
            kept = np.frombuffer(self.bytes[piece.fresh][here], np.int32)
            came = (kept + came.view(np.int32)).view(np.uint8)
        self.bytes[False][here] = came.tobytes()
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
    for rank in ranks:
        if not in_place:
            assert np.array_equal(rank.input, inputs[rank.rank])
            written(schedule, rank, count)
    return np.array([rank.output for rank in ranks])


def written(schedule: Schedule, rank: Rank, count: int) -> None:
    """Where a rank never receives, its output is never written: the caller's input is the result there."""
    bounds = chunk_bounds(count, schedule.num_chunks)
    touched = {c for t in schedule.transfers() if t.dst == rank.rank for c in t.chunks}
    for chunk in set(range(schedule.num_chunks)) - touched:
        here = slice(bounds[chunk], bounds[chunk + 1])
        rank.output[here] = rank.input[here]


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
