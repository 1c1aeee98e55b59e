"""Every format that is read back gives the fabric that was written; whatever else is read gets a clean error."""

import json
from dataclasses import replace

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topologies import containerlab, formats
from topologies.drafts import Imported, Unsaid
from topologies.exchange import FORMATS, SOURCES, by_ending, loads
from topologies.fabric import Cable, Fabric, FabricError, Port
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.yaml_lines import DocumentError

RATE = st.integers(1, 10**15)
LATENCY = st.floats(0, 9.99)
NAME = st.text(st.characters(categories=["L", "N", "P", "S", "Z", "Cc"]), max_size=12)
WORD = st.sampled_from(["on", "null", "yes", "e1", "true", "No", "a-b", "x_1", "end", "leaf1", "N", "host", "c0"])


@st.composite
def fabrics(draw):
    """Any fabric: tree of switches, further links between them, hosts with one NIC or several; odd names, orders."""
    switches = [f"{draw(WORD)}-{number}" for number in range(draw(st.integers(1, 4)))]
    switches[0] = draw(WORD)
    cables = [
        Cable(switches[draw(st.integers(0, number - 1))], switches[number], draw(RATE), draw(LATENCY))
        for number in range(1, len(switches))
    ]
    for _ in range(draw(st.integers(0, 3)) if len(switches) > 1 else 0):
        a, b = draw(st.permutations(switches))[:2]
        cables.append(Cable(a, b, draw(RATE), draw(LATENCY)))
    hosts = [f"h{number}" for number in range(draw(st.integers(1, 4)))]
    for host in [*hosts, *draw(st.lists(st.sampled_from(hosts), max_size=2))]:
        cable = Cable(host, draw(st.sampled_from(switches)), draw(RATE), draw(LATENCY))
        cables.append(cable if draw(st.booleans()) else replace(cable, a=cable.b, b=cable.a))
    fabric = Fabric.cabled(draw(NAME), hosts, switches, draw(st.permutations(cables)))
    return _renamed(_renumbered(fabric, draw(st.integers(0, 3))), draw(st.booleans()), draw(NAME))


def _renumbered(fabric: Fabric, shift: int) -> Fabric:
    def moved(port: Port) -> Port:
        return Port(port.node, port.number + shift)

    return replace(fabric, links=tuple(replace(link, a=moved(link.a), b=moved(link.b)) for link in fabric.links))


def _renamed(fabric: Fabric, odd: bool, word: str) -> Fabric:
    links = (replace(link, name=f"no {number}: #1{word}") for number, link in enumerate(fabric.links))
    return replace(fabric, links=tuple(links)) if odd else fabric


@settings(max_examples=40, deadline=None)
@given(fabrics())
def test_a_fabric_is_read_back_exactly(fabric):
    for name in ("yaml", "json", "graphml"):
        text = FORMATS[name].dumps(fabric)
        assert loads(text, "f") == Imported(fabric), name
        assert loads(text, "f", name) == Imported(fabric), name
    assert formats.loads(json.dumps(formats.to_data(fabric), ensure_ascii=True)) == fabric
    assert formats.from_data(formats.to_data(fabric)) == fabric
    assert yaml.safe_load(formats.dumps(fabric)).keys() == formats.to_data(fabric).keys()


@settings(max_examples=40, deadline=None)
@given(fabrics())
def test_containerlab_holds_all_but_the_name(fabric):
    text = containerlab.dumps(fabric)
    imported = loads(text, "f")
    assert imported == Imported(replace(fabric, name=containerlab.lab_name(fabric)))
    assert list(yaml.safe_load(text)["topology"]["nodes"]) == [*fabric.hosts, *fabric.switches]


def _texts():
    fabric = leaf_spine(2, 1, 2, links=2)
    return {name: FORMATS[name].dumps(fabric) for name in SOURCES}


TEXTS = _texts()


@st.composite
def damaged(draw):
    """A good file with a piece taken out, doubled, moved or replaced, up to three times."""
    text = TEXTS[draw(st.sampled_from(SOURCES))]
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 1, 2, 5, 30, 200])))
        piece = draw(st.one_of(st.just(""), st.just(text[start:end] * 2), st.text(max_size=6), st.sampled_from(PIECES)))
        text = text[:start] + piece + text[end:]
    return text


PIECES = [
    "null", "[]", "{}", ": ", "\n", "&a ", "*a", "<node/>", "<edge/>", "<graph>", "</data>", "]]>", "&x;", "-1", "0",
    "1e999", "kind: linux", "topology:", '"', "'", "\t", "vars: 3", "nan", "\x00", "<data>", "<default>x</default>",
]  # fmt: skip


def read_or_refuse(text: str, source: str | None, unsaid: Unsaid) -> None:
    errors = []
    try:
        loads(text, "f", source, unsaid)
    except DocumentError as error:
        errors = error.errors or ["an error without words"]
    assert all(line.startswith("f:") and "\n" not in line for line in errors), errors


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged(), st.sampled_from([None, *SOURCES]), st.sampled_from([0, 2]))
def test_a_damaged_file_is_read_or_refused_in_clean_lines(text, source, hosts):
    read_or_refuse(text, source, Unsaid(hosts_per_switch=hosts))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.sampled_from([None, *SOURCES]))
