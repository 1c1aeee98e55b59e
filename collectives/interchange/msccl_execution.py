"""Runs an MSCCL program on symbols: what each message holds, and what is in each cell in the end.

Theory of operation. Thread blocks run side by side, each its steps in order. A step begins when the step that it waits
for is over and, if it receives, when a message is there; sends never wait, as connections have buffers. A *value* is a
chunk and its *leaves*: what the rank had at the start (``OWN``) and numbered chunks that came in messages, in the order
in which they were added. So everything that a rank sends is told in terms of what came to it before.

A program whose result depends on which of two thread blocks is the faster has no meaning: vector clocks (one count of
finished steps a thread block, carried along by waits and messages) prove that all that touches a cell is in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collectives.interchange.msccl_document import STEP_TYPES, Algo, Cell, Gpu, ProgramError, Spot, Step, ThreadBlock
from collectives.interchange.msccl_layout import Layout

OWN = -1
"""The leaf that the rank had itself at the start."""

MOST_CLOCKS = 1 << 26
"""Counts held at once: thread blocks times steps."""

Clock = NDArray[np.int32]
Lane = tuple[int, int, int]
"""Sender, receiver, channel."""


@dataclass(frozen=True, slots=True)
class Value:
    """A sum of contributions to one chunk."""

    chunk: int
    leaves: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What one step sends and another receives. Its chunks are the leaves from ``first`` on, at the receiver.

    ``before``: the message that the same thread block sent before it. ``waited_for``: those sent by thread blocks of
    the same gpu that it waited for.
    """

    lane: Lane
    spot: Spot
    values: tuple[Value, ...]
    first: int
    before: int | None
    waited_for: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Execution:
    """All messages in an order in which they can be sent, and what each rank's output holds in the end."""

    messages: tuple[Message, ...]
    outputs: tuple[tuple[Value, ...], ...]


@dataclass(slots=True)
class _Memory:
    """One cell: what it holds, who wrote it and who has read it since: thread blocks, and how many steps they had."""

    value: Value | None = None
    writer: tuple[int, Step] | None = None
    readers: dict[int, Step] = field(default_factory=dict)


@dataclass(slots=True)
class _Runner:
    """A thread block at work; ``clock[b]`` steps of thread block b are known to be over."""

    number: int
    gpu: Gpu
    block: ThreadBlock
    clock: Clock
    at: int = 0
    sent: int | None = None
    waited_for: list[int] = field(default_factory=list)

    @property
    def step(self) -> Step | None:
        return self.block.steps[self.at] if self.at < len(self.block.steps) else None


def execute(algo: Algo, layout: Layout) -> Execution:
    """ProgramError where a program deadlocks, races, or reads and adds what makes no sense."""
    machine = _Machine(algo, layout)
    machine.run()
    return Execution(tuple(machine.messages), tuple(tuple(machine.output(rank)) for rank in range(layout.num_ranks)))


