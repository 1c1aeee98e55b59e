"""A fabric as the edge list that ns-3 RDMA simulators read: ASTRA-sim's ns-3 backend, HPCC's, SimAI's; and back.

ASTRA-sim's and HPCC's begin with ``nodes switches links``, SimAI's with ``nodes gpus_per_server nvswitches switches
links gpu_type``. The ids of the switches follow (of NVSwitches first), then a link a line::

    5 1 4
    4
    0 4 100Gbps 0.001ms 0
    ...

that is: source, destination, rate, one-way delay, error rate. Ids are from 0; those that are no switch's are hosts.
They are read as h1, h2, ..., s1, s2, ... and nvswitch1, nvswitch2, ... in the order of ids, and ports are numbered in
the order of links, as ns-3 numbers its devices; but a host's link to an NVSwitch gets its last port, so that the fabric
is what a flow of channel 0 takes. Writing numbers hosts first, then switches, in the order of the fabric.

Source: ``scratch/common.h`` of astra-network-ns3, ``SetupNetwork``; the same of SimAI; SimAI's ``inputs/topo``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from topologies.counts import check_links, numbered
from topologies.drafts import Draft, Imported, Unsaid, stem
from topologies.fabric import Fabric, FabricError, Link
from topologies.rates import format_latency, format_rate
from topologies.word_lines import whole_number, word_lines

ASTRA_SIM = ("nodes", "switches", "links")
SIMAI = ("nodes", "gpus_per_server", "nvswitches", "switches", "links", "gpu_type")
LINK_LIKE = "write a link like 0 4 100Gbps 0.001ms 0"
NVSWITCH = re.compile(r"nvswitch[0-9]+")
"""Switches of such names are NVSwitches where SimAI's form is written."""

_Line = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class _Header:
    line: int
    nodes: int
    nvswitches: int
    switches: int
    links: int
    gpus_per_server: int | None = None
    gpu_type: str = ""


def is_ns3(text: str) -> bool:
    """Whether ``text`` begins as these files do."""
    words = next((words for _, words in word_lines(text)), [])
    numbers = words[: len(SIMAI) - 1] if len(words) == len(SIMAI) else words
    return len(words) in (len(ASTRA_SIM), len(SIMAI)) and all(whole_number(word) is not None for word in numbers)


def loads(text: str, where: str = "fabric", unsaid: Unsaid | None = None) -> Imported:
    """The fabric in ``text``; ``where`` (a file's name) goes into errors.

    Raises DocumentError, one line an error: ``WHERE:LINE: field: what; what to do``.
    """
    draft = Draft(where, stem(where))
    lines = list(word_lines(text))
    header = _header(lines, draft)
    if header is not None:
        names, rest = _add_nodes(header, lines[1:], draft)
        if not draft.errors:
            _add_links(header, names, rest, draft)
    return draft.finish(unsaid or Unsaid())


def dumps(fabric: Fabric) -> str:
    """The edge list of ASTRA-sim's ns-3 backend. ``loads`` reads it back to an equal fabric but for its names."""
    header = f"{len(fabric.nodes)} {len(fabric.switches)} {len(fabric.links)}"
    return _written(header, [*fabric.hosts, *fabric.switches], fabric)


def dumps_simai(fabric: Fabric, gpu_type: str = "NONE") -> str:
    """SimAI's edge list; its NVSwitches are the switches called ``nvswitch1``, ``nvswitch2``, ....

    Hosts are its GPUs; those on one NVSwitch are a server. FabricError where servers have different numbers of GPUs.
    """
    nvswitches = [switch for switch in fabric.switches if NVSWITCH.fullmatch(switch)]
    sizes = {len(fabric.ports(switch)): switch for switch in nvswitches}
    if len(sizes) > 1:
        (least, one), *_, (most, other) = sorted(sizes.items())
        raise FabricError(
            f"{one} has {least} GPUs and {other} {most}; SimAI's servers are alike: choose another format"
        )
    server = next(iter(sizes), 1)
    others = [switch for switch in fabric.switches if switch not in set(nvswitches)]
    header = f"{len(fabric.nodes)} {server} {len(nvswitches)} {len(others)} {len(fabric.links)} {gpu_type}"
    return _written(header, [*fabric.hosts, *nvswitches, *others], fabric)


def _written(header: str, nodes: Sequence[str], fabric: Fabric) -> str:
    number = {node: place for place, node in enumerate(nodes)}
    switches = " ".join(str(place) for place in range(len(fabric.hosts), len(nodes)))
    links = (f"{number[link.a.node]} {number[link.b.node]} {_quantities(link)} 0" for link in fabric.links)
    return "\n".join([header, switches, *links]) + "\n"


def _quantities(link: Link) -> str:
    rate = format_rate(link.rate_bps)
    return f"{rate}bps {format_latency(link.latency_s) if link.latency_s else '0ns'}"


