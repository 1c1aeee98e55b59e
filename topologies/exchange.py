"""The formats a fabric comes in and goes out in: by what name, by which ending of a file, and what each can't hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from topologies import containerlab, diagrams, formats, graphml, htsim, htsim_traffic, mininet_script, ns3
from topologies.drafts import Imported, Unsaid, plug_hosts
from topologies.drawing import draw
from topologies.fabric import Fabric
from topologies.yaml_lines import Document, DocumentError, read


@dataclass(frozen=True, slots=True)
class Format:
    """A format to write: endings of its files, its writer, and what is lost of a fabric, a line each."""

    endings: tuple[str, ...]
    dumps: Callable[[Fabric], str]
    lost: Callable[[Fabric], tuple[str, ...]] = lambda _: ()


def loads(text: str, where: str, source: str | None = None, unsaid: Unsaid | None = None) -> Imported:
    """The fabric in ``text``, in the format ``source`` of ``SOURCES``, or in the one that the text itself shows.

    Raises DocumentError, one line an error: ``WHERE:LINE: field: what; what to do``.
    """
    unsaid = unsaid or Unsaid()
    for name, known in _OF_WORDS.items():
        if source == name or (source is None and known.is_it(text)):
            return known.loads(text, where, unsaid)
    document = read(text, where)
    if source == "containerlab" or (source is None and containerlab.is_containerlab(document.data)):
        return containerlab.from_document(document, unsaid)
    return _ours(document, unsaid)


def _shows_matrix(text: str) -> bool:
    return htsim.is_htsim(text) or htsim_traffic.is_matrix(text)


def by_ending(file: str) -> str | None:
    """The format that a file's name tells; the longest ending counts. None for an ending of no format."""
    fits = [(len(ending), name) for name, known in FORMATS.items() for ending in known.endings if file.endswith(ending)]
    return max(fits)[1] if fits else None


def _ours(document: Document, unsaid: Unsaid) -> Imported:
    if isinstance(document.data, dict) and "arms" in document.data:
        raise DocumentError([f"{document.where}: is a spec and no fabric; name what stands in its field fabric"])
    if not unsaid.hosts_per_switch:
        return Imported(formats.from_document(document))
    data = document.data
    if not _lacks_hosts(data):
        there = len(formats.from_document(document).hosts)
        raise DocumentError([f"{document.where}: has {there} hosts already; leave --hosts-per-switch out"])
    try:
        notes = plug_hosts(data, unsaid)
    except ValueError as error:
        raise DocumentError([f"{document.where}: {error}"]) from None
    return Imported(formats.from_document(document), tuple(f"{document.where}: {note}" for note in notes))


def _lacks_hosts(data: object) -> bool:
    """Whether it lists switches and links, and no hosts; what else is wrong with it shows later."""
    return (
        isinstance(data, dict)
        and data.get("hosts") == []
        and all(isinstance(data.get(key), list) for key in ("switches", "links"))
        and all(isinstance(switch, str) for switch in data["switches"])
    )


def _lost_in_containerlab(fabric: Fabric) -> tuple[str, ...]:
    said = ["containerlab shapes no links; rates and latencies stand in each link's vars, for ringlab alone"]
    name = containerlab.lab_name(fabric)
    if name != fabric.name:
        said.append(f"containerlab takes no such name as {fabric.name!r}; the lab is called {name!r}")
    return tuple(said)


def _lost_in_mininet(fabric: Fabric) -> tuple[str, ...]:
    renamed = [f"{old} is {new}" for old, new in mininet_script.switch_names(fabric).items() if old != new]
    said = [f"{len(renamed)} switches have names that Linux does not take: {renamed[0]}"] if renamed else []
    return (*said, "a Mininet script is not read back; keep the fabric as yaml too")


def _lost_in_drawing(_fabric: Fabric) -> tuple[str, ...]:
    return ("a drawing is not read back; keep the fabric as yaml too",)


def _lost_in_htsim(fabric: Fabric) -> tuple[str, ...]:
    return (f"htsim numbers hosts and has no names: {fabric.hosts[0]} is host 0; queues are set on its command line",)


def _lost_in_ns3(fabric: Fabric) -> tuple[str, ...]:
    first = fabric.switches[0]
    return (f"ns-3 numbers nodes and has no names: {fabric.hosts[0]} is 0, {first} is {len(fabric.hosts)}",)


def _lost_in_simai(fabric: Fabric) -> tuple[str, ...]:
    return (*_lost_in_ns3(fabric), "gpu_type is NONE; write A100, H100, ... in the first line where SimAI should know")


FORMATS: Mapping[str, Format] = {
    "yaml": Format((".yaml", ".yml"), formats.dumps),
    "json": Format((".json",), lambda fabric: json.dumps(formats.to_data(fabric), indent=2) + "\n"),
    "graphml": Format((".graphml",), graphml.dumps),
    "containerlab": Format((".clab.yaml", ".clab.yml"), containerlab.dumps, _lost_in_containerlab),
    "htsim": Format((".topo",), htsim.dumps, _lost_in_htsim),
    "ns3": Format((".ns3",), ns3.dumps, _lost_in_ns3),
    "simai": Format((".simai",), ns3.dumps_simai, _lost_in_simai),
    "mininet": Format((".py",), mininet_script.dumps, _lost_in_mininet),
    "dot": Format((".dot", ".gv"), diagrams.to_dot, _lost_in_drawing),
    "mermaid": Format((".mmd", ".mermaid"), diagrams.to_mermaid, _lost_in_drawing),
    "svg": Format((".svg",), draw, _lost_in_drawing),
}

SOURCES = ("yaml", "json", "graphml", "containerlab", "htsim", "ns3", "simai")
"""Those that are read back."""


@dataclass(frozen=True, slots=True)
class _OfWords:
    """A format that is no YAML: whether a text shows it, and its reader."""

    is_it: Callable[[str], bool]
    loads: Callable[[str, str, Unsaid], Imported]


_OF_WORDS: Mapping[str, _OfWords] = {
    "graphml": _OfWords(lambda text: text.lstrip().startswith("<"), graphml.loads),
    "htsim": _OfWords(_shows_matrix, htsim.loads),
    "ns3": _OfWords(ns3.is_ns3, ns3.loads),
    "simai": _OfWords(ns3.is_ns3, ns3.loads),
}
