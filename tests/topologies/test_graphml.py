"""GraphML as others write it: their words, their faults. What we write ourselves: see test_exchange."""

import io

import networkx as nx
import pytest

from topologies.drafts import NO_HOSTS, Unsaid
from topologies.fabric import Port
from topologies.graphml import HOST_WORDS, SWITCH_WORDS, dumps, loads
from topologies.graphml_elements import read
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.yaml_lines import DocumentError

KEYS = [
    "kind",
    "label",
    "rate_bps",
    "rate",
    "latency_s",
    "LinkSpeedRaw",
    "LinkSpeed",
    "LinkSpeedUnits",
    "bw",
    "delay",
    "source_port",
    "target_port",
]
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
HEAD += "".join(f'<key id="{key}" for="all" attr.name="{key}" attr.type="string"/>' for key in KEYS)


def data(**said: str) -> str:
    return "".join(f'<data key="{key}">{text}</data>' for key, text in said.items())


def graph(*lines: str, edges: str = "undirected") -> str:
    return f'{HEAD}\n<graph edgedefault="{edges}">\n' + "\n".join(lines) + "\n</graph></graphml>\n"


HOST = f'<node id="h1">{data(kind="host")}</node>'
SWITCH = '<node id="s1"/>'


def edge(a: str = "h1", b: str = "s1", **said: str) -> str:
    return f'<edge source="{a}" target="{b}">{data(**said)}</edge>'


def link(**said: str):
    return loads(graph(HOST, SWITCH, edge(**said)), "f").fabric.links[0]


@pytest.mark.parametrize("fabric", [leaf_spine(3, 2, 2, links=2), ring(4, 2)])
def test_networkx_reads_what_we_write(fabric):
    read = nx.read_graphml(io.BytesIO(dumps(fabric).encode()), force_multigraph=True)
    assert dict(read.nodes(data="kind")) == dict(fabric.graph.nodes(data="kind"))
    assert read.graph["name"] == fabric.name

    def ends(a: Port, b: Port) -> frozenset[tuple[str, int]]:
        return frozenset({(a.node, a.number), (b.node, b.number)})

    found = sorted((at["rate_bps"], at["latency_s"], sorted((a, b)), sorted((at["source_port"], at["target_port"])))
                   for a, b, at in read.edges(data=True))  # fmt: skip
    assert found == sorted((link.rate_bps, link.latency_s, sorted((link.a.node, link.b.node)),
                            sorted((link.a.number, link.b.number))) for link in fabric.links)  # fmt: skip


def test_we_read_what_networkx_writes():
    written = nx.MultiGraph(name="from networkx")
    written.add_node("h1", kind="host")
    written.add_node("h2", kind="host")
    written.add_node("sw", kind="switch")
    written.add_edge("h1", "sw", rate="10G", latency="2us")
    written.add_edge("h1", "sw", rate_bps=25 * 10**9, latency_s=1e-6)
    written.add_edge("sw", "h2", bw=400, delay="1ms")
    text = io.BytesIO()
    nx.write_graphml(written, text)
    fabric = loads(text.getvalue().decode(), "maps/lab.graphml").fabric
    assert (fabric.hosts, fabric.switches) == (("h1", "h2"), ("sw",))
    assert sorted((link.rate_bps, link.latency_s) for link in fabric.links) == [
        (400 * 10**6, 1e-3), (10**10, 2e-6), (25 * 10**9, 1e-6),
    ]  # fmt: skip


def test_both_readers_see_the_same_random_graphs():
    for seed in range(10):
        drawn = nx.gnm_random_graph(8, 18, seed=seed)
        drawn = nx.relabel_nodes(drawn, {node: f"s{node}" for node in drawn})
        assert nx.is_connected(drawn)
        text = "\n".join(nx.generate_graphml(drawn))
        fabric = loads(text, "f", Unsaid(hosts_per_switch=1)).fabric
        switches = nx.Graph(fabric.graph.subgraph(fabric.switches))
        assert nx.utils.graphs_equal(nx.Graph(switches.edges), nx.Graph(nx.parse_graphml(text).edges))


