"""A prediction as a line beside a run: what a real system would take for the run's collective.

``predict:dgx-h100-4`` asks it of four nodes of the catalogue of systems, ``predict:NAME`` of the nodes that the
baseline NAME was measured on, ``predict:NAME@8`` of eight of them. The run's sizes are predicted, and powers of two up
to a gigabyte, for where the line levels off.
"""

from __future__ import annotations

from collections.abc import Iterable

from collectives.baseline import Baseline, Point, published
from collectives.baseline.model import ring_line_rate_GBps
from collectives.baseline.nccl import NcclError
from collectives.baseline.predict_machine import Machine, machine
from collectives.baseline.predictor import key_for, line_GBps_of, network, predict, question_of
from ringlab.errors import UsageError
from ringlab.experiments import baseline_store
from ringlab.experiments.compare_baseline import facts_of
from ringlab.experiments.compare_baseline_curve import Curve
from ringlab.experiments.nccl_predict import EVIDENCE
from ringlab.experiments.result import Result
from topologies import systems

PREFIX = "predict:"
LARGEST = 1 << 30


def predicted(word: str, run: Result) -> Curve:
    """The line that ``word`` asks for. UsageError where there is no such system, or too little is known of it."""
    name, _, count = word.removeprefix(PREFIX).partition("@")
    if count and not (count.isdigit() and int(count) > 0):
        raise UsageError(f"{word}: {count!r} is no number of nodes; write {PREFIX}{name}@8")
    collective = facts_of(run).collective
    try:
        asked = _asked(name, collective, int(count) if count else None)
        found = [predict(asked.question, asked.key, size) for size in _sizes(run.sizes())]
    except NcclError as error:
        raise UsageError(f"{word}: {error}") from None
    system = asked.question.system
    evidence = network(asked.key, line_GBps_of(asked.question)).evidence
    line_rate, why = _line_rate(name, collective, system.nodes, system.gpus_per_node)
    sweep = Baseline(
        name=word,
        collective=collective,
        nranks=system.ranks,
        gpu=asked.title,
        nodes=system.nodes,
        gpus_per_node=system.gpus_per_node,
        network=asked.network,
        library=f"NCCL {asked.question.version}" if asked.question.version else "NCCL",
        note=f"predicted; the network's figures are {EVIDENCE[evidence]}",
        source=f"ringlab predict {name}",
        nominal_line_rate_GBps=line_rate,
        line_rate_why=why,
        points=tuple(Point(one.size_bytes, one.time_us) for one in found),
    )
    return Curve("prediction", sweep, interval_us={one.size_bytes: (one.low_us, one.high_us) for one in found})


def _asked(name: str, collective: str, nodes: int | None) -> Machine:
    """A user's own baseline's machine, or one that ``ringlab predict`` knows."""
    if name not in baseline_store.names():
        return machine(name, collective, nodes)
    own = baseline_store.load(name)
    return Machine(own.name, own.gpu, own.network, question_of(own, nodes, collective), key_for(own, collective))


def _sizes(sizes: Iterable[int]) -> list[int]:
    wanted = set(sizes)
    largest = max(LARGEST, *wanted)
    power = 1 << (min(wanted) - 1).bit_length()
    while power <= largest:
        wanted.add(power)
        power *= 2
    return sorted(wanted)


def _line_rate(name: str, collective: str, nodes: int, gpus: int) -> tuple[float | None, str]:
    """Of the collective that is asked for: all-to-all has a line rate of its own."""
    if name in baseline_store.names():
        known = baseline_store.load(name)
    elif name in published.names():
        known = published.load(name)
    else:
        rate_bps = _link_rate_bps(name.removeprefix(f"{systems.WORD}:"), nodes)
        if rate_bps is None:
            return None, "a node of one GPU alone has no line"
        return ring_line_rate_GBps(collective, nodes, gpus, rate_bps / 8e9)
    if known.nominal_line_rate_GBps is None or known.nodes is None or known.gpus_per_node is None:
        return None, known.line_rate_why
    one, _ = ring_line_rate_GBps(known.collective, known.nodes, known.gpus_per_node, 1.0)
    return ring_line_rate_GBps(collective, nodes, gpus, known.nominal_line_rate_GBps / one)


def _link_rate_bps(word: str, nodes: int) -> int | None:
    """What leaves a node of the catalogue's system, or within one node a GPU."""
    of = systems.system(word if word in systems.names() else word.rpartition("-")[0])
    return of.inside_rate_bps if nodes == 1 else of.node_rate_bps
