"""Chakra traces, in protobuf made here by hand, in protobuf's JSON, and in the feeder's."""

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.interchange import chakra, chakra_nodes
from collectives.interchange.protobuf_wire import WireError, fields, signed, varint, zigzag
from collectives.interchange.trace import Calculation, Collective, Receive, Send, TraceError

COMP, SEND, RECV, COLL = 4, 5, 6, 7


# A writer of the wire format, so that the reader is held against the specification and not against itself.
def number(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(place, value):
    if isinstance(value, int):
        return number(place << 3) + number(value)
    value = value.encode() if isinstance(value, str) else value
    return number(place << 3 | 2) + number(len(value)) + value


def attribute(name, place, value):
    return field(1, name) + field(place, value)


def node(ident, kind, *, name="", after=(), data=(), us=0, packed=True, inputs="", **attributes):
    """Attributes are int64 (field 9) if whole, string (29) if text; or pairs (field, value)."""
    out = field(1, ident) if ident else b""
    out += (field(2, name) if name else b"") + field(3, kind)
    for place, ids in ((4, after), (5, data)):
        if packed and ids:
            out += field(place, b"".join(map(number, ids)))
        else:
            out += b"".join(field(place, one) for one in ids)
    out += field(7, us) if us else b""
    out += field(8, field(1, inputs)) if inputs else b""
    for key, value in attributes.items():
        place, given = value if isinstance(value, tuple) else (29 if isinstance(value, str) else 9, value)
        out += field(10, attribute(key, place, given))
    return out


def et(*nodes):
    return b"".join(number(len(one)) + one for one in (field(1, "0.0.4"), *nodes))


def read(*files, groups=None):
    return chakra.read([(f"t.{rank}.et", content) for rank, content in enumerate(files)], groups)


def test_messages_and_computations_wait_as_the_trace_says():
    sender = et(
        node(0, COMP, name="matmul", us=7),
        node(3, SEND, name="p2p", data=(0,), comm_size=(13, 1 << 20), comm_dst=(7, 1), comm_tag=(11, 9)),
    )
    receiver = et(node(5, RECV, comm_size=1 << 20, comm_src=0, comm_tag=9), node(6, COMP, after=(5,), us=3))
    assert read(sender, receiver).ranks == (
        (
            Calculation(place="t.0.et: node 0 'matmul'", duration_s=pytest.approx(7e-6)),
            Send(place="t.0.et: node 3 'p2p'", after=(0,), peer=1, nbytes=1 << 20, tag=9),
        ),
        (
            Receive(place="t.1.et: node 5", peer=0, nbytes=1 << 20, tag=9),
            Calculation(place="t.1.et: node 6", after=(0,), duration_s=pytest.approx(3e-6)),
        ),
    )


@pytest.mark.parametrize("packed", [True, False])
def test_dependencies_come_packed_or_one_by_one(packed):
    its = [node(ident, COMP) for ident in (1, 2, 300)]
    trace = read(et(*its, node(4, COMP, after=(1, 300), data=(2, 1), packed=packed)))
    assert trace.ranks[0][3].after == (0, 2, 1)


@pytest.mark.parametrize(
    ("comm_type", "operation", "total"),
    [(0, "all_reduce", 100), (2, "all_gather", 400), (6, "all_to_all", 100), (7, "reduce_scatter", 100),
     (8, "reduce_scatter", 100), (9, "barrier", 0)],
)  # fmt: skip
def test_collectives_of_all_ranks(comm_type, operation, total):
    content = et(node(1, COLL, comm_type=comm_type, comm_size=100, involved_dim=(28, field(1, bytes([1, 1])))))
    for (one,) in read(*[content] * 4).ranks:
        assert one == Collective(
            place=one.place, operation=operation, ranks=(0, 1, 2, 3), nbytes=total
        )  # fmt: skip


def test_groups_are_told_by_a_file_or_by_the_trace():
    ours = {"7": (0, 2)}
    of_group = et(node(1, COLL, comm_type=0, comm_size=8, pg_name="7"))
    trace = read(of_group, et(), of_group, groups=ours)
    assert trace.ranks[2][0].ranks == (0, 2)
    assert trace.ranks[1] == ()
    told = repr([json.dumps([{"pg_name": "7", "ranks": [0, 2]}, {"pg_name": "0", "ranks": []}])])
    init = node(9, 1, name="## process_group:init ##", inputs=told)
    everyone = node(2, COLL, comm_type=0, comm_size=8, pg_name="0", data=(1,))
    trace = read(et(init, node(1, COLL, comm_type=0, comm_size=8, pg_name="7"), everyone), et(), of_group)
    assert [one.ranks for one in trace.ranks[0][1:]] == [(0, 2), (0, 1, 2)]
    assert chakra.read_groups('{"7": [0, 2], "8": {"ranks": [1]}}') == {"7": (0, 2), "8": (1,)}


def test_roots_are_ranks_of_the_group():
    content = et(node(1, COLL, comm_type=5, comm_size=8, pg_name="g", root_rank=4))
    trace = read(*[et()] * 2, content, et(), content, groups={"g": (2, 4)})
    assert trace.ranks[2][0].root == 1
    assert read(et(node(1, COLL, comm_type=5, comm_size=8))).notes == (
        "t.0.et: node 1: a broadcast without a root: the first rank of its group was taken",
    )


def test_what_is_not_understood_is_named_once_with_how_often():
    its = [node(ident, COMP, rf_id=ident) + field(11, b"") for ident in range(1, 4)]
    assert read(et(*its, node(9, 2), node(10, COMP, num_ops=5))).notes == (
        "t.0.et: node 1: attribute 'rf_id' is not understood (and in 2 more)",
        "t.0.et: node 1: field 11 of a node is not understood (and in 2 more)",
        "t.0.et: node 9: a MEM_LOAD_NODE without duration_micros takes no time",
        "t.0.et: node 10: a COMP_NODE with num_ops and without duration_micros takes no time",
    )


AS_JSON = """\
{
  "version": "0.0.4"
}{
  "name": "matmul",
  "type": "COMP_NODE",
  "durationMicros": "7"
}{
  "id": "3", "type": "COMM_COLL_NODE",
  "dataDeps": ["0"],
  "attr": [
    {"name": "comm_type", "int64Val": "0"},
    {"name": "comm_size", "uint64Val": "1048576"},
    {"name": "involved_dim", "boolList": {"values": [true]}}
  ]
}
"""
FEEDER = {
    "workload_graph": [
        {"Id": 0, "Name": "matmul", "NodeType": 4, "is_cpu_op": False, "runtime": 7, "data_deps": []},
        {"Id": 3, "Name": "", "NodeType": 7, "data_deps": [0], "comm_type": 0, "comm_size": 1 << 20},
    ]
}


def test_json_says_the_same():
    wire = et(
        node(0, COMP, name="matmul", us=7), node(3, COLL, data=(0,), comm_type=0, comm_size=1 << 20)
    )  # fmt: skip
    expected = read(wire).ranks
    assert read(AS_JSON.encode()).ranks == expected
    assert read(json.dumps(FEEDER).encode()).ranks == expected


SCALARS = {
    3: st.floats(allow_nan=False), 7: st.integers(-(2**31), 2**31 - 1), 9: st.integers(-(2**63), 2**63 - 1),
    11: st.integers(0, 2**32 - 1), 13: st.integers(0, 2**64 - 1), 15: st.integers(-(2**31), 2**31 - 1),
    17: st.integers(-(2**63), 2**63 - 1), 19: st.integers(0, 2**32 - 1), 21: st.integers(0, 2**64 - 1),
    23: st.integers(-(2**31), 2**31 - 1), 25: st.integers(-(2**63), 2**63 - 1), 27: st.booleans(), 29: st.text(),
}  # fmt: skip
LAYOUTS = {3: "<d", 19: "<I", 21: "<Q", 23: "<i", 25: "<q"}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(SCALARS)).flatmap(lambda place: st.tuples(st.just(place), SCALARS[place])))
def test_every_kind_of_attribute_is_read(made):
    place, value = made
    if place in LAYOUTS:
        packed = struct.pack(LAYOUTS[place], value)
        raw = number(place << 3 | (1 if len(packed) == 8 else 5)) + packed
    elif place in (15, 17):
        raw = number(place << 3) + number(value << 1 ^ value >> 63)
    else:
        raw = field(place, int(value) if isinstance(value, bool) else value)
    [found] = chakra_nodes.nodes(et(field(3, COMP) + field(10, field(1, "a") + raw)), "t")
    assert found.attributes == {"a": value}


