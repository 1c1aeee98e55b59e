"""A fabric as GraphML, which networkx, Gephi, yEd and the Internet Topology Zoo speak; read back exactly.

What other tools call things, in the order in which it is looked for (upper and lower case are one):

=========  =======================================================================================================
what       attribute
=========  =======================================================================================================
kind       ``kind``, ``type``, ``role``, ``node_type``: a word of ``HOST_WORDS`` or ``SWITCH_WORDS``; else a switch
name       ``label``, ``name``, else the node's id; made to fit where a fabric would not take it
rate       ``rate_bps``, ``LinkSpeedRaw`` (b/s); ``bw`` (Mb/s, as in Mininet); ``rate``, ``bandwidth``, ``capacity``,
           ``speed``, ``LinkSpeed`` with its unit, or from 10^6 up in b/s; ``LinkSpeedUnits`` may be the unit
latency    ``latency_s``; ``latency_ms``, ``delay_ms``, ``latency_us``, ``delay_us``; ``latency``, ``delay`` with unit
ports      ``source_port`` and ``target_port``, or GraphML's own ``sourceport`` and ``targetport``
=========  =======================================================================================================

In a directed graph an edge and one back are one link, which carries its rate each way.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from html import escape
from typing import Any

from topologies.drafts import Draft, Imported, Spot, Unsaid, fit_names, note_renamed, stem
from topologies.fabric import Fabric, Link
from topologies.formats import to_data
from topologies.graphml_elements import Attribute, Element, Graph, read

KIND_NAMES = ("kind", "type", "role", "node_type")
HOST_WORDS = frozenset({"host", "server", "compute", "endpoint", "end-host", "endhost", "client", "gpu", "h"})
SWITCH_WORDS = frozenset({
    "switch", "router", "bridge", "leaf", "spine", "superspine", "tor", "access", "edge", "aggregation", "agg", "core",
    "border", "gateway", "s", "r",
})  # fmt: skip
RATE_UNITS = {"rate_bps": "b/s", "linkspeedraw": "b/s", "bw": "Mb/s"}
RATE_NAMES = (*RATE_UNITS, "rate", "bandwidth", "capacity", "speed", "linkspeed")
LATENCY_UNITS = {"latency_s": "s", "latency_ms": "ms", "delay_ms": "ms", "latency_us": "us", "delay_us": "us"}
LATENCY_NAMES = (*LATENCY_UNITS, "latency", "delay")
LEAST_BARE_BPS = 10**6
"""A smaller rate without a unit was hardly meant in b/s."""

_Pairs = defaultdict[tuple[str, str], list[dict[str, Any]]]
"""Directed edges from (node, node) whose way back has not come."""

_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key id="name" for="graph" attr.name="name" attr.type="string"/>
  <key id="name_json" for="graph" attr.name="name_json" attr.type="string"/>
  <key id="kind" for="node" attr.name="kind" attr.type="string"/>
  <key id="rate_bps" for="edge" attr.name="rate_bps" attr.type="long"/>
  <key id="latency_s" for="edge" attr.name="latency_s" attr.type="double"/>
  <key id="source_port" for="edge" attr.name="source_port" attr.type="int"/>
  <key id="target_port" for="edge" attr.name="target_port" attr.type="int"/>
  <key id="link_name" for="edge" attr.name="link_name" attr.type="string"/>
  <key id="link_name_json" for="edge" attr.name="link_name_json" attr.type="string"/>
  <graph edgedefault="undirected">
"""
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML can't hold


def dumps(fabric: Fabric) -> str:
    """GraphML that ``loads`` reads back to an equal fabric, and networkx to a graph with the same attributes."""
    lines = [f"    {_named('name', fabric.name)}"]
    lines += [f'    <node id="{host}">{_datum("kind", "host")}</node>' for host in fabric.hosts]
    lines += [f'    <node id="{switch}">{_datum("kind", "switch")}</node>' for switch in fabric.switches]
    lines += [
        f'    <edge source="{link.a.node}" target="{link.b.node}">{_edge_data(link, "name" in entry)}</edge>'
        for link, entry in zip(fabric.links, to_data(fabric)["links"], strict=True)
    ]
    return _HEAD + "\n".join(lines) + "\n  </graph>\n</graphml>\n"