def _header(lines: Sequence[_Line], draft: Draft) -> _Header | None:
    """None, and an error, where the first line is none."""
    line, words = lines[0] if lines else (1, [])
    names = {len(ASTRA_SIM): ASTRA_SIM, len(SIMAI): SIMAI}.get(len(words))
    if names is None:
        what = f"has {len(words)} words; write {' '.join(ASTRA_SIM)}, or for SimAI {' '.join(SIMAI)}"
        draft.refuse((line, "header"), what)
        return None
    given = dict(zip(names, words, strict=True))
    gpu_type = given.pop("gpu_type", "")
    counts = {name: whole_number(word) for name, word in given.items()}
    for name, count in counts.items():
        if count is None:
            draft.refuse((line, f"header: {name}"), f"{given[name]!r} is no whole number; write one")
            return None
    found = {name: count or 0 for name, count in counts.items()}
    nvswitches = found.get("nvswitches", 0)
    header = _Header(
        line, found["nodes"], nvswitches, found["switches"], found["links"], found.get("gpus_per_server"), gpu_type
    )
    if header.nodes <= nvswitches + header.switches:
        draft.refuse(
            (line, "header"), f"{header.nodes} nodes with {nvswitches + header.switches} switches: no host is left"
        )
        return None
    try:
        check_links(max(header.links, header.nodes))
    except FabricError as error:
        draft.refuse((line, "header"), str(error))
        return None
    return header


def _add_nodes(header: _Header, lines: Sequence[_Line], draft: Draft) -> tuple[dict[int, str], Sequence[_Line]]:
    """Names by id, and the lines that are left: ids of switches may stand in several lines."""
    wanted = header.nvswitches + header.switches
    ids: dict[int, int] = {}
    taken = 0
    while taken < len(lines) and len(ids) < wanted and not draft.errors:
        line, words = lines[taken]
        for word in words:
            node = whole_number(word)
            if node is None or node >= header.nodes:
                draft.refuse((line, "switch ids"), f"{word!r} is none; ids are 0 to {header.nodes - 1}")
                break
            if node in ids:
                draft.refuse((line, "switch ids"), f"{node} is there twice; keep one")
                break
            ids[node] = line
        taken += 1
    if not draft.errors and len(ids) != wanted:
        draft.refuse(
            (header.line, "header"), f"tells of {wanted} switches, and {len(ids)} ids follow; write the right number"
        )
    return _named(header, ids, draft), lines[taken:]


def _named(header: _Header, ids: Mapping[int, int], draft: Draft) -> dict[int, str]:
    nvswitches, switches = sorted([*ids][: header.nvswitches]), sorted([*ids][header.nvswitches :])
    hosts = [node for node in range(header.nodes) if node not in ids]
    names: dict[int, str] = {}
    for kind, nodes in (("h", hosts), ("nvswitch", nvswitches), ("s", switches)):
        for node, name in zip(nodes, numbered(kind, len(nodes)), strict=True):
            names[node] = name
            draft.add_node(name, (ids.get(node, header.line), f"node {node}"), is_host=kind == "h")
    if header.gpu_type:
        draft.notes.append(
            f"gpus_per_server {header.gpus_per_server} and gpu_type {header.gpu_type} were left out; "
            "a fabric has hosts, which are the GPUs here"
        )
    return names


def _add_links(header: _Header, names: Mapping[int, str], lines: Sequence[_Line], draft: Draft) -> None:
    if len(lines) != header.links:
        draft.refuse(
            (header.line, "header"), f"tells of {header.links} links, and {len(lines)} follow; write the right number"
        )
        return
    found = [(line, words, _ends(line, words, names, draft)) for line, words in lines]
    if draft.errors:
        return
    ports = _ports([ends for _, _, ends in found])
    lossy = []
    for (line, words, (a, b)), numbers in zip(found, ports, strict=True):
        rate, delay, loss = words[2:5]
        if _is_lossy(loss):
            lossy.append(line)
        spot = line, f"link {words[0]}-{words[1]}"
        entry = {"a": a, "b": b, "rate": rate, "latency": delay} | ({"ports": numbers} if header.nvswitches else {})
        draft.add_link(entry, spot, {"rate": (line, f"{spot[1]}: rate"), "latency": (line, f"{spot[1]}: delay")})
    if lossy:
        draft.notes.append(f"error rates of {len(lossy)} links were left out (line {lossy[0]}); a fabric loses nothing")


def _ends(line: int, words: Sequence[str], names: Mapping[int, str], draft: Draft) -> tuple[str, str]:
    """The names of both ends; an error, and empty names, where the line is no link."""
    if len(words) != 5:
        draft.refuse((line, ""), f"has {len(words)} words and no link's five; {LINK_LIKE}")
        return "", ""
    for word in words[:2]:
        if whole_number(word) not in names:
            draft.refuse((line, f"link {words[0]}-{words[1]}"), f"no node {word!r}; ids are 0 to {len(names) - 1}")
            return "", ""
    if not re.fullmatch(r"[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]{1,3})?", words[4]):
        draft.refuse((line, f"link {words[0]}-{words[1]}"), f"error rate {words[4]!r} is no number; write 0")
    return names[int(words[0])], names[int(words[1])]


def _is_lossy(loss: str) -> bool:
    return float(loss) > 0


def _ports(ends: Sequence[tuple[str, str]]) -> Iterator[list[int]]:
    """Port numbers in the order of links, those of hosts to NVSwitches after all others."""
    last = Counter(name for pair in ends for name in pair if not any(map(NVSWITCH.fullmatch, pair)))
    used: Counter[tuple[str, bool]] = Counter()

    def plug(name: str, late: bool) -> int:
        used[name, late] += 1
        return used[name, late] + (last[name] if late else 0)

    for pair in ends:
        late = any(map(NVSWITCH.fullmatch, pair))
        yield [plug(name, late) for name in pair]
