"""Real systems by name: GPUs, NICs and links of a node as their sources state them, and fabrics made of such nodes.

``system:dgx-h100-2`` is a fabric of two DGX H100. Each GPU is a host. A node of several GPUs is a switch: it stands for
the NVSwitch, or for the links from each GPU to each other, and a GPU's link to it has the rate of all its NVLinks
together, one way. The node's NICs are its links to the network, so every GPU may use every NIC, as NCCL does over
NVLink (PXN). A node of one GPU is that host itself.

Two ways to wire the network: *rails*, NIC r of each node to the switch ``rail<r>``, which the nodes alone join; or
*switch*, all NICs to one switch that blocks nothing, where the source tells no more of the network.

Hosts are numbered node by node: h1 to h8 are the GPUs of node1. What it can't show: links inside a node that are not a
switch's (a cube mesh has longer ways, and pairs without a link), PCIe between GPU and NIC, tiers of the network.
Rates in the data are decimal bits a second, one way.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files

from topologies.counts import ParameterError, check_at_least, check_links, numbered
from topologies.fabric import Cable, Fabric, FabricError
from topologies.link_parameters import LATENCY_S
from topologies.rates import parse_latency, parse_rate
from topologies.spelling import did_you_mean

WORD = "system"
"""What a short form of a system begins with, where others name a generator."""

RAILS, SWITCH = "rails", "switch"


@dataclass(frozen=True, slots=True)
class System:
    """One kind of node and its network. ``inside_rate_bps`` is a GPU's, None where a node has one GPU.

    ``sweeps``: patterns of the published sweeps that were measured on it. ``wiring`` is ``rails`` or ``switch``.
    """

    name: str
    title: str
    gpu: str
    gpus: int
    inside: str
    inside_rate_bps: int | None
    nics: int
    nic_rate_bps: int
    network: str
    wiring: str
    sweeps: tuple[str, ...]
    source: str
    note: str

    @property
    def node_rate_bps(self) -> int:
        """What leaves a node by all its NICs, one way."""
        return self.nics * self.nic_rate_bps

    def measured(self, sweep: str) -> bool:
        """Was the published sweep of that name measured on it?"""
        return any(fnmatchcase(sweep, pattern) for pattern in self.sweeps)


def names() -> tuple[str, ...]:
    """Every system, in order of their names."""
    return tuple(_systems())


def system(name: str) -> System:
    """The system ``name``. FabricError if there is none."""
    try:
        return _systems()[name]
    except KeyError:
        raise FabricError(f"no system {name!r}; {_hint(name)}") from None


def of_sweep(sweep: str) -> System | None:
    """The system that a published sweep was measured on; None where none is known."""
    return next((one for one in _systems().values() if one.measured(sweep)), None)


def fabric(of: System, nodes: int, latency_s: float = LATENCY_S) -> Fabric:
    """``nodes`` nodes of a system; one node stands without a network. FabricError for a count that can't be."""
    check_at_least(1 if of.gpus > 1 else 2, nodes=nodes)
    check_links(nodes * (of.gpus + of.nics))
    inside = numbered("node", nodes) if of.gpus > 1 else []
    network = () if nodes == 1 else numbered("rail", of.nics) if of.wiring == RAILS else ("net",)
    hosts = numbered("h", nodes * of.gpus)
    return Fabric.cabled(f"{of.name}-{nodes}", hosts, (*inside, *network), _cables(of, nodes, latency_s))


def from_short_form(text: str) -> Fabric:
    """``"system:dgx-h100-2"``, ``"system:dgx-h100-2,latency=2us"`` -> the fabric. FabricError says what is wrong."""
    word, *settings = (part.strip() for part in text.partition(":")[2].split(","))
    of, nodes = _named(word)
    try:
        return fabric(of, nodes, _latency(settings))
    except ParameterError as error:
        raise FabricError(f"{text}: {error}") from None


def parse(lines: Iterable[str]) -> dict[str, System]:
    """The data's lines to systems by name (pure)."""
    return {row["name"]: _system(row) for row in csv.DictReader(lines)}


def _cables(of: System, nodes: int, latency_s: float) -> Iterator[Cable]:
    for node in range(nodes):
        speaker = f"h{node + 1}"  # who holds the NICs
        if of.inside_rate_bps is not None:
            speaker = f"node{node + 1}"
            for gpu in range(node * of.gpus, (node + 1) * of.gpus):
                yield Cable(f"h{gpu + 1}", speaker, of.inside_rate_bps, latency_s)
        if nodes > 1:
            for nic in range(of.nics):
                yield Cable(speaker, f"rail{nic + 1}" if of.wiring == RAILS else "net", of.nic_rate_bps, latency_s)


def _named(word: str) -> tuple[System, int]:
    """``dgx-h100-2`` -> the system and 2; a name may itself end in a number, and without one a node is meant."""
    name, _, count = word.rpartition("-")
    if word not in _systems() and name in _systems() and count.isascii() and count.isdigit() and len(count) <= 6:
        return system(name), int(count)
    if word not in _systems() and count.isdigit():
        return system(name), 1  # the name without its count is the better one to be looked for
    return system(word), 1


def _latency(settings: Iterable[str]) -> float:
    latency_s = LATENCY_S
    for setting in settings:
        name, _, value = (part.strip() for part in setting.partition("="))
        if name != "latency":
            raise ParameterError(name, "a system has no such parameter; write latency=1us, or leave it out")
        try:
            latency_s = parse_latency(value)
        except ValueError as error:
            raise ParameterError(name, str(error)) from None
    return latency_s


@lru_cache(maxsize=1)
def _systems() -> Mapping[str, System]:
    return parse((files("topologies") / "systems.csv").read_text(encoding="utf-8").splitlines())


def _system(row: Mapping[str, str]) -> System:
    return System(
        name=row["name"],
        title=row["title"],
        gpu=row["gpu"],
        gpus=int(row["gpus"]),
        inside=row["inside"],
        inside_rate_bps=parse_rate(row["inside_rate"]) if row["inside_rate"] else None,
        nics=int(row["nics"]),
        nic_rate_bps=parse_rate(row["nic_rate"]),
        network=row["network"],
        wiring=row["wiring"],
        sweeps=tuple(row["sweeps"].split()),
        source=row["source"],
        note=row["note"],
    )


def _hint(name: str) -> str:
    """Those that hold ``name`` (h100 is in dgx-h100), else the nearest."""
    holding = [known for known in names() if name and name.lower() in known]
    if 0 < len(holding) <= 4:
        return f"did you mean {' or '.join(map(repr, holding))}?"
    return did_you_mean(name, names())