def test_the_topology_zoo_s_files_are_read():
    text = """<?xml version="1.0" encoding="utf-8"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key attr.name="LinkSpeed" attr.type="string" for="edge" id="d38" />
  <key attr.name="LinkSpeedUnits" attr.type="string" for="edge" id="d37" />
  <key attr.name="LinkSpeedRaw" attr.type="double" for="edge" id="d39" />
  <key attr.name="label" attr.type="string" for="node" id="d33" />
  <key attr.name="type" attr.type="string" for="node" id="d34" />
  <key attr.name="Network" attr.type="string" for="graph" id="d1" />
  <graph edgedefault="undirected">
    <data key="d1">Research</data>
    <node id="0"><data key="d33">Zürich</data><data key="d34">Green Highlight</data></node>
    <node id="1"><data key="d33">New York</data></node>
    <node id="2"><data key="d33">New York</data></node>
    <edge source="0" target="1"><data key="d39">10000000000.0</data><data key="d38">1</data></edge>
    <edge source="1" target="2"><data key="d38">2.5</data><data key="d37">G</data></edge>
    <edge id="e2" source="0" target="2"></edge>
  </graph></graphml>"""
    imported = loads(text, "f", Unsaid(hosts_per_switch=1))
    assert imported.fabric.name == "Research"
    assert imported.fabric.switches == ("Zurich", "New-York", "New-York-2")
    assert [link.rate_bps for link in imported.fabric.links[:3]] == [10**10, 25 * 10**8, 10**11]
    assert [note.removeprefix("f: ") for note in imported.notes] == [
        "3 nodes were renamed to letters, digits, - and _: 'Zürich' is Zurich",
        "1 of 3 links state no rate; 100Gb/s was taken (--rate)",
        "1 hosts were plugged into each of 3 switches, at 100Gb/s",
    ]


@pytest.mark.parametrize(
    ("said", "rate_bps"),
    [({"rate_bps": "7"}, 7), ({"LinkSpeedRaw": "1e9"}, 10**9), ({"bw": "100"}, 10**8), ({"bw": "1G"}, 10**9),
     ({"rate": " 40 Gb/s "}, 4 * 10**10), ({"rate": "1000000"}, 10**6),
     ({"LinkSpeed": "155", "LinkSpeedUnits": "M"}, 155 * 10**6),
     ({"rate": "", "rate_bps": "5"}, 5), ({"rate": "1G", "rate_bps": "5"}, 5)],
)  # fmt: skip
def test_rates_by_many_names(said, rate_bps):
    assert link(**said).rate_bps == rate_bps


def test_latencies_by_many_names():
    assert link(rate="1G", latency_s="2e-06").latency_s == 2e-6
    assert link(rate="1G", delay="2us").latency_s == 2e-6
    assert link(rate="1G", delay="0").latency_s == 0
    assert link(rate="1G").latency_s == 0


def test_graphml_s_own_ports_are_taken():
    text = graph(HOST, SWITCH, '<edge source="h1" target="s1" sourceport="2" targetport="7"/>')
    found = loads(text, "f").fabric.links[0]
    assert (found.a, found.b) == (Port("h1", 2), Port("s1", 7))
    named = text.replace('"2"', '"eth0"')
    assert loads(named, "f").fabric.links[0].a == Port("h1", 1)


def test_an_edge_and_one_back_are_one_link():
    text = graph(HOST, SWITCH, edge(rate="1G"), edge("s1", "h1", rate="1G"), edge(rate="2G"), edges="directed")
    assert [link.rate_bps for link in loads(text, "f").fabric.links] == [10**9, 2 * 10**9]
    assert len(loads(text.replace('"directed"', '"undirected"'), "f").fabric.links) == 3


def test_yed_s_labels_are_names():
    label = '<y:ShapeNode xmlns:y="u"><y:Geometry height="3"/><y:NodeLabel>\n leaf1 \n</y:NodeLabel></y:ShapeNode>'
    text = graph(HOST, f'<node id="n0"><data key="d6">{label}</data></node>', edge(b="n0"))
    assert loads(text, "f").fabric.switches == ("leaf1",)


def test_a_key_s_default_counts():
    text = graph(HOST, SWITCH, edge(), edge(rate="2G"))
    key = '<key id="rate" for="all" attr.name="rate" attr.type="string"/>'
    text = text.replace(key, '<key id="rate" for="edge" attr.name="rate"><default>5G</default></key>')
    assert [link.rate_bps for link in loads(text, "f").fabric.links] == [5 * 10**9, 2 * 10**9]


def test_the_file_names_a_graph_without_a_name():
    assert loads(graph(HOST, SWITCH, edge()), "maps/geant.v2.graphml").fabric.name == "geant"


def test_no_word_means_both():
    assert not HOST_WORDS & SWITCH_WORDS


BOMB = "<!ENTITY e0 'x'>" + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))

