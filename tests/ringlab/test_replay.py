"""``ringlab replay``: files of three tools on a fabric, and one clear line where they can't be."""

import gzip
import json

import pytest

from ringlab.cli import main

FABRIC = "leaf-spine:leaves=2,spines=2,hosts=2"
CM = """\
Nodes 4
Connections 2
Triggers 1
0->1 id 1 start 0 size 1000000 prio 3 send_done_trigger 1
1->2 id 2 trigger 1 size 1000000
trigger id 1 oneshot
"""
COLLECTIVE = """\
{"version": "0.0.4"}
{"id": "1", "type": "COMP_NODE", "durationMicros": "10"}
{"id": "2", "type": "COMM_COLL_NODE", "dataDeps": ["1"], "attr": [
  {"name": "comm_type", "int64Val": "0"}, {"name": "comm_size", "int64Val": "1000000"}, %s
  {"name": "is_cpu_op", "boolVal": false}]}
"""
SIMAI = """\
6 2 1 2 6 H100
3 4 5
0 3 2400Gbps 0.000025ms 0
1 3 2400Gbps 0.000025ms 0
0 4 100Gbps 0.0005ms 0
1 5 100Gbps 0.0005ms 0
2 4 100Gbps 0.0005ms 0
4 5 100Gbps 0.0005ms 0
"""


def replay(capsys, *words):
    """The exit code, and what came out on either side."""
    code = main(["replay", *map(str, words)])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def data(capsys, *words):
    code, out, err = replay(capsys, *words, "--json", "-")
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def trace(tmp_path):
    """Two ranks of a Chakra trace: compute, then an allreduce."""
    for rank in range(2):
        (tmp_path / f"t.{rank}.json").write_text(COLLECTIVE % "")
    return tmp_path


def test_our_own_goal_is_replayed_in_its_closed_form(tmp_path, capsys):
    target = tmp_path / "ring.goal"
    assert main(["schedule", "ring", "-n", "4", "--size", "4000000", "--goal", str(target)]) == 0
    capsys.readouterr()
    found = data(capsys, target, "--fabric", FABRIC, "--routing", "ecmp:seed=1")
    expected = 6 * (80e-6 + 4e-6)  # every rank's sends wait for those over the spine
    assert found["completion_s"] == pytest.approx(expected)
    assert found["rank_s"] == pytest.approx([expected] * 4)
    assert (found["messages"], found["connections"], found["bytes"]) == (24, 4, 24 * 10**6)
    turned = data(capsys, target, "--fabric", FABRIC, "--turnaround", "5us")
    assert turned["completion_s"] == pytest.approx(expected + 6 * 5e-6)


def test_goal_is_written_as_a_matrix_of_the_same_time(tmp_path, capsys):
    target, matrix = tmp_path / "ring.goal", tmp_path / "ring.cm"
    assert main(["schedule", "ring", "-n", "4", "--size", "4000000", "--goal", str(target)]) == 0
    capsys.readouterr()
    found = data(capsys, target, "--fabric", FABRIC, "--cm", matrix)
    again = data(capsys, matrix, "--fabric", FABRIC, "--routing", "shortest")
    assert again["completion_s"] == pytest.approx(found["completion_s"])
    assert again["bytes"] == found["bytes"]
    code, out, _ = replay(capsys, target, "--fabric", FABRIC, "--cm", "-")
    assert (code, out) == (0, matrix.read_text())
    assert replay(capsys, target, "--fabric", FABRIC, "--cm", "-", "--json", "-")[0] == 2


def test_the_table_tells_ranks_and_busiest_links(tmp_path, capsys):
    (tmp_path / "a.cm").write_text(CM)
    code, out, err = replay(capsys, tmp_path / "a.cm", "--fabric", FABRIC, "--links", "2")
    assert code == 0
    assert err == f"ringlab: {tmp_path}/a.cm: 1 priorities were left out (line 4); all flows are alike\n"
    head, counts, _, ranks, *rows = out.splitlines()
    assert head == f"{tmp_path}/a.cm on leaf-spine-2x2x2, ecmp: through after 166.000 us"
    assert counts == "4 ranks, 2 connections, 2 messages, 2000000 bytes"
    assert ranks.split() == ["rank", "through", "us"]
    assert [row.split() for row in rows[:4]] == [["0", "82.000"], ["1", "166.000"], ["2", "166.000"], ["3", "0.000"]]
    assert [row.split() for row in rows[5:]] == [
        ["link", "bytes", "busy"], ["h1->leaf1", "1000000", "48.2%"], ["h2->leaf1", "1000000", "48.2%"],
    ]  # fmt: skip
    _, out, _ = replay(capsys, tmp_path / "a.cm", "--fabric", FABRIC, "--ranks", "1", "--links", "0")
    assert out.splitlines()[3:] == ["rank  through us", "   1  166.000"]


def test_a_chakra_trace_is_all_its_ranks(trace, capsys):
    expected = 10e-6 + 2 * (40e-6 + 2e-6)
    for name in ("t.0.json", "t.1.json"):
        assert data(capsys, trace / name, "--fabric", FABRIC)["completion_s"] == pytest.approx(expected)
    one = data(capsys, trace / "t.0.json", "--fabric", FABRIC, "--algorithm", "all_reduce=recursive-doubling")
    assert one["completion_s"] == pytest.approx(10e-6 + 80e-6 + 2e-6)


