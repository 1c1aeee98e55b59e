"""The GOAL text, run by a small interpreter that knows nothing of schedules."""

import re
from dataclasses import dataclass, field

import pytest

from collectives.algorithms import OPERATIONS, build
from collectives.interchange.goal import write
from collectives.job import demands
from collectives.schedule import Op, Schedule, ScheduleError, Transfer

ITEMSIZE = 4
MADE = [(operation, name) for operation, makers in OPERATIONS.items() for name in makers]


@dataclass
class Line:
    """An operation: ``kind``, bytes or nanoseconds, peer and tag; labels that must be over, or begun, before it."""

    kind: str
    size: int
    peer: int | None = None
    tag: int | None = None
    requires: set[str] = field(default_factory=set)
    irequires: set[str] = field(default_factory=set)


MESSAGE = re.compile(r"(l\d+): (?:(send) (\d+)b to|(recv) (\d+)b from) (\d+) tag (\d+)")
CALC = re.compile(r"(l\d+): (calc) (\d+)")
WAIT = re.compile(r"(l\d+) (i?requires) (l\d+)")


def parse(text):
    """Each rank's operations by label, in the order of lines. A wait may only name labels that stand above it."""
    lines = iter(text.splitlines())
    num_ranks = int(re.fullmatch(r"num_ranks (\d+)", next(lines))[1])
    ranks = {}
    for line in lines:
        if start := re.fullmatch(r"rank (\d+) \{", line):
            operations = ranks.setdefault(int(start[1]), {})
        elif found := MESSAGE.fullmatch(line):
            label, send, put, recv, got, peer, tag = found.groups()
            operations[label] = Line(send or recv, int(put or got), int(peer), int(tag))
        elif found := CALC.fullmatch(line):
            operations[found[1]] = Line("calc", int(found[3]))
        elif found := WAIT.fullmatch(line):
            assert found[1] in operations
            assert found[3] in operations
            getattr(operations[found[1]], found[2]).add(found[3])
        else:
            assert line in ("", "}")
    assert sorted(ranks) == list(range(num_ranks))
    assert all(ranks.values()), "a block may not be empty"
    return ranks


def run(ranks):
    """To the end, with sends that are over only when they are received: the strictest that a simulator may ask for.

    Bytes by pair of ranks.
    """
    begun, over, moved = set(), set(), {}
    todo = [(rank, label) for rank, lines in ranks.items() for label in lines]
    while todo:
        progress = False
        for rank, label in todo:
            line = ranks[rank][label]
            may = {(rank, other) for other in line.requires} <= over
            if (rank, label) not in begun and may and {(rank, other) for other in line.irequires} <= begun:
                begun.add((rank, label))
                progress = True
        for rank, label in todo:
            line = ranks[rank][label]
            if (rank, label) not in begun or line.kind == "recv" or (rank, label) in over:
                continue
            if line.kind == "send":
                [match] = [
                    (line.peer, other) for other, its in ranks[line.peer].items()
                    if (its.kind, its.peer, its.tag) == ("recv", rank, line.tag)
                ]  # fmt: skip
                assert ranks[line.peer][match[1]].size == line.size > 0
                if match not in begun:
                    continue
                assert match not in over
                over.add(match)
                moved[rank, line.peer] = moved.get((rank, line.peer), 0) + line.size
            over.add((rank, label))
            progress = True
        assert progress, f"deadlock: {todo}"
        todo = [one for one in todo if one not in over]
    return moved


@pytest.mark.parametrize(("operation", "name"), MADE)
@pytest.mark.parametrize(("num_ranks", "channels", "count"), [(2, 1, 100), (3, 1, 7), (4, 2, 1003), (8, 1, 3)])
def test_everything_runs_to_the_end_and_moves_the_bytes_of_the_demands(operation, name, num_ranks, channels, count):
    try:
        schedule = build(name, num_ranks, channels, operation=operation)
    except ScheduleError:
        pytest.skip("the algorithm is not made for so many ranks")
    hosts = [f"h{rank}" for rank in range(num_ranks)]
    expected: dict[tuple[int, int], int] = {}
    for demand in demands(schedule, hosts, count, ITEMSIZE):
        pair = int(demand.key.src[1:]), int(demand.key.dst[1:])
        expected[pair] = expected.get(pair, 0) + demand.nbytes
    assert run(parse(write(schedule, count, ITEMSIZE))) == {pair: nbytes for pair, nbytes in expected.items() if nbytes}


def test_an_exchange_in_one_step_waits_for_the_start_only():
    assert write(build("recursive-doubling", 2), 2, ITEMSIZE) == (
        "num_ranks 2\n"
        "\nrank 0 {\nl1: send 8b to 1 tag 0\nl2: recv 8b from 1 tag 0\nl2 irequires l1\n}\n"
        "\nrank 1 {\nl1: send 8b to 0 tag 0\nl2: recv 8b from 0 tag 0\nl2 irequires l1\n}\n"
    )


def test_what_needs_a_sum_waits_for_its_calculation():
    ranks = parse(write(build("ring", 3), 300, ITEMSIZE, reduce_ns_per_byte=0.5))
    for lines in ranks.values():
        assert [line.size for line in lines.values() if line.kind == "calc"] == [200, 200]
        calcs = {label for label, line in lines.items() if line.kind == "calc"}
        assert all(lines[next(iter(lines[label].requires))].kind == "recv" for label in calcs)
        needed = {label for line in lines.values() if line.kind == "send" for label in line.requires & calcs}
        assert needed == calcs
    assert sum(run(ranks).values()) == 3 * 4 * 400


def test_idle_ranks_and_no_bytes_at_all():
    schedule = Schedule.from_transfers(3, 1, [Transfer(0, 0, 1, 0, Op.REDUCE)])
    assert "rank 2 {\nl1: calc 0\n}" in write(schedule, 1, ITEMSIZE)
    assert run(parse(write(schedule, 0, ITEMSIZE))) == {}


def test_a_negative_cost_is_refused():
    for cost in (-1.0, float("nan")):
        with pytest.raises(ScheduleError, match="ns a byte for reducing: 0 or more"):
            write(build("ring", 2), 1, ITEMSIZE, reduce_ns_per_byte=cost)
