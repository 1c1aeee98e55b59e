import pytest

from collectives.interchange.msccl_document import ProgramError, parse
from collectives.interchange.msccl_execution import OWN, Value, execute
from collectives.interchange.msccl_layout import Layout
from collectives.operations import Operation

EXCHANGE = "s i0 s0", "rrc i0 i0"
"""Of one chunk between two ranks: both end with the sum."""


@pytest.fixture
def run(msccl):
    def one(gpus, num_chunks=1, *, in_place=True, scratch=4):
        algo = parse(msccl("allreduce", num_chunks, gpus, in_place=in_place, scratch=scratch))
        return execute(algo, Layout(Operation("all_reduce"), len(gpus), num_chunks, in_place))

    return one


def test_values_are_told_by_what_came(run):
    found = run([[(1, 1, *EXCHANGE)], [(0, 0, *EXCHANGE)]])
    assert [(message.lane, message.values, message.first) for message in found.messages] == [
        ((0, 1, 0), (Value(0, (OWN,)),), 0),
        ((1, 0, 0), (Value(0, (OWN,)),), 1),
    ]
    assert found.outputs == ((Value(0, (OWN, 1)),), (Value(0, (OWN, 0)),))


def test_every_step_type(run):
    """A chain of three that adds up, and comes back: s, rrs, rrc, cpy, then s, rcs, r; re and nop at the ends."""
    first = (1, 1, "s i0 s0", "nop i0 o0 <1.0", "r i0 o0")
    middle = (2, 0, "rrs i0 s0")
    back = (0, 2, "rcs o0 o0")
    last = (1, 1, "r i0 s0", "re i0 s0", "cpy s0 o0", "s s0 o0")
    found = run([[first, (-1, -1, "cpy i0 s3 !")], [middle, back], [last]], in_place=False)
    assert [message.values for message in found.messages] == [
        (Value(0, (OWN,)),),
        (Value(0, (OWN, 0)),),
        (Value(0, (1, OWN)),),
        (Value(0, (2,)),),
    ]
    assert found.outputs == ((Value(0, (3,)),), (Value(0, (2,)),), (Value(0, (1, OWN)),))


def test_rrcs_keeps_and_sends_what_it_added(run):
    found = run([[(1, 1, "s i0 i0", "r i0 i0")], [(0, 0, "rrcs i0 i0")]])
    assert found.outputs == ((Value(0, (1,)),), (Value(0, (OWN, 0)),))


def test_sends_know_what_was_sent_before(run):
    found = run([[(1, -1, "s i0 i0", "s i1 i1 !"), (2, -1, "s i0 i0 <0.1")], [(-1, 0, "rrc i0 i0", "rrc i1 i1")],
                 [(-1, 0, "rrc i0 i0")]], 2)  # fmt: skip
    assert [(message.before, message.waited_for) for message in found.messages] == [(None, ()), (0, ()), (None, (1,))]


@pytest.mark.parametrize(
    ("gpus", "said"),
    [
        ([[(1, 1, "r i0 i0", "s i0 i0")], [(0, 0, "r i0 i0", "s i0 i0")]],
         r"line 4 \(gpu 0, tb 0, step 0\): deadlock: waits for ever for gpu 1 to send on channel 0: add the s step"),
        ([[(-1, -1, "nop i0 i0 <1.0 !"), (-1, -1, "nop i0 i0 <0.0 !")], []],
         r"step 0\): deadlock: waits for ever for tb 1 step 0: change the order"),
        ([[(-1, -1, "nop i0 i0 <1.0"), (-1, -1, "nop")], []],
         r'waits for ever for tb 1 step 0, which tells nobody: write hasdep="1" in line 7'),
        ([[(-1, -1, "nop i0 i0 <3.0")], []], "waits for tb 3 step 0, which is not there: mend depid, deps"),
        ([[(-1, -1, "nop i0 i0 <0.0 !")], []], "waits for its own tb"),
        ([[(1, -1, "s i0 i0")], []],
         r"line 4 .*: what it sends to gpu 1 on channel 0 is never received: add an r step there"),
        ([[(1, -1, "s i0 i0 x1")], [(-1, 0, "r i0 s0 x2")]],
         r"receives 2 chunks, and gpu 0 sends 1 \(line 4 .*\): make cnt the same"),
        ([[(1, -1, "s s0 i0")], [(-1, 0, "r i0 i0")]], r"reads s\[0\], which holds nothing yet"),
        ([[(-1, -1, "cpy i0 s4")], []], r"1 chunks from s\[4\] on: the buffer has 4; mend .* s_chunks of the gpu"),
        ([[(-1, -1, "cpy i0 i1")], []], r"1 chunks from i\[1\] on: the buffer has 1; mend offset or cnt$"),
        ([[(-1, -1, "cpy i0 s0", "re s0 i0")], []], "adds the same data to chunk 0 twice"),
        ([[(-1, -1, "cpy i0 s0 !"), (-1, -1, "cpy i0 s0")], []],
         r'touches s\[0\] while tb 0 step 0 may: .* write depid="0" deps="0", and hasdep="1" there'),
        ([[(1, -1, "s i0 i0"), (-1, 1, "r i0 i0")], [(0, 0, "r i0 s0", "s i0 i0")]], None),
        ([[(1, -1, "s i0 i0"), (-1, 1, "r i0 i0")], [(0, -1, "s i0 i0"), (-1, 0, "r i0 s0")]],
         r"touches i\[0\] while tb 0 step 0 may"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(run, gpus, said):
    if said is None:  # the order comes about by way of the other rank
        run(gpus)
        return
    with pytest.raises(ProgramError, match=said) as error:
        run(gpus)
    assert "\n" not in str(error.value)


def test_chunks_do_not_mix(run):
    with pytest.raises(ProgramError, match="adds chunk 1 to chunk 0: mend the offsets"):
        run([[(-1, -1, "re i1 i0")], []], 2)
    with pytest.raises(ProgramError, match=r"gpu 0: o\[0\] holds chunk 1 in the end, and chunk 0 belongs there"):
        run([[(-1, -1, "cpy i1 i0")], []], 2)
    with pytest.raises(ProgramError, match=r"gpu 0: o\[0\] holds nothing in the end, chunk 0 belongs there: copy it"):
        run([[]], in_place=False)


def test_a_wait_ends_with_the_next_step_that_tells(run):
    found = run([[(-1, -1, "cpy i0 s0", "nop i0 i0 !"), (-1, -1, "cpy s0 s1 <0.0")]])
    assert found.messages == ()


def test_a_program_that_is_too_large_is_refused(run, monkeypatch):
    monkeypatch.setattr("collectives.interchange.msccl_execution.MOST_CLOCKS", 3)
    with pytest.raises(ProgramError, match="2 tbs with so many steps: too large a program"):
        run([[(1, 1, *EXCHANGE)], [(0, 0, *EXCHANGE)]])