def test_lists_are_read_too():
    its = [(8, [1, -2]), (28, [1, 0]), (30, ["x", "y"])]
    attributes = b""
    for place, values in its:
        items = b"".join(field(1, one) for one in values)
        attributes += field(10, field(1, f"a{place}") + field(place, items))
    [found] = chakra_nodes.nodes(et(field(3, COMP) + attributes), "t")
    assert found.attributes == {"a8": [1, -2], "a28": [True, False], "a30": ["x", "y"]}


@given(st.integers(0, 2**64 - 1))
def test_varints(value):
    assert varint(number(value), 0) == (value, len(number(value)))
    assert signed(value) in (value, value - 2**64)
    assert zigzag(value << 1 & 2**64 - 1) >= 0


def test_wire_errors():
    for raw, said in ((b"\x80", "the bytes end within"), (b"\x80" * 11, "more than 10"), (b"\x0b", "wire type 3"),
                      (b"\x0a\x05a", "a field of 5 bytes"), (b"\x00", "number 0")):  # fmt: skip
        with pytest.raises(WireError, match=said):
            list(fields(raw))


SIZE = {"comm_size": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (et(node(1, SEND, comm_dst=1)), "t.0.et: node 1: comm_size is missing"),
        (et(node(1, SEND, **SIZE)), "t.0.et: node 1: comm_dst is missing"),
        (et(node(1, SEND, comm_dst=2, **SIZE)), "t.0.et: node 1: comm_dst '2' is no whole number from 0 to 1"),
        (et(node(1, SEND, comm_dst=1, comm_src=1, **SIZE)), "t.0.et: node 1: comm_src is 1, and its file is rank 0's"),
        (et(node(1, RECV, comm_dst=0, **SIZE)), "t.0.et: node 1: comm_src is missing"),
        (et(node(1, COLL, **SIZE)), "t.0.et: node 1: comm_type is missing; it is from 0 (ALL_REDUCE) to 9"),
        (et(node(1, COLL, comm_type=10, **SIZE)), "t.0.et: node 1: comm_type '10' is not known"),
        (et(node(1, COLL, comm_type=0, comm_size=-1)), "t.0.et: node 1: comm_size '-1' is no whole number of 0"),
        (et(node(1, COLL, comm_type=0, pg_name="3", **SIZE)), "t.0.et: node 1: nobody says who is in group '3'"),
        (et(node(1, COLL, comm_type=0, pg_name="g", **SIZE)), "t.0.et: node 1: group 'g' is (0, 5), and ranks"),
        (et(node(1, COLL, comm_type=0, pg_name="h", **SIZE)), "t.0.et: node 1: rank 0 is not in its group (1)"),
        (et(node(1, COLL, comm_type=5, root_rank=9, **SIZE)), "t.0.et: node 1: root 9 is not in its group (0, 1)"),
        (et(node(1, COLL, comm_type=0, involved_dim=(28, field(1, bytes([1, 0]))), **SIZE)), "involved_dim leaves"),
        (et(node(1, COMP, after=(2,))), "t.0.et: node 1: waits for node 2, which is not in its file"),
        (et(node(1, COMP), node(1, COMP)), "t.0.et: node 1: a second node of that id"),
        (et(node(1, 11)), "t.0.et: byte 9: a node of type 11, which is not known; types are 0 to 10"),
        (et(node(1, COMP))[:-1], "is no Chakra trace: byte 8: a message of 4 bytes, and 3 are left"),
        (et(node(1, 1, name="process_group:init", inputs="nonsense")), "node 1 'process_group:init': its values are"),
        (b"garbage", "t.0.et: message at byte 0 is no Chakra trace"),
        (b'{"id": "1"', "t.0.et:1: is no JSON"),
        (b'{}\n{"id": "x"}', "t.0.et:2: id: 'x' is no whole number of 0 or more; write one"),
        (b'{}\n{"id": 1, "type": "COMP"}', "t.0.et:2: type: 'COMP' is no whole number"),
        (b'{}\n{"id": 1, "dataDeps": 5}', "t.0.et:2: dataDeps: is no list"),
        (b'{}\n{"id": 1, "attr": [{}]}', "t.0.et:2: attr: an attribute without a name"),
        (b"{}\n[1]", "t.0.et:2: is no object"),
        (b'{}\n"\xff"', "t.0.et:2: is no UTF-8 text"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_node(content, said):
    with pytest.raises(TraceError) as caught:
        read(content, et(), groups={"g": (0, 5), "h": (1,)})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "g:1: is no JSON"), ("[]", "g: holds no groups"), ('{"1": []}', "g: group '1' is no list of ranks"),
     ('{"1": [0, "x"]}', "g: group '1' is no list of ranks")],
)  # fmt: skip
def test_groups_that_are_none(text, said):
    with pytest.raises(TraceError) as caught:
        chakra.read_groups(text, "g")
    assert str(caught.value).startswith(said)


GOOD = (
    et(node(0, COMP, name="m", us=7), node(1, COLL, data=(0,), comm_type=0, comm_size=64, pg_name="g"),
       node(2, SEND, after=(1,), comm_size=8, comm_dst=1, comm_tag=3)),
    AS_JSON.encode(), json.dumps(FEEDER).encode(),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(GOOD), st.data())
def test_a_damaged_file_is_read_or_refused_in_a_clean_line(content, data):
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        end = min(len(content), start + data.draw(st.sampled_from([0, 1, 2, 5, 30])))
        pieces = [
            b"",
            content[start:end] * 2,
            b"\xff",
            b"\x00",
            b"null",
            b"[]",
            b"{}",
            b"-1",
            b"1e999",
            b'"',
            b"[" * 9999,
        ]
        piece = data.draw(st.one_of(st.binary(max_size=4), st.sampled_from(pieces)))
        content = content[:start] + piece + content[end:]
    said = "t.0.et:"
    try:
        read(content, et(), groups={"g": (0, 1)})
    except TraceError as error:
        said = str(error)
    assert said.startswith(("t.0.et:", "t.1.et:"))
