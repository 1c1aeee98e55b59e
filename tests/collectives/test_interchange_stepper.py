import json

import pytest

from collectives.algorithms import OPERATIONS, build
from collectives.interchange.stepper import stepper
from collectives.schedule import Op, Schedule, ScheduleError, Transfer
from collectives.verify import verify

MADE = [(operation, name) for operation, makers in OPERATIONS.items() for name in makers]


def shown(data):
    """What a page has on it after each step: tables of ranks and chunks."""
    table = [[tuple(holds) for holds in rank] for rank in data["start"]]
    tables = [table]
    for step in data["steps"]:
        table = [list(rank) for rank in table]
        for one in step["holds"]:
            table[one["rank"]][one["chunk"]] = tuple(one["contributors"])
        tables.append(table)
    return tables


@pytest.mark.parametrize(("operation", "name"), MADE)
@pytest.mark.parametrize("num_ranks", [2, 4, 5])
def test_the_end_is_what_verify_proves(operation, name, num_ranks):
    """Every chunk, wherever it must end, holds each of the ranks where it starts, once; and nobody sends nothing."""
    try:
        schedule = build(name, num_ranks, operation=operation, root=1)
    except ScheduleError:
        pytest.skip("the algorithm is not made for so many ranks")
    verify(schedule)
    data = stepper(schedule)
    assert json.loads(json.dumps(data)) == data
    tables = shown(data)
    for number, chunk in enumerate(data["chunks"]):
        assert all(tables[-1][rank][number] == tuple(chunk["starts"]) for rank in chunk["ends"])
        assert all((rank in chunk["starts"]) == (tables[0][rank][number] == (rank,)) for rank in range(num_ranks))
    for before, step in zip(tables, data["steps"], strict=False):
        assert all(before[one["src"]][chunk] for one in step["transfers"] for chunk in one["chunks"])
    assert sum(len(step["transfers"]) for step in data["steps"]) == len(schedule)


def test_sends_read_what_was_there_before_the_step():
    data = stepper(build("recursive-doubling", 2))
    assert data["steps"] == [
        {
            "step": 0,
            "transfers": [
                {"src": 0, "dst": 1, "chunks": [0], "op": "reduce", "channel": 0},
                {"src": 1, "dst": 0, "chunks": [0], "op": "reduce", "channel": 0},
            ],
            "holds": [
                {"rank": 1, "chunk": 0, "contributors": [0, 1]},
                {"rank": 0, "chunk": 0, "contributors": [0, 1]},
            ],
        }
    ]


def test_a_wrong_schedule_is_shown_as_it_is():
    twice = Schedule.from_transfers(2, 1, [Transfer(step, 0, 1, 0, Op.REDUCE) for step in (0, 2)])
    data = stepper(twice)
    assert [len(step["transfers"]) for step in data["steps"]] == [1, 0, 1]
    assert shown(data)[-1][1][0] == (0, 0, 1)


def test_what_no_page_could_show_is_refused():
    with pytest.raises(ScheduleError, match="256 ranks and 130560 chunks that move are too much to step through"):
        stepper(build("ring", 256))
