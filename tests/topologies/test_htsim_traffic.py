"""htsim's connection matrices: read, written, turned into demands, refused in one clean line."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.algorithms import build
from collectives.job import demands
from topologies import htsim, htsim_traffic, ns3
from topologies.fabric import FabricError
from topologies.htsim_traffic import Connection, Matrix, Trigger, from_demands, loads, lost, to_demands, waits
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Demand, FlowKey
from topologies.yaml_lines import DocumentError

FABRIC = leaf_spine(2, 2, 2)
CHAIN = """\
# 0 -> 1 -> 2, and beside it 3 -> 0, all before 2 -> 3
Nodes 4
Connections 4
Triggers 2
0->1 id 1 start 0 size 1000 send_done_trigger 7
1->2 id 2 trigger 7 size 2000 recv_done_trigger 8
3->0 id 3 start 2000000 size 3000 prio 1 send_done_trigger 8
2->3 id 4 trigger 8 size 4000
trigger id 7 oneshot
trigger id 8 barrier count 2
"""


def test_a_matrix_is_read():
    matrix = loads(CHAIN, "f")
    assert (matrix.nodes, len(matrix.connections)) == (4, 4)
    assert matrix.connections[1] == Connection(1, 2, 2000, None, 7, None, 8, 2, 6)
    assert matrix.connections[2].start_ps == 2_000_000
    assert matrix.triggers == {7: Trigger("oneshot", 0, 9), 8: Trigger("barrier", 2, 10)}
    assert waits(matrix) == [(), (0,), (), (1, 2)]


def test_its_demands_have_a_step_a_link_of_the_chain():
    found = to_demands(loads(CHAIN, "f"), FABRIC)
    assert [(d.key.src, d.key.dst, d.steps, d.step_bytes) for d in found] == [
        ("h1", "h2", (0,), (1000,)), ("h2", "h3", (1,), (2000,)), ("h4", "h1", (0,), (3000,)),
        ("h3", "h4", (2,), (4000,)),
    ]  # fmt: skip
    assert lost(loads(CHAIN, "f")) == (
        "f: 1 priorities were left out (line 7); all flows are alike",
        "1 start times were left out (line 7); demands know steps alone",
    )


def test_connections_of_two_hosts_are_flows_of_their_own():
    lines = "".join(f"0->1 start 0 size {size}\n" for size in range(1, 201))
    found = to_demands(loads(f"Nodes 2\nConnections 200\n{lines}"), FABRIC)
    assert len({demand.key for demand in found}) == 200


def test_failures_are_left_out_and_said():
    text = CHAIN.replace("Triggers 2\n", "Triggers 2\nFailures 1\n") + "failure switch_type AGG switch_id 0 link_id 1\n"
    assert loads(text, "f").notes[0] == "f: 1 failures of links were left out (line 12); all links live"


@st.composite
def matrices(draw):
    """Any matrix: connections that start, or are set off by a trigger of any kind, in any order."""
    nodes = draw(st.integers(2, 6))
    triggers = {
        number: Trigger(kind, draw(st.integers(0, 3)) if kind == "barrier" else 0)
        for number, kind in enumerate(draw(st.lists(st.sampled_from(htsim_traffic.TRIGGER_KINDS), max_size=4)), 1)
    }
    some = st.none() if not triggers else st.one_of(st.none(), st.sampled_from([*triggers]))
    connections = []
    for number in range(draw(st.integers(0, 6))):
        src, dst = draw(st.permutations(range(nodes)))[:2]
        trigger = draw(some)
        start = draw(st.integers(0, 10**9)) if trigger is None else None
        one = Connection(src, dst, draw(st.integers(1, 10**9)), start, trigger, draw(some), draw(some), number + 1)
        connections.append(one)
    return Matrix(nodes, tuple(connections), triggers)


def _without_lines(matrix):
    connections = tuple(replace(one, line=0) for one in matrix.connections)
    return connections, {number: replace(one, line=0) for number, one in matrix.triggers.items()}


@settings(max_examples=100, deadline=None)
@given(matrices())
def test_a_matrix_is_read_back(matrix):
    again = loads(htsim_traffic.dumps(matrix))
    assert _without_lines(again) == _without_lines(matrix)
    assert again.nodes == matrix.nodes


@settings(max_examples=100, deadline=None)
@given(matrices())
def test_any_matrix_is_demands_or_refused_in_one_line(matrix):
    sizes, errors = read_or_refuse(htsim_traffic.dumps(matrix))
    assert sum(sizes) == sum(one.size for one in matrix.connections) or len(errors) == 1


def read_or_refuse(text):
    """The sizes of its demands, or clean errors."""
    sizes, errors = [], ()
    try:
        sizes = [demand.nbytes for demand in to_demands(loads(text, "f"), leaf_spine(2, 1, 3))]
    except DocumentError as error:
        errors = error.errors or ("an error without words",)
    assert all(line.startswith("f:") and "\n" not in line for line in errors), errors
    return sizes, errors


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_in_clean_lines(data):
    text = CHAIN
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.sampled_from([0, 1, 2, 5, 30])))
        pieces = ["", text[start:end] * 2, "-1", "1e99", "->", "trigger", " id ", "99999999999999999999", "\n", "\x1b"]
        text = text[:start] + data.draw(st.one_of(st.text(max_size=4), st.sampled_from(pieces))) + text[end:]
    read_or_refuse(text)


@pytest.mark.parametrize(("name", "ranks"), [("ring", 4), ("halving-doubling", 4), ("rooted", 4), ("pairwise", 3)])
def test_a_collective_there_and_back(name, ranks):
    """Its bytes by pair and step, with the steps counted from 0."""
    asked = demands(build(name, ranks), FABRIC.hosts[:ranks], 1000, 4)
    matrix = loads(htsim_traffic.dumps(from_demands(asked, FABRIC)))
    steps = {step: place for place, step in enumerate(sorted({step for demand in asked for step in demand.steps}))}

    def cells(found, of=lambda step: step):
        return sorted(
            (d.key.src, d.key.dst, of(step), nbytes)
            for d in found
            for step, nbytes in zip(d.steps, d.step_bytes, strict=True)
        )

    assert cells(to_demands(matrix, FABRIC)) == cells(asked, steps.__getitem__)


def test_demands_of_another_fabric_are_refused():
    with pytest.raises(FabricError, match="no host 'x1' in fabric"):
        from_demands([Demand(FlowKey("h1", "x1", 1, 2), (0,), (1,))], FABRIC)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("0->1 id 1", "0->0 id 1"), "f:5: 0->0: a host that sends to itself crosses no fabric"),
        (("0->1 id 1", "0->4 id 1"), "f:5: host 4: hosts are 0 to 3"),
        (("0->1 id 1", "0->x id 1"), "f:5: 0->x: is no pair of hosts"),
        (("0->1 id 1", "0->1 id 0"), "f:5: id: '0' is no whole number from 1"),
        (("size 1000 ", "size 0 "), "f:5: size: a connection without end is not read here"),
        (("size 1000 ", "size 1000 size 1 "), "f:5: size: given twice"),
        (("size 1000 ", "size 1000 colour 3 "), "f:5: colour: no such word here"),
        (("size 1000 ", "size 1000 addon "), "f:5: addon: a connection that grows by triggers is not read here"),
        (("start 0 size 1000", "size 1000"), "f:5: needs start or trigger, and not both"),
        (("start 0 size 1000", "start soon size 1000"), "f:5: start: 'soon' is no time in picoseconds"),
        (("trigger 7 size", "trigger 9 size"), "f:6: trigger 9: no line says of what kind"),
        (("trigger id 7 oneshot", "trigger id 7"), "f:9: a trigger needs an id and a kind"),
        (("trigger id 7 oneshot", "trigger id 8 oneshot"), "f:10: trigger 8: given twice, first in line 9"),
        (("Connections 4", "Connections 5"), "f:3: Connections: says 5, and 4 follow; write Connections 4"),
        (("Connections 4", "Conections 4"), "f:3: Conections: no such field of a connection matrix; did you mean"),
        (("Nodes 4\n", ""), "f:1: Nodes is missing"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_line(change, said):
    with pytest.raises(DocumentError) as caught:
        loads(CHAIN.replace(*change), "f")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("barrier count 2", "barrier count 3"), "f:10: trigger 8: counts to 3, and 2 connections set it off"),
        (("barrier count 2", "oneshot"), "f:10: trigger 8: is set off 2 times and starts with the first"),
        (("send_done_trigger 7", ""), "f:9: trigger 7: is never set off, and line 6 waits for it"),
        (("start 0 size 1000 send_done_trigger 7", "trigger 8 size 1 send_done_trigger 7"), "for its own end"),
    ],
)
def test_what_can_t_be_followed_is_refused_where_it_is_asked_for(change, said):
    matrix = loads(CHAIN.replace(*change), "f")
    with pytest.raises(DocumentError) as caught:
        waits(matrix)
    assert said in str(caught.value)


def test_a_circle_is_told_by_a_line_of_it():
    """The connection of line 3 waits for the circle, and is none of it."""
    text = """Nodes 4
Connections 3
0->1 trigger 2 size 5
1->2 trigger 1 size 5 send_done_trigger 2
2->3 trigger 2 size 5 send_done_trigger 1
Triggers 2
trigger id 1 oneshot
trigger id 2 oneshot
"""
    with pytest.raises(DocumentError, match=r"^f:[45]: waits, by its triggers, for its own end"):
        waits(loads(text, "f"))


def test_a_text_shows_what_it_is_however_it_begins():
    """Many empty lines and comments are no trap for whoever looks for the first word."""
    blank = "\n \n# more\n" * 20_000
    assert htsim_traffic.is_matrix(blank + CHAIN)
    assert not htsim_traffic.is_matrix(blank + "x")
    assert htsim.is_htsim(blank + CHAIN)
    assert not htsim.is_htsim(blank + "x")
    assert ns3.is_ns3(blank + "5 2 4\n")
    assert not ns3.is_ns3(blank + "5 2 4 x\n")
    assert not htsim_traffic.is_matrix("Nodes 16\nTiers 2\n")
