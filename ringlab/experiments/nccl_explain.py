"""NCCL's table for a collective on a machine, as NCCL prints it (NCCL_DEBUG_SUBSYS=TUNING), with its terms.

The first table is NCCL's: latency in us and algorithm bandwidth in GB/s, one digit each, 0.0 where a pair is off. Below
it each cell's terms: what the latency is the sum of, and how the bandwidth came about; then what NCCL runs by size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from collectives.baseline.nccl import Cell, Crossover, Found, Graph, System, cells, choose, crossovers, find
from collectives.baseline.nccl.tables import PROTOCOLS
from collectives.baseline.predict_machine import Machine
from ringlab.experiments.figures import UNKNOWN, size_text, time_text
from ringlab.tables import table


def described(machine: Machine) -> str:
    """For people. NcclError for a collective that NCCL's model does not have."""
    question = machine.question
    system, constants = question.system, find(question.version)
    found = cells(constants.tables, system, question.collective)
    changes = crossovers(system, question.collective, question.version)
    parts = [
        "\n".join(_facts(machine, constants)),
        _printed(found),
        "\n".join(_terms(cell) for cell in found),
        table(("from", "by", "channels", "threads", "time"), _choices(machine, changes)),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def data(machine: Machine) -> dict[str, Any]:
    question = machine.question
    constants = find(question.version)
    found = cells(constants.tables, question.system, question.collective)
    changes = crossovers(question.system, question.collective, question.version)
    return {
        "system": asdict(question.system) | {"ranks": question.system.ranks, "channels": question.system.channels},
        "collective": question.collective,
        "nccl": question.version,
        "constants": {"from": constants.tables.name, "until": constants.tables.until, "note": constants.note},
        "cells": [_cell_data(cell) for cell in found],
        "choice": [
            asdict(choose(question.system, question.collective, change.size_bytes, question.version))
            for change in changes
        ],
    }


def _cell_data(cell: Cell) -> dict[str, Any]:
    return {
        "algorithm": cell.algorithm,
        "protocol": cell.protocol,
        "latency_us": cell.latency_us,
        "bandwidth_GBps": cell.bandwidth_GBps,
        "off": cell.off,
        "latency": [asdict(term) for term in cell.latency],
        "bandwidth": [asdict(step) for step in cell.bandwidth],
    }


def _facts(machine: Machine, constants: Found) -> list[str]:
    system = machine.question.system
    shape = f"{system.nodes} node{'s' if system.nodes != 1 else ''} x {system.gpus_per_node} GPUs"
    until = constants.tables.until
    note = f"; {constants.note}" if constants.note else ""
    lines = [
        f"{machine.name}: {machine.question.collective}, {shape}, {machine.title}",
        f"  constants   of NCCL {constants.tables.name} to {until}, {system.arch}, CPU {system.cpu}{note}",
        f"  ring        {_graph(system.ring)}",
        f"  tree        {_graph(system.tree)}",
    ]
    if system.nvls:
        lines.append(f"  NVLS        {_graph(system.nvls)}")
    network = f"{machine.network}, {system.net_latency_us:g} us by its plugin" if system.nodes > 1 else "none"
    lines.append(f"  inside      {_inside(system)}")
    lines.append(f"  network     {network}")
    return lines


def _graph(graph: Graph) -> str:
    return f"{graph.channels} channels, {graph.bw_intra_GBps:g} GB/s inside a node, {graph.bw_inter_GBps:g} between"


def _inside(system: System) -> str:
    return f"{system.intra}, LL128 {'where NCCL trusts it' if system.ll128 else 'off by default'}"


def _printed(found: Sequence[Cell]) -> str:
    """Latency/bandwidth as NCCL prints them, an algorithm a row."""
    rows: dict[str, list[str]] = {}
    for cell in found:
        row = rows.setdefault(cell.algorithm, [UNKNOWN] * len(PROTOCOLS))
        row[PROTOCOLS.index(cell.protocol)] = f"{cell.latency_us:.1f}/{cell.bandwidth_GBps:.1f}"
    return table(("us/GB/s", *PROTOCOLS), [[name, *row] for name, row in rows.items()])


def _terms(cell: Cell) -> str:
    """Two lines: what the latency is the sum of, and the bandwidth after each step."""
    latency = " + ".join(
        f"{term.each_us:g} {term.name}" if term.count == 1 else f"{term.count:g} x {term.each_us:g} {term.name}"
        for term in cell.latency
        if term.us
    )
    bandwidth = ", ".join(f"{step.name} = {step.GBps:.4g}" for step in cell.bandwidth)
    name = f"{cell.algorithm} {cell.protocol}"
    off = " (off by default)" if cell.off else ""
    return f"{name:<16}  {cell.latency_us:.1f} us = {latency or 0}\n{'':<16}  GB/s: {bandwidth}{off}"


def _choices(machine: Machine, changes: Sequence[Crossover]) -> list[list[object]]:
    question = machine.question
    rows: list[list[object]] = []
    for change in changes:
        choice = choose(question.system, question.collective, change.size_bytes, question.version)
        by = f"{choice.algorithm} {choice.protocol}"
        rows.append(
            [_exact(change.size_bytes), by, str(choice.channels), str(choice.threads), time_text(choice.time_us)]
        )
    return rows


def _exact(nbytes: int) -> str:
    """Bytes, and in larger units where that is shorter to read."""
    return f"{nbytes} B" if nbytes < 1024 else f"{nbytes} B ({size_text(nbytes)})"
