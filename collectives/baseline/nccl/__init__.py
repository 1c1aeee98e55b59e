"""NCCL's own tuning model: how long it thinks a collective takes, and which algorithm and protocol it therefore picks.

Theory of operation. When a communicator starts, NCCL searches the machine for *graphs* (how many channels, and how many
GB/s each, inside a node and between nodes). From these and from tables of constants it computes one latency and one
bandwidth for every (collective, algorithm, protocol). For each call it then takes

    time = latency + size / bandwidth        (with a correction for trees and one for the plateau of rings)

of every pair that is enabled, and runs the quickest. ``tables`` holds the constants by version, ``system`` the graphs,
``graphs`` finds them for a known machine, ``latency`` and ``bandwidth`` are the formulas, ``choice`` the time and what
is chosen, ``published`` the systems of the published sweeps. All is pure arithmetic, without numpy.

Source: NVIDIA/nccl, src/graph/tuning.cc, of the versions named in ``tables``. The model is checked against tables that
NCCL printed (tests/collectives/nccl-tuning-golden.json).
"""

from collectives.baseline.nccl.cells import COLLECTIVES, Cell, cells
from collectives.baseline.nccl.choice import Choice, Crossover, choose, crossovers, nccl_time
from collectives.baseline.nccl.system import Graph, NcclError, System
from collectives.baseline.nccl.tables import Found, find

__all__ = [
    "COLLECTIVES",
    "Cell",
    "Choice",
    "Crossover",
    "Found",
    "Graph",
    "NcclError",
    "System",
    "cells",
    "choose",
    "crossovers",
    "find",
    "nccl_time",
]
