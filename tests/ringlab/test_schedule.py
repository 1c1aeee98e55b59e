import json
from pathlib import Path

import pytest

from collectives import algorithms
from collectives.schedule import Op, Schedule, Transfer
from ringlab.cli import main

ALLPAIRS = str(Path(__file__).parents[2] / "examples" / "msccl" / "allpairs-4.xml")


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


def test_an_msccl_program_stands_in_place_of_an_algorithm(capsys):
    out = shown(capsys, ALLPAIRS, "--verify")
    assert out.startswith(f"{ALLPAIRS}: allreduce of 4 ranks, 1 channel\n")
    assert "transfers  24, over 12 flows" in out
    assert "proof      proven: every rank ends with every rank's data exactly once" in out


def test_other_forms_are_written_beside_what_is_shown(capsys, tmp_path):
    files = [tmp_path / name for name in ("ring.xml", "ring.goal", "ring.json")]
    words = [
        word for flag, file in zip(("--msccl", "--goal", "--steps"), files, strict=True) for word in (flag, str(file))
    ]
    out = shown(capsys, "ring", "-n", "3", "--size", "1200", *words)
    assert "transfers  12" in out
    assert files[1].read_text().startswith("num_ranks 3\n\nrank 0 {\nl1: send 400b to 1 tag 0\n")
    assert len(json.loads(files[2].read_text())["steps"]) == 4
    assert shown(capsys, str(files[0]), "--size", "1200").splitlines()[1:] == out.splitlines()[1:]


def test_one_form_can_go_to_standard_output_alone(capsys):
    assert shown(capsys, "ring", "-n", "2", "--goal", "-").startswith("num_ranks 2\n")
    assert json.loads(shown(capsys, "ring", "-n", "2", "--steps", "-"))["num_ranks"] == 2
    assert shown(capsys, "bruck", "-n", "4", "--operation", "all_to_all", "--msccl", "-").startswith(
        '<algo name="bruck"'
    )
    assert main(["schedule", "ring", "--goal", "-", "--json", "-"]) == 2
    assert "only one can go to standard output" in capsys.readouterr().err


def test_other_operations(capsys):
    out = shown(capsys, "bruck", "-n", "5", "--operation", "all_gather", "--verify", "--size", "100")
    assert out.startswith("bruck: allgather of 5 ranks")
    assert "proof      proven: every rank ends with what it must have, exactly once" in out


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
        ([ALLPAIRS, "-n", "3"], "has 4; leave -n out"),
        ([ALLPAIRS, "--operation", "all_gather"], "has all_reduce; leave --operation out"),
        (["none.xml"], "none.xml: no such MSCCL program file; check the path"),
        ([__file__ + "/x.xml"], "x.xml: can't be read"),
        (["ring", "--operation", "gathr"], "no operation 'gathr': did you mean 'gather'?"),
        (["rooted", "--operation", "gather", "--msccl", "-"], "--msccl: MSCCL XML says nothing of gather"),
        (["ring", "-n", "512", "--steps", "-"], "--steps: 512 ranks"),
        (["bidirectional-ring", "--channels", "40"], "40 channels of bidirectional-ring: from 1 to 32"),
    ],
)
def test_what_can_not_be_gets_one_line(capsys, words, said):
    assert main(["schedule", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
