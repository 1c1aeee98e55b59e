"""A fabric as a containerlab topology (``*.clab.yml``), and back.

Reading. A node is a host where its kind is ``linux`` (its own, its group's, or the default), unless its label
``ringlab-kind`` says ``switch``; all others are switches. Links may be written in the brief or in the extended form;
those that leave the topology (to the container host, the management network, a macvlan, ...) are left out, with a
note. An interface's last number is the port's (``eth3``, ``e1-3``: port 3) on a node where that gives each interface
a number of its own, from 1; else ports are numbered in the order of the links. containerlab shapes no links: a rate
and a latency are read from a link's ``vars`` where they stand there, as in what ``dumps`` writes.

Writing. Every node is a ``linux`` container, because that deploys as it is: containerlab's bridge kinds want bridges
that somebody made before. A switch bridges its ports with spanning tree on, hosts get the addresses of
``addressing``. What can't be held is the fabric's name, where containerlab would not take it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

from topologies import addressing
from topologies.drafts import Draft, Imported, Spot, Unsaid, fit_names, note_renamed, stem
from topologies.fabric import Fabric
from topologies.formats import plain_or_quoted, to_data
from topologies.yaml_lines import Document, FieldPath, Problems, name_kind, read

IMAGE = "ghcr.io/hellt/network-multitool"
"""Linux with a full iproute2, which the switches' bridges need; small, and containerlab's own examples use it."""

_SPANNING_TREE = "stp_state 1 forward_delay 400 hello_time 100 max_age 600"
"""Times in 1/100 s: a port forwards after twice 4 s, instead of twice 15."""

KIND_LABEL = "ringlab-kind"
OUTSIDE = ("host", "mgmt-net", "macvlan", "vxlan", "vxlan-stitch", "dummy")
"""What stands for a node in a link, and for a link's type, where the link leaves the topology."""

MAX_PORT = 65279
"""The last port that Open vSwitch gives (below OpenFlow 1.0's OFPP_MAX, 0xff00)."""

LINK_LIKE = 'write a link like endpoints: ["leaf1:eth1", "h1:eth1"]'

_LABELS = {"host": "linux", "switch": "switch"}
_VARS = {"rate": "rate", "latency": "latency", "name": "link_name"}
"""Fields of a link, and the vars they are kept in."""

_End = tuple[str, str]
"""A node and its interface."""


def is_containerlab(data: object) -> bool:
    """Whether the data of a YAML file is meant as a containerlab topology."""
    return isinstance(data, dict) and isinstance(data.get("topology"), dict)


def dumps(fabric: Fabric, image: str = IMAGE) -> str:
    """A topology that ``containerlab deploy`` runs and ``loads`` reads back to an equal fabric, but for its name."""
    lines = [
        "# A fabric for containerlab. Each node is a Linux container; switches bridge their ports, with spanning tree.",
        "# containerlab shapes no links: the rates and latencies in vars are kept for ringlab, and change nothing.",
        f"name: {plain_or_quoted(lab_name(fabric))}",
        "topology:",
        f"  defaults: {{kind: linux, image: {plain_or_quoted(image)}}}",
        "  nodes:",
    ]
    for host, of_host in groupby(addressing.nics(fabric), key=attrgetter("host")):
        lines += [f"    {plain_or_quoted(host)}:", "      exec:", *_exec(_host_commands(of_host))]
    for switch in fabric.switches:
        lines += [f"    {plain_or_quoted(switch)}:", f"      labels: {{{KIND_LABEL}: switch}}"]
        lines += ["      exec:", *_exec(_switch_commands(fabric, switch))]
    lines += ["  links:"]
    for link, entry in zip(fabric.links, to_data(fabric)["links"], strict=True):
        ends = ", ".join(f'"{port.node}:eth{port.number}"' for port in (link.a, link.b))
        name = f", link_name: {plain_or_quoted(link.name)}" if "name" in entry else ""
        said = f"rate: {entry['rate']}, latency: {entry['latency']}{name}"
        lines += [f"    - {{endpoints: [{ends}], vars: {{{said}}}}}"]
    return "\n".join(lines) + "\n"