def loads(text: str, where: str = "fabric", unsaid: Unsaid | None = None) -> Imported:
    """The fabric in GraphML ``text``; ``where`` (a file's name) goes into errors.

    Raises DocumentError, one line an error: ``WHERE:LINE: field: what; what to do``.
    """
    graph = read(text, where)
    draft = Draft(where, _graph_name(graph, where))
    names = _add_nodes(graph, draft)
    pairs: _Pairs = defaultdict(list)
    for edge in [] if draft.errors else graph.edges:
        ends = [names.get(edge.tag.get(end, "")) for end in ("source", "target")]
        for end, name in zip(("source", "target"), ends, strict=True):
            if name is None:
                draft.refuse(_spot(edge), f"{end} {edge.tag.get(end)!r} is no node; give the id of a <node>")
        if None not in ends:
            _add_edge(edge, ends, draft, pairs if _is_directed(edge, graph) else None)
    return draft.finish(unsaid or Unsaid())


def _edge_data(link: Link, has_own_name: bool) -> str:
    return "".join((
        _datum("rate_bps", str(link.rate_bps)),
        _datum("latency_s", repr(link.latency_s)),
        _datum("source_port", str(link.a.number)),
        _datum("target_port", str(link.b.number)),
        _named("link_name", link.name) if has_own_name else "",
    ))  # fmt: skip


def _datum(key: str, text: str) -> str:
    return f'<data key="{key}">{escape(text).replace(chr(13), "&#13;")}</data>'


def _named(key: str, text: str) -> str:
    """The datum of a name; as JSON where it holds characters that XML has no way to write."""
    return _datum(f"{key}_json", json.dumps(text)) if _NO_XML.search(text) else _datum(key, text)


def _graph_name(graph: Graph, where: str) -> str:
    data = graph.whole.data
    written = _own_name(graph.whole, "name")
    if written is None and "network" in data:  # the Topology Zoo's word
        written = data["network"][0].strip()
    return stem(where) if written is None else written


def _own_name(element: Element, key: str) -> str | None:
    """The name that ``_named`` wrote; None where there is none."""
    if f"{key}_json" in element.data:
        try:
            decoded = json.loads(element.data[f"{key}_json"][0])
        except (ValueError, RecursionError):
            return None
        return decoded if isinstance(decoded, str) else None
    return element.data[key][0] if key in element.data else None


def _add_nodes(graph: Graph, draft: Draft) -> dict[str, str]:
    """Ids to names."""
    wanted = [_wanted_name(node) for node in graph.nodes]
    fit = fit_names(wanted)
    draft.notes += note_renamed(wanted, fit)
    names: dict[str, str] = {}
    for node, name in zip(graph.nodes, fit, strict=True):
        identity = node.tag.get("id")
        if identity is None:
            draft.refuse(_spot(node), "has no id; give each node one")
        elif identity in names:
            draft.refuse(_spot(node), "a second node of that id; give each node its own")
        else:
            names[identity] = name
        draft.add_node(name, _spot(node), is_host=_is_host(node, draft))
    return names


def _wanted_name(node: Element) -> str:
    for key in ("label", "name"):
        if key in node.data and node.data[key][0].strip():
            return node.data[key][0].strip()
    return node.tag.get("id", "")


def _is_host(node: Element, draft: Draft) -> bool:
    for key in KIND_NAMES:
        word = node.data[key][0].strip().lower() if key in node.data else ""
        if word in HOST_WORDS or word in SWITCH_WORDS:
            return word in HOST_WORDS
        if word and key == "kind":
            draft.refuse(_spot(node, node.data[key]), f"{word!r} is neither host nor switch; write one of the two")
    return False