class _Machine:
    def __init__(self, algo: Algo, layout: Layout) -> None:
        self._layout = layout
        blocks = [(gpu, block) for gpu in algo.gpus for block in gpu.blocks]
        if len(blocks) * sum(len(block.steps) for _, block in blocks) > MOST_CLOCKS:
            raise ProgramError(
                f"line {algo.line}: {len(blocks)} tbs with so many steps: too large a program to be checked"
            )
        self._runners = [
            _Runner(number, gpu, block, np.zeros(len(blocks), dtype=np.int32))
            for number, (gpu, block) in enumerate(blocks)
        ]
        self._by_name = {(one.gpu.id, one.block.id): one for one in self._runners}
        self._cells = [
            {cell: _Memory(Value(chunk, (OWN,))) for cell, chunk in layout.starts(rank)}
            for rank in range(layout.num_ranks)
        ]
        self._wires: dict[Lane, deque[tuple[Message, Clock]]] = {}
        self._over: dict[tuple[int, int, int], Clock] = {}
        self._sent_at: dict[tuple[int, int, int], int] = {}
        self._sleepers: dict[tuple[object, ...], list[_Runner]] = {}
        self._leaves = 0
        self.messages: list[Message] = []

    def run(self) -> None:
        ready = deque(self._runners)
        while ready:
            runner = ready.popleft()
            while (step := runner.step) is not None:
                event = self._lacks(runner, step)
                if event is not None:
                    self._sleepers.setdefault(event, []).append(runner)
                    break
                for happened in self._work(runner, step):
                    ready.extend(self._sleepers.pop(happened, ()))
        self._all_is_done()

    def output(self, rank: int) -> Iterator[Value]:
        for cell, chunk in self._layout.ends(rank):
            memory = self._cells[rank].get(self._layout.memory(rank, cell))
            if memory is None or memory.value is None:
                raise ProgramError(f"gpu {rank}: {cell} holds nothing in the end, chunk {chunk} belongs there: copy it")
            if memory.value.chunk != chunk:
                raise ProgramError(
                    f"gpu {rank}: {cell} holds chunk {memory.value.chunk} in the end, and chunk {chunk} belongs there"
                )
            yield memory.value

    # -- order --------------------------------------------------------------------------
    def _lacks(self, runner: _Runner, step: Step) -> tuple[object, ...] | None:
        """The event that the step still waits for."""
        if step.waits_for is not None:
            awaited = self._awaited(runner, step)
            if awaited not in self._over:
                return awaited
        if STEP_TYPES[step.type].receives and not self._wires.get(lane := _incoming(runner)):
            return ("lane", *lane)
        return None

    def _awaited(self, runner: _Runner, step: Step) -> tuple[int, int, int]:
        """A gpu's thread block tells only of steps that have ``hasdep``: a wait ends with the first from there on."""
        assert step.waits_for is not None
        block, number = step.waits_for
        other = self._by_name.get((runner.gpu.id, block))
        if other is None or not 0 <= number < len(other.block.steps):
            raise ProgramError(f"{step.spot}: waits for tb {block} step {number}, which is not there: mend depid, deps")
        if other is runner:
            raise ProgramError(f"{step.spot}: waits for its own tb, whose steps are in order anyway: take depid out")
        told = next((late.spot.step for late in other.block.steps[number:] if late.awaited), None)
        if told is None:
            raise ProgramError(
                f"{step.spot}: waits for ever for tb {block} step {number}, which tells nobody: "
                f'write hasdep="1" in line {other.block.steps[number].spot.line}'
            )
        return runner.gpu.id, block, told

    def _work(self, runner: _Runner, step: Step) -> Iterator[tuple[object, ...]]:
        """Does the step; the events that others may be waiting for."""
        if step.waits_for is not None:
            self._wait(runner, self._awaited(runner, step))
        does = STEP_TYPES[step.type]
        values = self._received(runner, step) if does.receives else []
        if does.reads:
            values = self._with(step, self._read(runner, step, step.source), values)
        if step.type == "re":
            values = self._with(step, self._read(runner, step, step.target), values)
        if does.writes:
            self._write(runner, step, values)
        runner.at += 1
        runner.clock[runner.number] = runner.at
        if does.sends:
            self._send(runner, step, values)
            yield "lane", *self.messages[-1].lane
        if step.awaited:
            name = (runner.gpu.id, runner.block.id, step.spot.step)
            self._over[name] = runner.clock.copy()
            if does.sends:
                self._sent_at[name] = len(self.messages) - 1
            yield name

    def _wait(self, runner: _Runner, awaited: tuple[int, int, int]) -> None:
        np.maximum(runner.clock, self._over[awaited], out=runner.clock)
        if awaited in self._sent_at:
            runner.waited_for.append(self._sent_at[awaited])

    def _ordered(self, runner: _Runner, step: Step, cell: Cell, other: int, earlier: Step) -> None:
        if runner.clock[other] <= earlier.spot.step and other != runner.number:
            raise ProgramError(
                f"{step.spot}: touches {cell} while tb {earlier.spot.tb} step {earlier.spot.step} may: which comes "
                f'first is chance; write depid="{earlier.spot.tb}" deps="{earlier.spot.step}", and hasdep="1" there'
            )

    def _all_is_done(self) -> None:
        for runner in self._runners:
            if (step := runner.step) is not None:
                raise ProgramError(f"{step.spot}: deadlock: waits for ever for {self._hope(runner, step)}")
        for wire in self._wires.values():
            for message, _ in wire:
                raise ProgramError(
                    f"{message.spot}: what it sends to gpu {message.lane[1]} on channel {message.lane[2]} is never "
                    "received: add an r step there"
                )

    def _hope(self, runner: _Runner, step: Step) -> str:
        """What the step waits for in vain, and what to do."""
        event = self._lacks(runner, step)
        assert event is not None
        if event[0] == "lane":
            return f"gpu {event[1]} to send on channel {event[3]}: add the s step there, or change the order"
        return f"tb {event[1]} step {event[2]}: change the order, or mend depid and deps"

    # -- data ---------------------------------------------------------------------------
    def _received(self, runner: _Runner, step: Step) -> list[Value]:
        message, clock = self._wires[_incoming(runner)].popleft()
        if len(message.values) != step.count:
            raise ProgramError(
                f"{step.spot}: receives {step.count} chunks, and gpu {message.lane[0]} sends {len(message.values)} "
                f"({message.spot}): make cnt the same"
            )
        np.maximum(runner.clock, clock, out=runner.clock)
        return [Value(value.chunk, (message.first + at,)) for at, value in enumerate(message.values)]

    def _send(self, runner: _Runner, step: Step, values: Sequence[Value]) -> None:
        assert runner.block.send is not None
        lane = runner.gpu.id, runner.block.send, runner.block.channel
        message = Message(lane, step.spot, tuple(values), self._leaves, runner.sent, tuple(runner.waited_for))
        runner.sent, runner.waited_for = len(self.messages), []
        self._leaves += len(values)
        self._wires.setdefault(lane, deque()).append((message, runner.clock.copy()))
        self.messages.append(message)

    def _read(self, runner: _Runner, step: Step, first: Cell | None) -> list[Value]:
        values = []
        for cell, memory in self._touched(runner, step, first):
            if memory.value is None:
                raise ProgramError(f"{step.spot}: reads {cell}, which holds nothing yet: put something there first")
            if memory.writer is not None:
                self._ordered(runner, step, cell, *memory.writer)
            memory.readers[runner.number] = step
            values.append(memory.value)
        return values

    def _write(self, runner: _Runner, step: Step, values: Sequence[Value]) -> None:
        for (cell, memory), value in zip(self._touched(runner, step, step.target), values, strict=True):
            for other, earlier in [*memory.readers.items(), *([memory.writer] if memory.writer else [])]:
                self._ordered(runner, step, cell, other, earlier)
            memory.value, memory.writer, memory.readers = value, (runner.number, step), {}

    def _touched(self, runner: _Runner, step: Step, first: Cell | None) -> Iterator[tuple[Cell, _Memory]]:
        """The cells of the step from ``first`` on, as it names them, and what is behind them."""
        assert first is not None
        rank = runner.gpu.id
        scratch = first.buffer == "s"
        size = runner.gpu.scratch_chunks if scratch else self._layout.sizes[first.buffer]
        if first.offset + step.count > size:
            raise ProgramError(
                f"{step.spot}: {step.count} chunks from {first} on: the buffer has {size}; "
                f"mend offset or cnt{', or s_chunks of the gpu' if scratch else ''}"
            )
        for offset in range(first.offset, first.offset + step.count):
            cell = Cell(first.buffer, offset)
            yield cell, self._cells[rank].setdefault(self._layout.memory(rank, cell), _Memory())

    @staticmethod
    def _with(step: Step, ones: Sequence[Value], others: Sequence[Value]) -> list[Value]:
        """Their sums, chunk by chunk; ``ones`` alone where there are no others."""
        if not others:
            return list(ones)
        for one, other in zip(ones, others, strict=True):
            if one.chunk != other.chunk:
                raise ProgramError(f"{step.spot}: adds chunk {other.chunk} to chunk {one.chunk}: mend the offsets")
            if set(one.leaves) & set(other.leaves):
                raise ProgramError(f"{step.spot}: adds the same data to chunk {one.chunk} twice: take one out")
        return [Value(one.chunk, one.leaves + other.leaves) for one, other in zip(ones, others, strict=True)]


def _incoming(runner: _Runner) -> Lane:
    assert runner.block.recv is not None
    return runner.block.recv, runner.gpu.id, runner.block.channel
