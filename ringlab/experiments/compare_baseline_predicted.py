"""A prediction as a line beside a run: what a system, known by a baseline, would take for the run's collective.

``predict:NAME`` asks it of the nodes that NAME was measured on, ``predict:NAME@8`` of eight of them. The run's sizes
are predicted, and powers of two up to a gigabyte, for where the line levels off.
"""

from __future__ import annotations

from collections.abc import Iterable

from collectives.baseline import Baseline, Point
from collectives.baseline.model import ring_line_rate_GBps
from collectives.baseline.nccl import NcclError
from collectives.baseline.predictor import key_for, line_GBps_of, network, predict, question_of
from ringlab.errors import UsageError
from ringlab.experiments import baselines
from ringlab.experiments.compare_baseline import facts_of
from ringlab.experiments.compare_baseline_curve import Curve
from ringlab.experiments.result import Result

PREFIX = "predict:"
LARGEST = 1 << 30


def predicted(word: str, run: Result) -> Curve:
    """The line that ``word`` asks for. UsageError where there is no such system, or too little is known of it."""
    name, _, count = word.removeprefix(PREFIX).partition("@")
    if count and not (count.isdigit() and int(count) > 0):
        raise UsageError(f"{word}: {count!r} is no number of nodes; write {PREFIX}{name}@8")
    known = baselines.from_name(name)
    facts = facts_of(run)
    try:
        question = question_of(known, int(count) if count else None, facts.collective)
        key = key_for(known, facts.collective)
        found = [predict(question, key, size) for size in _sizes(run.sizes())]
    except NcclError as error:
        raise UsageError(f"{word}: {error}") from None
    evidence = network(key, line_GBps_of(question)).evidence
    nodes, gpus = question.system.nodes, question.system.gpus_per_node
    line_rate, why = _line_rate(known, facts.collective, nodes, gpus)
    sweep = Baseline(
        name=word,
        collective=facts.collective,
        nranks=nodes * gpus,
        gpu=known.gpu,
        nodes=nodes,
        gpus_per_node=gpus,
        network=known.network,
        library=known.library,
        note=f"predicted; the network's figures are those of {_EVIDENCE[evidence]}",
        source=known.source,
        nominal_line_rate_GBps=line_rate,
        line_rate_why=why,
        points=tuple(Point(one.size_bytes, one.time_us) for one in found),
    )
    return Curve("prediction", sweep, interval_us={one.size_bytes: (one.low_us, one.high_us) for one in found})


_EVIDENCE = {
    "network": "its own sweeps",
    "site": "its own hardware with another version of NCCL",
    "kind": "other networks of its kind",
    "default": "no sweep: defaults",
}


def _sizes(sizes: Iterable[int]) -> list[int]:
    wanted = set(sizes)
    largest = max(LARGEST, *wanted)
    power = 1 << (min(wanted) - 1).bit_length()
    while power <= largest:
        wanted.add(power)
        power *= 2
    return sorted(wanted)


def _line_rate(known: Baseline, collective: str, nodes: int, gpus: int) -> tuple[float | None, str]:
    """Of the collective that is asked for: all-to-all has a line rate of its own."""
    if known.nominal_line_rate_GBps is None or known.nodes is None or known.gpus_per_node is None:
        return None, known.line_rate_why
    one, _ = ring_line_rate_GBps(known.collective, known.nodes, known.gpus_per_node, 1.0)
    return ring_line_rate_GBps(collective, nodes, gpus, known.nominal_line_rate_GBps / one)
