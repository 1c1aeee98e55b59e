"""The machine that a user names: a published sweep's, or one of the catalogue of systems, of as many nodes as asked.

``h100-2x8-efa3200-allreduce-p5`` is the sweep's machine; ``dgx-h100-4`` (or ``system:dgx-h100-4``) are four nodes of
the catalogue (``topologies.systems``). A system of the catalogue that a published sweep was measured on shares that
sweep's network, and so its fitted figures; another has those of its kind of network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from collectives.baseline import published
from collectives.baseline.model import Baseline, BaselineError
from collectives.baseline.nccl import NcclError
from collectives.baseline.nccl.graphs import system_of
from collectives.baseline.nccl.published import node_hardware, one_a_gpu
from collectives.baseline.predict_network import Key, key_of, kind_between, kind_inside
from collectives.baseline.predict_paths import Question
from collectives.baseline.predictor import key_for, question_of
from topologies import systems
from topologies.fabric import FabricError

NODES = 2
"""Of a system of the catalogue, where nobody says."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked, over which network; ``title`` and ``network`` tell people what it is."""

    name: str
    title: str
    network: str
    question: Question
    key: Key


def machine(word: str, collective: str | None = None, nodes: int | None = None, version: str | None = None) -> Machine:
    """The machine ``word``. Without a collective the sweep's own, or all_reduce. NcclError says what is wrong."""
    name, count = _named(word.removeprefix(f"{systems.WORD}:"))
    if name in systems.names():
        if nodes is not None and count is not None and nodes != count:
            raise NcclError(f"{word} says {count} nodes, and --nodes {nodes}; give one of them")
        return _of_catalogue(systems.system(name), nodes or count or NODES, collective or "all_reduce", version)
    try:
        return _of_sweep(published.load(word), nodes, collective, version)
    except BaselineError:
        raise NcclError(f"no system {word!r}; {_hint(word)}") from None


def _of_sweep(sweep: Baseline, nodes: int | None, collective: str | None, version: str | None) -> Machine:
    question, key = question_of(sweep, nodes, collective), key_for(sweep, collective)
    if version is not None:
        question, key = replace(question, version=version), replace(key, version=_short(version))
    return Machine(sweep.name, sweep.gpu, sweep.network, question, key)


def _of_catalogue(of: systems.System, nodes: int, collective: str, version: str | None) -> Machine:
    tcp = of.network == "Ethernet"
    if of.gpu == "none":
        raise NcclError(f"{of.name} has no GPUs: {', '.join(of.sweeps)} are sweeps in host memory; name one of them")
    nics = one_a_gpu(of.nics, of.nic_rate_bps / 8e9, of.gpus)
    words = f"{of.name} {of.title} {of.network}"
    name = f"{of.name}-{nodes}"
    system = system_of(node_hardware(name, of.gpu, (nodes, of.gpus), nics, words, tcp=tcp))
    kind = kind_inside(of.gpu) if nodes == 1 else "tcp" if tcp else kind_between(words)
    network = of.inside if nodes == 1 else f"{of.nics} x {of.nic_rate_bps / 1e9:g} Gb/s {of.network}"
    kind = f"{kind}-alltoall" if collective == "alltoall" else kind
    key = Key(kind, _measured_hardware(of, kind) or network, _short(version))
    return Machine(name, of.title, network, Question(system, collective, version), key)


def _measured_hardware(of: systems.System, kind: str) -> str | None:
    """The words of a sweep that was measured on this system over such a network: they are the network's key."""
    for name in published.names():
        key = key_of(published.load(name))
        if of.measured(name) and key.kind == kind:
            return key.hardware
    return None


def _short(version: str | None) -> str:
    """``2.18.5`` as a network's key has it."""
    return ".".join(version.removeprefix("v").split(".")[:2]) if version else ""


def _named(word: str) -> tuple[str, int | None]:
    """``dgx-h100-4`` -> the name and 4."""
    name, _, count = word.rpartition("-")
    if word not in systems.names() and name in systems.names() and count.isascii() and count.isdigit():
        if not 1 <= int(count) <= 1 << 20:
            raise NcclError(f"{word}: {count} nodes; a system has from 1 to {1 << 20}")
        return name, int(count)
    return word, None


def _hint(word: str) -> str:
    """Where to look; the nearest of the catalogue or of the sweeps, if one is near."""
    for find in (systems.system, published.load):
        try:
            find(word)
        except (FabricError, BaselineError) as error:
            hint = str(error).rpartition("; ")[2]
            if hint.startswith("did you mean"):
                return hint
    return "see: ringlab topo systems, ringlab baseline list"
