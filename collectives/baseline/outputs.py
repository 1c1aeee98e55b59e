"""Any file of a baseline: what a benchmark printed, or what was kept. Pure: which reader it is, the text tells."""

from __future__ import annotations

from dataclasses import replace

from collectives.baseline import nccl_tests, osu, stored
from collectives.baseline.model import Baseline
from collectives.baseline.stated import NOTHING_STATED, Stated


def parse(text: str, name: str, stated: Stated = NOTHING_STATED) -> Baseline:
    """nccl-tests, rccl-tests, OSU or a kept baseline. BaselineError says what is wrong, in which file and line."""
    if stored.is_one(text):
        return _restated(stored.loads(text, name), stated)
    if osu.is_one(text):
        return osu.parse(text, name, stated)
    return nccl_tests.parse(text, name, stated)


def _restated(kept: Baseline, stated: Stated) -> Baseline:
    """``kept`` with what the user says now; of the rest it stays what was kept."""
    found = replace(
        kept,
        collective=stated.collective or kept.collective,
        nranks=stated.nranks or kept.nranks,
        nodes=stated.nodes or kept.nodes,
        gpu=stated.gpu or kept.gpu,
        network=stated.network or kept.network,
        library=stated.library or kept.library,
        note=stated.note or kept.note,
    )
    if (found.nranks, found.nodes) != (kept.nranks, kept.nodes):
        each = found.nranks // found.nodes if found.nodes and found.nranks % found.nodes == 0 else None
        found = replace(found, gpus_per_node=each)
    if stated.line_rate_GBps is None:
        return found
    return replace(found, nominal_line_rate_GBps=stated.line_rate_GBps, line_rate_why=stated.line_rate_why(kept.name))
