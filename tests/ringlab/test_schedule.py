import json

import pytest

from collectives import algorithms
from collectives.schedule import Op, Schedule, Transfer
from ringlab.cli import main


def shown(capsys, *words):
    assert main(["schedule", *words]) == 0
    return capsys.readouterr().out


def test_a_small_schedule_is_listed_transfer_by_transfer(capsys):
    out = shown(capsys, "ring", "-n", "2", "--size", "8", "--verify")
    assert "steps      2\n" in out
    assert "transfers  4, over 2 flows" in out
    assert "bytes      8 sent by the busiest rank, 1 of the buffer" in out
    assert "proof      proven: every rank ends with every rank's data exactly once" in out
    rows = [line.split() for line in out.splitlines() if line.endswith("0") and line.strip()[0].isdigit()]
    assert len(rows) == 4
    assert [row[4] for row in rows] == ["reduce", "reduce", "copy", "copy"]


def test_a_large_one_only_when_asked_for(capsys):
    assert "--transfers lists them" in shown(capsys, "ring", "-n", "16")
    out = shown(capsys, "ring", "-n", "16", "--transfers")
    assert "--transfers" not in out
    assert len(out.splitlines()) > 480


@pytest.mark.parametrize("algorithm", algorithms.names())
@pytest.mark.parametrize("size", ["16M", "1000"])
def test_the_bytes_are_those_that_ranks_send(capsys, algorithm, size):
    data = json.loads(shown(capsys, algorithm, "-n", "8", "--size", size, "--verify", "--json", "-"))
    assert data["verified"] == "ok"
    assert data["steps"] == algorithms.build(algorithm, 8).num_steps
    sent = sum(data["sent_bytes_per_rank"])
    assert sum(flow["bytes"] for flow in data["flows"]) == sent
    assert sent % 4 == 0
    factor = 3 * 8 if algorithm == "recursive-doubling" else 2 * 7
    assert sent == factor * data["size_bytes"]


def test_channels_share_the_buffer(capsys):
    data = json.loads(shown(capsys, "ring", "-n", "4", "--channels", "2", "--json", "-"))
    assert data["channels"] == 2
    assert sum(data["sent_bytes_per_rank"]) == 2 * 3 * 16 * 2**20


def test_a_schedule_that_is_no_allreduce_is_a_failed_check(capsys, monkeypatch):
    twice = Schedule.from_transfers(2, 1, [Transfer(step, 0, 1, 0, Op.REDUCE) for step in (0, 1)])
    monkeypatch.setitem(algorithms.ALGORITHMS, "ring", lambda _: twice)
    assert main(["schedule", "ring", "-n", "2", "--verify"]) == 1
    out, err = capsys.readouterr()
    assert "proof      rank" in out
    assert err.startswith("ringlab: ring of 2 ranks is no allreduce: rank")
    assert main(["schedule", "ring", "-n", "2"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rng"], "no algorithm 'rng': did you mean 'ring'?"),
        (["hierarchical:4", "-n", "6"], "hierarchical:4 does not divide 6 ranks: one of 1, 2, 3, 6"),
        (["ring", "--size", "3X"], "--size: '3X' is no size"),
        (["ring", "--size", "7"], "--size: 7 bytes are no whole number of floats; write a multiple of 4"),
        (["ring", "-n", "1"], "1 is not in the range"),
        (["bidirectional-ring", "--channels", "40"], "40 channels of bidirectional-ring: from 1 to 32"),
    ],
)
def test_what_can_not_be_gets_one_line(capsys, words, said):
    assert main(["schedule", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