WRONG = [
    ("", "f:1: is no XML: no element found"),
    ("<graphml><graph>", "f:1: is no XML: no element found"),
    ("<svg/>", "f:1: is no GraphML: it begins with <svg>"),
    ("<graphml/>", "f:1: holds no <graph>"),
    (graph("<node id='h1' id='x'/>"), "f:4: is no XML: duplicate attribute"),
    (graph("&nbsp;"), "f:4: is no XML: undefined entity"),
    (f"<?xml version='1.0'?>\n<!DOCTYPE graphml [{BOMB}]><graphml>&e11;</graphml>", "f:2: has a <!DOCTYPE>"),
    ("<!DOCTYPE g SYSTEM 'file:///etc/passwd'><graphml/>", "f:1: has a <!DOCTYPE>, which is not read here"),
    ("<graphml>" + "<a>" * 100_000, "f:1: nested more than 20 deep"),
    (graph("<node id='a'><graph/></node>"), "f:4: a graph in a graph; write it flat"),
    (graph("</graph>", "<graph>"), "f:5: a second graph begins"),
    (graph("<hyperedge/>"), "f:4: a <hyperedge> joins more than two nodes"),
    ("<graphml><node id='a'/></graphml>", "f:1: a <node> outside of the <graph>"),
    (graph(SWITCH), f"f:1: {NO_HOSTS}; mark the hosts (kind: host), or add some with --hosts-per-switch N"),
    (graph("<node/>"), "f:4: node None: has no id"),
    (graph(SWITCH, SWITCH), "f:5: node 's1': a second node of that id"),
    (graph(HOST, f"<node id='x'>\n{data(kind='toaster')}</node>"), "f:6: node 'x': kind: 'toaster' is neither"),
    (graph(HOST, SWITCH, edge(b="s2")), "f:6: edge h1-s2: target 's2' is no node"),
    (graph(HOST, SWITCH, "<edge source='h1'/>"), "f:6: edge h1-?: target None is no node"),
    (graph(HOST, SWITCH, edge(rate="fast")), "f:6: edge h1-s1: rate: 'fast' is not a rate"),
    (graph(HOST, SWITCH, edge(rate="100")), "f:6: edge h1-s1: rate: '100 (of what unit?)' is"),
    (graph(HOST, SWITCH, edge(LinkSpeedRaw="-3")), "f:6: edge h1-s1: LinkSpeedRaw: '-3' is not a rate"),
    (graph(HOST, SWITCH, edge(rate_bps="0")), "f:6: edge h1-s1: rate_bps: rate '0b/s' is out of range"),
    (graph(HOST, SWITCH, edge(delay="3")), "f:6: edge h1-s1: delay: '3' is not a latency: write a number and a unit"),
    (graph(HOST, SWITCH, edge(latency_s="30")), "f:6: edge h1-s1: link h1-s1: latency 30.0 s must be"),
    (graph(HOST, SWITCH, edge(source_port="1")), "f:6: edge h1-s1: source_port and target_port must be port numbers"),
    (graph(HOST, SWITCH, edge(source_port="0", target_port="1")), "f:6: edge h1-s1: source_port and target_port must"),
    (graph(HOST, SWITCH, edge(a="s1")), "f:6: edge s1-s1: link s1-s1: joins 's1' with itself"),
    (graph(HOST, HOST.replace("h1", "h2"), edge(b="h2")), "f:6: edge h1-h2: link h1-h2: joins two hosts"),
    (graph(HOST, SWITCH), "f:4: node 'h1': host 'h1' has no link"),
    (graph(HOST, SWITCH, edge(rate="1G"), edge("s1", "h1", rate="2G"), edges="directed"), "f:7: edge s1-h1: has anoth"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_file_gets_a_line_with_its_place(text, message):
    with pytest.raises(DocumentError) as caught:
        loads(text, "f")
    assert any(line.startswith(message) for line in caught.value.errors), caught.value.errors


def test_all_edges_are_judged_at_once():
    with pytest.raises(DocumentError) as caught:
        loads(graph(HOST, SWITCH, edge(b="x"), edge(a="y"), edge(b="z")), "f")
    assert [line.split(": ")[0] for line in caught.value.errors] == ["f:6", "f:7", "f:8"]


def test_a_file_too_long_is_refused_unread():
    with pytest.raises(DocumentError, match="f: longer than 8388608 characters"):
        loads(" " * (8 * 2**20 + 1), "f")


def test_half_a_character_is_refused():
    with pytest.raises(DocumentError, match="f: is no UTF-8 text"):
        loads("<graphml>\ud800</graphml>", "f")


def test_many_defaults_of_many_nodes_take_no_memory():
    keys = "".join(f'<key id="k{n}" for="all"><default>{n}</default></key>' for n in range(5000))
    nodes = "".join(f'<node id="s{n}"/>' for n in range(5000))
    assert len(read(f"<graphml>{keys}<graph>{nodes}</graph></graphml>", "f").nodes[0].data) == 5000