def lab_name(fabric: Fabric) -> str:
    """The fabric's name as containers' names can carry it."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", fabric.name).strip("-_.")
    return name or "fabric"


def loads(text: str, where: str = "fabric", unsaid: Unsaid | None = None) -> Imported:
    """The fabric in a containerlab topology ``text``; ``where`` (a file's name) goes into errors.

    Raises DocumentError, one line an error: ``WHERE:LINE: field: what; what to do``.
    """
    return from_document(read(text, where), unsaid)


def from_document(document: Document, unsaid: Unsaid | None = None) -> Imported:
    """As ``loads``, for a document already read."""
    _check_shape(document)
    data = document.data
    topology = data["topology"]
    name = data.get("name")
    draft = Draft(document.where, name if isinstance(name, str) else stem(document.where))
    nodes = _add_nodes(document, topology, draft)
    links = list(_links(document, topology.get("links") or [], nodes, draft))
    hosts = frozenset(draft.data["hosts"])
    for path, ends, _ in links:
        if all(nodes.get(node) in hosts for node, _ in ends):
            what = f"joins two hosts; a switch of kind linux needs the label {KIND_LABEL}: switch"
            draft.refuse(_spot(document, path), what)
    if not draft.errors:
        ports = _ports(links)
        for path, (a, b), said in links:
            entry = {"a": nodes[a[0]], "b": nodes[b[0]], "ports": [ports[a], ports[b]]} | said
            fields = {key: _spot(document, (*path, "vars", _VARS[key])) for key in said}
            draft.add_link(entry, _spot(document, path), fields)
    return draft.finish(unsaid or Unsaid())


def _host_commands(nics: Iterable[addressing.Nic]) -> Iterator[str]:
    for nic in nics:
        yield f"ip link set eth{nic.port.number} address {nic.mac} up"
        yield f"ip addr add {nic.ip}/{addressing.PREFIX_LENGTH} dev eth{nic.port.number}"


def _switch_commands(fabric: Fabric, switch: str) -> Iterator[str]:
    yield f"ip link add bridge type bridge {_SPANNING_TREE}"
    for port in fabric.ports(switch):
        yield f"ip link set eth{port.number} master bridge up"
    yield "ip link set bridge up"


def _exec(commands: Iterator[str]) -> list[str]:
    return [f"        - {command}" for command in commands]


def _check_shape(document: Document) -> None:
    problems, data = Problems(document), document.data
    if not is_containerlab(data):
        problems.add((), "is no containerlab topology; it has a mapping topology with nodes and links")
        problems.raise_any()
    topology = data["topology"]
    if not isinstance(topology.get("nodes"), dict):
        problems.add(("topology", "nodes"), f"is {name_kind(topology.get('nodes'))}; write a mapping, a node a line")
    if not isinstance(topology.get("links") or [], list):
        problems.add(("topology", "links"), f"is {name_kind(topology['links'])}; write a list, one link an item")
    problems.raise_any()


def _add_nodes(document: Document, topology: dict[str, Any], draft: Draft) -> dict[str, str]:
    """The file's names to the fabric's, without what stands for the container host."""
    kinds = {name: _kind(node, topology) for name, node in topology["nodes"].items()}
    inside = [name for name, kind in kinds.items() if kind != "host"]
    names = dict(zip(inside, fit_names(inside), strict=True))
    draft.notes += note_renamed(names.keys(), names.values())
    for name in inside:
        spot = _spot(document, ("topology", "nodes", name))
        if kinds[name] is None:
            draft.refuse(spot, "has no kind; write kind: linux for a host, another kind for a switch")
        draft.add_node(names[name], spot, is_host=kinds[name] == "linux")
    return names


def _kind(node: object, topology: dict[str, Any]) -> str | None:
    """The kind that containerlab would take: the node's, its group's or the default. ``KIND_LABEL`` comes first."""
    own = _mapping(node)
    group = _mapping(_mapping(topology.get("groups")).get(str(own.get("group"))))
    levels = (own, group, _mapping(topology.get("defaults")))
    labels = (_mapping(level.get("labels")).get(KIND_LABEL) for level in levels)
    label = next((label for label in labels if isinstance(label, str) and label in _LABELS), None)
    if label is not None:
        return _LABELS[label]
    return next((level["kind"] for level in levels if isinstance(level.get("kind"), str)), None)


def _links(
    document: Document, links: list[Any], nodes: dict[str, str], draft: Draft
) -> Iterator[tuple[FieldPath, list[_End], dict[str, Any]]]:
    """The links between nodes: where each stands, its two ends, and what its vars say."""
    outside = {*OUTSIDE, *document.data["topology"]["nodes"]} - nodes.keys()
    left_out = 0
    for index, link in enumerate(links):
        path: FieldPath = ("topology", "links", index)
        ends = _ends(document, path, link, draft)
        if ends is None:
            continue
        if not ends or any(node in outside for node, _ in ends):
            left_out += 1
            continue
        for node, _ in ends:
            if node not in nodes:
                draft.refuse(_spot(document, path), f"{node!r} is no node; name it in topology.nodes")
        said = _mapping(link.get("vars"))
        yield path, ends, {field: said[var] for field, var in _VARS.items() if var in said}
    if left_out:
        draft.notes.append(f"{left_out} links that leave the topology were left out")


def _ends(document: Document, path: FieldPath, link: object, draft: Draft) -> list[_End] | None:
    """The two ends of a link; none for a link that leaves the topology; None, and an error, where it is wrong."""
    spot = _spot(document, path)
    if not isinstance(link, dict):
        draft.refuse(spot, f"is {name_kind(link)}; {LINK_LIKE}")
        return None
    if link.get("type", "veth") in OUTSIDE:
        return []
    written = link.get("endpoints")
    if not isinstance(written, list) or len(written) != 2:
        draft.refuse(spot, f"needs two endpoints; {LINK_LIKE}")
        return None
    ends = [_end(end) for end in written]
    for index, end in enumerate(ends):
        if end is None:
            draft.refuse(_spot(document, (*path, "endpoints", index)), f"is no NODE:INTERFACE; {LINK_LIKE}")
    found = [end for end in ends if end is not None]
    return found if len(found) == 2 else None


def _end(end: object) -> _End | None:
    if isinstance(end, str):
        node, colon, interface = end.partition(":")
        return (node, interface) if colon and node and interface else None
    given = _mapping(end)
    name, port = given.get("node"), given.get("interface")
    return (name, port) if isinstance(name, str) and isinstance(port, str) else None


def _ports(links: list[tuple[FieldPath, list[_End], dict[str, Any]]]) -> dict[_End, int]:
    """Port numbers: the interfaces' own last numbers on a node where they make sense, else in the order of links."""
    interfaces: dict[str, list[str]] = {}
    for _, ends, _ in links:
        for node, interface in ends:
            interfaces.setdefault(node, []).append(interface)
    ports: dict[_End, int] = {}
    for node, names in interfaces.items():
        numbers = [_last_number(name) for name in names]
        if min(numbers) < 1 or max(numbers) > MAX_PORT or max(Counter(numbers).values()) > 1:
            numbers = list(range(1, len(names) + 1))
        ports |= {(node, name): number for name, number in zip(names, numbers, strict=True)}
    return ports


def _last_number(interface: str) -> int:
    found = re.findall(r"[0-9]{1,9}", interface)
    return int(found[-1]) if found else 0


def _spot(document: Document, path: FieldPath) -> Spot:
    place = document.place(path).removeprefix(document.where)
    line, _, called = place.removeprefix(":").partition(": ")
    return (int(line), called) if line.isdigit() else (1, place.removeprefix(": "))


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