def test_packed_files_and_groups(tmp_path, capsys):
    text = COLLECTIVE % '{"name": "pg_name", "stringVal": "5"},'
    for rank in range(2):
        (tmp_path / f"t.{rank}.et").write_bytes(gzip.compress(text.encode()))
    words = (tmp_path / "t", "--fabric", FABRIC)
    code, _, err = replay(capsys, *words)
    assert (code, err.splitlines()[-1]) == (
        2, f"ringlab: {tmp_path}/t.0.et: node 2: nobody says who is in group '5'; give a file with --groups",
    )  # fmt: skip
    (tmp_path / "groups.json").write_text('{"5": [1, 0]}')
    assert data(capsys, *words, "--groups", tmp_path / "groups.json")["messages"] == 4


def test_messages_within_a_server_take_the_nvswitch(tmp_path, capsys):
    (tmp_path / "f.simai").write_text(SIMAI)
    (tmp_path / "a.goal").write_text(
        "num_ranks 3\nrank 0 {\nsend 3000000b to 1\nsend 3000000b to 2\n}\n"
        "rank 1 {\nrecv 3000000b from 0\n}\nrank 2 {\nrecv 3000000b from 0\n}\n"
    )
    found = data(capsys, tmp_path / "a.goal", "--fabric", tmp_path / "f.simai")
    assert {link["link"] for link in found["links"]} == {"h1->nvswitch1", "nvswitch1->h2", "h1->s1", "s1->h3"}
    assert found["rank_s"][1:] == pytest.approx([10e-6 + 50e-9, 240e-6 + 1e-6])


def test_placement_and_routing_matter(tmp_path, capsys):
    target = tmp_path / "ring.goal"
    assert main(["schedule", "ring", "-n", "8", "--size", "8M", "--goal", str(target)]) == 0
    capsys.readouterr()
    wide = "leaf-spine:leaves=4,spines=2,hosts=2"
    spread = data(capsys, target, "--fabric", wide, "--placement", "interleaved", "--routing", "ecmp:seed=3")
    pinned = data(capsys, target, "--fabric", wide, "--placement", "interleaved", "--routing", "pinned")
    near = data(capsys, target, "--fabric", wide)
    assert spread["completion_s"] > 1.5 * pinned["completion_s"]
    assert pinned["completion_s"] == pytest.approx(near["completion_s"], rel=0.1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope.goal"], "nope.goal: no such file; check the path"),
        (["."], ".: is a folder; name a file in it"),
        (["t.txt"], "t.txt: is no GOAL and no connection matrix, and of a Chakra trace the name tells the rank"),
        (["t.0.et"], "t.0.et: message at byte 0 is no Chakra trace"),
        (["u.1.et"], "u.0.et: no such file, and there are 1 of this trace; ranks count from 0"),
        (["v.0.et"], "v.0.et: is packed by gzip, and broken; pack it again"),
        (["bad.goal"], "bad.goal:3: 'calculate' is no operation; write l1: send"),
        (["hang.goal"], "hang.goal:3: rank 0 waits for a message from rank 0 with tag 0 that nobody sends"),
        (["a.cm", "--placement", "interleaved"], "--placement: a connection matrix numbers hosts"),
        (["a.cm", "--routing", "ecpm"], "--routing ecpm: no routing policy 'ecpm': did you mean 'ecmp'?"),
        (["a.cm", "--turnaround", "soon"], "--turnaround: 'soon' is not a latency"),
        (["a.cm", "--fabric", "star:hosts=2"], "a.cm:5: host 2: 'star-2' has 2, from 0; take a larger fabric"),
        (["b.cm"], "b.cm:3: Triggers: says 1, and 0 follow"),
        (["calc.goal", "--cm", "x.cm"], "--cm: htsim's connection matrix has no calculations, and there are some"),
        (["a.cm", "--algorithm", "ring"], "--algorithm ring: write OPERATION=NAME"),
        (["a.cm", "--algorithm", "allreduce=ring"], "no operation 'allreduce'; did you mean 'all_reduce'?"),
    ],
)
def test_what_can_t_be_is_one_line(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    files = {
        "t.txt": b"hello", "t.0.et": b"\xff\xff", "u.1.et": b"", "v.0.et": b"\x1f\x8b\x08\x00",
        "bad.goal": b"num_ranks 1\nrank 0 {\ncalculate\n}\n", "a.cm": CM.encode(),
        "calc.goal": b"num_ranks 1\nrank 0 {\ncalc 5\n}\n",
        "hang.goal": b"num_ranks 1\nrank 0 {\nrecv 1b from 0\n}\n",
        "b.cm": b"Nodes 2\nConnections 1\nTriggers 1\n0->1 start 0 size 1\n",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    fabric = [] if "--fabric" in words else ["--fabric", FABRIC]
    code, out, err = replay(capsys, *words, *fabric)
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert said in last
    assert last.startswith("ringlab: ")
