"""GOAL as others and as our own writer write it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.algorithms import OPERATIONS, build
from collectives.interchange.goal import write
from collectives.interchange.goal_reader import read
from collectives.interchange.trace import Calculation, Receive, Send, TraceError
from collectives.schedule import ScheduleError

PAIR = """\
num_ranks 2

rank 0 {
l1: calc 100 cpu 1
l2: send 10b to 1 tag 5 cpu 0 nic 1
l2 requires l1
send 3b to 1
}
/* the other
   rank */
rank 1 {  // receives
l1: recv 10b from 0 tag 5
l2: recv 4b from 0
l2 irequires l1
}
"""


def test_both_ranks_are_read_with_what_waits_for_what():
    trace = read(PAIR, "f")
    assert trace.ranks == (
        (
            Calculation(place="f:4", duration_s=pytest.approx(100e-9)),
            Send(place="f:5", peer=1, nbytes=10, tag=5, after=(0,)),
            Send(place="f:7", peer=1, nbytes=3),
        ),
        (Receive(place="f:12", peer=0, nbytes=10, tag=5), Receive(place="f:13", peer=0, nbytes=4, beside=(0,))),
    )
    assert [note.split(";")[0] for note in trace.notes] == [
        "f: cpu of 2 operations was left out", "f: nic of 1 operations was left out",
    ]  # fmt: skip


@pytest.mark.parametrize(("operation", "name"), [(op, name) for op, makers in OPERATIONS.items() for name in makers])
def test_what_our_writer_writes_is_read(operation, name):
    try:
        schedule = build(name, 4, operation=operation)
    except ScheduleError:
        pytest.skip("the algorithm is not made for so many ranks")
    text = write(schedule, 100, 4, reduce_ns_per_byte=0.25)
    trace = read(text)
    assert not trace.notes
    for rank, operations in enumerate(trace.ranks):
        block = text.split(f"rank {rank} {{\n")[1].split("}")[0]
        assert sum(len(one.after) for one in operations) == block.count(" requires ")
        assert sum(len(one.beside) for one in operations) == block.count(" irequires ")
        assert sum(isinstance(one, Send) for one in operations) == block.count(": send ")
        assert sum(one.nbytes for one in operations if isinstance(one, Receive)) == sum(
            int(line.split()[2][:-1]) for line in block.splitlines() if ": recv " in line
        )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("num_ranks 2", "num_ranks two"), "f:1: 'num_ranks two' stands in no rank's block"),
        (("num_ranks 2", "num_ranks 0"), "f:1: num_ranks 0 is out of range"),
        (("num_ranks 2", "num_ranks 3"), "f:1: rank 2 of 3 has no block; write rank 2 { ... }"),
        (("num_ranks 2\n", "num_ranks 2\nnum_ranks 2\n"), "f:2: num_ranks is given twice"),
        (("num_ranks 2", "num_ranks 1"), "f:5: rank 1: there are 1, from 0; name one of them"),
        (("rank 1 {", "rank 0 {"), "f:11: rank 0 has a block already"),
        (("rank 1 {", "rank 7 {"), "f:11: rank 7: there are 2, from 0"),
        (("from 0 tag 5", "from 0 tag five"), "f:12: 'l1: recv 10b from 0 tag five' is no operation; write l1: send"),
        (("recv 10b from 0", "recv 10b to 0"), "f:12: recv to: write send ... to, recv ... from"),
        (("from 0 tag 5", "from -1 tag 5"), "f:12: -1, any rank or any tag, depends on who is first"),
        (("from 0 tag 5", "from 0 tag -1"), "f:12: -1, any rank or any tag, depends on who is first"),
        (("l2 requires l1", "l2 requires l3"), "f:6: no label l3 above"),
        (("l2: send", "l1: send"), "f:5: label l1 is taken"),
        (("irequires l1\n}", "irequires l1"), "f:11: the block of rank 1 has no end; close it with }"),
    ],
)
def test_what_does_not_fit_is_named_with_its_line(change, said):
    with pytest.raises(TraceError) as caught:
        read(PAIR.replace(*change), "f")
    assert str(caught.value).startswith(said)


def _read_or_refused(text):
    try:
        read(text, "f")
    except TraceError as error:
        return str(error)
    return "f:"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_in_a_clean_line(data):
    text = PAIR
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.sampled_from([0, 1, 2, 5, 30])))
        pieces = ["", text[start:end] * 2, "-1", "}", "{", "/*", "*/", "requires", "rank 0 {", "9" * 30, "\n", "b"]
        text = text[:start] + data.draw(st.one_of(st.text(max_size=4), st.sampled_from(pieces))) + text[end:]
    said = _read_or_refused(text)
    assert said.startswith("f:")
    assert "\n" not in said