def test_any_text_is_read_or_refused_in_clean_lines(text, source):
    read_or_refuse(text, source, Unsaid())


SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.sampled_from(["linux", "a:b", "h1"])
)  # fmt: skip
FIELD = st.sampled_from([
    "kind", "labels", "ringlab-kind", "group", "endpoints", "type",
    "vars", "rate", "link_name", "node", "interface", "a", "b", "ports", "name", "\n",
])  # fmt: skip
JSON = st.recursive(
    SCALAR,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(FIELD, inner, max_size=4)),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["h1", "s", "host", "\n\x1b"]), JSON, max_size=3), JSON, JSON)
def test_any_shape_of_a_containerlab_topology_is_read_or_refused(nodes, links, defaults):
    data = {"topology": {"nodes": nodes, "links": links, "defaults": defaults, "groups": defaults}}
    read_or_refuse(json.dumps(data), "containerlab", Unsaid())


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["hosts", "switches", "links", "name", "generator"]), JSON, st.sampled_from([0, 2]))
def test_any_shape_of_our_own_file_is_read_or_refused(field, value, hosts):
    data = {**formats.to_data(ring(3, 1)), "hosts": [], "links": [], field: value}
    read_or_refuse(json.dumps(data), None, Unsaid(hosts_per_switch=hosts))


@pytest.mark.parametrize(
    ("file", "name"),
    [("a.yaml", "yaml"), ("a.yml", "yaml"), ("b/a.clab.yml", "containerlab"), ("a.clab.yaml", "containerlab"),
     ("a.json", "json"), ("a.graphml", "graphml"), ("a.py", "mininet"), ("a.gv", "dot"), ("a.dot", "dot"),
     ("a.topo", "htsim"), ("a.ns3", "ns3"), ("a.simai", "simai"),
     ("a.mmd", "mermaid"), ("a.svg", "svg"), ("a.txt", None), ("yaml", None), ("-", None)],
)  # fmt: skip
def test_a_file_s_ending_tells_its_format(file, name):
    assert by_ending(file) == name


def test_each_format_says_what_it_loses():
    fabric = replace(ring(3, 1), name="a/b")
    lost = {name: known.lost(fabric) for name, known in FORMATS.items()}
    assert [name for name, said in lost.items() if not said] == ["yaml", "json", "graphml"]
    assert lost["containerlab"][1] == "containerlab takes no such name as 'a/b'; the lab is called 'a-b'"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_writes_every_kind_of_fabric(name):
    for fabric in (leaf_spine(2, 2, 2, links=2), ring(3, 1)):
        if name == "htsim":  # it has leaf-spines and fat-trees alone, and none with more up than down
            with pytest.raises(FabricError, match=r"^htsim describes leaf-spines and fat-trees alone: "):
                FORMATS[name].dumps(fabric)
        else:
            assert FORMATS[name].dumps(fabric).endswith("\n")


def test_an_error_is_one_line_whatever_the_file_says():
    for text in ('{"a\\nb\\u001b": 1}', '<graphml><graph><node id="&#10;"/><node id="&#10;"/></graph></graphml>'):
        read_or_refuse(text, None, Unsaid())
        with pytest.raises(DocumentError, match=r"\\n"):
            loads(text, "f")


def test_hosts_can_be_added_to_a_file_without_any():
    text = "name: t\nhosts: []\nswitches: [s1, s2]\nlinks:\n- {a: s1, b: s2, rate: 1G}\n"
    imported = loads(text, "f", unsaid=Unsaid(rate_bps=10**10, hosts_per_switch=2))
    assert imported.notes == ("f: 2 hosts were plugged into each of 2 switches, at 10Gb/s",)
    assert [f"{link.name} {link.rate_bps:g}" for link in imported.fabric.links] == [
        "s1-s2 1e+09", "h1-s1 1e+10", "h2-s1 1e+10", "h3-s2 1e+10", "h4-s2 1e+10",
    ]  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_hosts_are_not_added_where_there_are_some(name):
    with pytest.raises(DocumentError, match=r"has 4 hosts already; leave --hosts-per-switch out"):
        loads(TEXTS[name], "f", unsaid=Unsaid(hosts_per_switch=2))


def test_a_count_that_is_a_slip_of_the_pen_is_refused():
    text = "name: t\nhosts: []\nswitches: [s1]\nlinks: []\n"
    with pytest.raises(DocumentError, match=r"f: 1000000000 links are too many"):
        loads(text, "f", unsaid=Unsaid(hosts_per_switch=10**9))


def test_a_large_fabric_is_exchanged_quickly_enough():
    fabric = leaf_spine(16, 8, 16)
    assert len(fabric.links) == 16 * 24
    for name in SOURCES:
        found = loads(FORMATS[name].dumps(fabric), "f", name).fabric
        assert found == fabric or (name in ("ns3", "simai") and len(found.links) == len(fabric.links))