def _add_edge(edge: Element, ends: list[str | None], draft: Draft, pairs: _Pairs | None) -> None:
    """``pairs`` is None for an edge without direction."""
    entry: dict[str, Any] = {"a": ends[0], "b": ends[1]}
    fields: dict[str, Spot] = {}
    _read_rate(edge, entry, fields)
    _read_latency(edge, entry, fields)
    _read_ports(edge, entry, draft)
    name = _own_name(edge, "link_name")
    if name is not None:
        entry["name"] = name
    if pairs is None or not _is_way_back(edge, entry, pairs, draft):
        draft.add_link(entry, _spot(edge), fields)


def _read_rate(edge: Element, entry: dict[str, Any], fields: dict[str, Spot]) -> None:
    name = next((name for name in RATE_NAMES if _says(edge, name)), None)
    if name is None:
        return
    text = edge.data[name][0].strip()
    unit = RATE_UNITS.get(name, "")
    if name == "linkspeed" and _says(edge, "linkspeedunits"):
        unit = edge.data["linkspeedunits"][0].strip()
    entry["rate"] = f"{text}{unit}" if _is_number(text) else text
    if not unit and _is_number(text) and float(text) < LEAST_BARE_BPS:
        entry["rate"] = f"{text} (of what unit?)"  # no rate: the error shows how to write one
    fields["rate"] = _spot(edge, edge.data[name])


def _read_latency(edge: Element, entry: dict[str, Any], fields: dict[str, Spot]) -> None:
    name = next((name for name in LATENCY_NAMES if _says(edge, name)), None)
    if name is not None:
        text = edge.data[name][0].strip()
        entry["latency"] = f"{text}{LATENCY_UNITS.get(name, '')}" if _is_number(text) else text
        fields["latency"] = _spot(edge, edge.data[name])


def _read_ports(edge: Element, entry: dict[str, Any], draft: Draft) -> None:
    texts = [
        edge.data[f"{end}_port"][0] if f"{end}_port" in edge.data else edge.tag.get(f"{end}port")
        for end in ("source", "target")
    ]
    if texts == [None, None]:
        return
    numbers = [int(text) for text in texts if text and re.fullmatch(r"[0-9]{1,9}", text.strip())]
    if len(numbers) == len(texts) and min(numbers) > 0:
        entry["ports"] = numbers
    elif "source_port" in edge.data or "target_port" in edge.data or None in texts:
        draft.refuse(_spot(edge), "source_port and target_port must be port numbers, from 1; write both or neither")


def _is_directed(edge: Element, graph: Graph) -> bool:
    default = graph.whole.tag.get("edgedefault") == "directed"
    return edge.tag.get("directed", str(default)).lower() == "true"


def _is_way_back(edge: Element, entry: dict[str, Any], pairs: _Pairs, draft: Draft) -> bool:
    """Whether ``edge`` is the other direction of a link that was added before; if not, it waits for its own."""
    waiting = pairs[entry["b"], entry["a"]]
    if not waiting:
        pairs[entry["a"], entry["b"]].append(entry)
        return False
    if waiting.pop(0).get("rate") != entry.get("rate"):
        draft.refuse(_spot(edge), "has another rate than the edge the other way; a link has one rate both ways")
    return True


def _says(edge: Element, name: str) -> bool:
    return name in edge.data and bool(edge.data[name][0].strip())


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]{1,3})?", text) is not None


def _spot(element: Element, attribute: Attribute | None = None) -> Spot:
    tag = element.tag
    called = f"edge {tag.get('source', '?')}-{tag.get('target', '?')}" if "source" in tag else f"node {tag.get('id')!r}"
    return (element.line, called) if attribute is None else (attribute[1], f"{called}: {attribute[2]}")
