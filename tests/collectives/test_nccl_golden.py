"""Every cell of the tables that NCCL printed of its own model, and what it chose.

The published tables state ranks, latencies and bandwidths. What the model needs beside them is inferred from one cell
each, and the others check it:

* RTX 5090, 2.29.7: graphs are stated as channels x bandwidth; which of channels and speed makes the product does not
  matter where no most of a channel binds, and none does. One GPU a node: plain trees.
* nccl-tests issue 89, 2.8.3: the bandwidth of Broadcast / Simple says that the ring carries 9 GB/s. LL prints 0.0, as
  if a user had switched it off: its latency is checked, and that its bandwidth was *not* NCCL's own.
* nccl issue 754: Broadcast / Simple gives the ring's 3 GB/s; AllGather / Simple gives 16 ranks (3.2 = 3 x 16/15); the
  latency of AllGather / LL (33.3 = 3.6 + 12 x 1.8 + 3 x 2.7) gives 4 nodes. All else is checked.
"""

import json
from pathlib import Path

import pytest

from collectives.baseline.nccl import COLLECTIVES, Graph, System, cells, choose, find

CASES = json.loads((Path(__file__).parent / "nccl-tuning-golden.json").read_text())["cases"]

ROUNDED = 0.05 + 1e-6
"""NCCL prints one digit after the point."""

RTX5090 = System(
    "2 x RTX 5090, sockets", "blackwell", 2, 1, ring=Graph(2, 1.2, 1.2), tree=Graph(2, 2.4, 2.4),
    intra="PCI", ll128=False, plain_tree=True,
)  # fmt: skip
T4 = System("2 x 8 T4", "volta", 2, 8, ring=Graph(1, 9, 9), tree=Graph(1, 9, 9), intra="PCI", ll128=False)
ISSUE754 = System("issue 754", "volta", 4, 4, ring=Graph(1, 3, 3), tree=Graph(1, 3, 3), intra="PCI", ll128=False)

MACHINES = [(RTX5090, "2.29.7"), (T4, "2.8.3"), (ISSUE754, "2.8")]
SWITCHED_OFF = {("2 x 8 T4", "broadcast", "LL")}


def snake(name):
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def golden():
    """(system, version, collective, algorithm, protocol, latency, bandwidth) of every cell of the file."""
    for case, (system, version) in zip(CASES, MACHINES, strict=True):
        for collective, algorithms in (case.get("table") or case["table_2_8"]).items():
            for algorithm, protocols in algorithms.items():
                for protocol, (latency, bandwidth) in protocols.items():
                    yield system, version, snake(collective), algorithm, protocol, latency, bandwidth


def cell_of(system, version, collective, algorithm, protocol):
    found = cells(find(version).tables, system, collective)
    return next(cell for cell in found if (cell.algorithm, cell.protocol) == (algorithm, protocol))


def test_the_file_has_cells_of_all_collectives():
    rows = list(golden())
    assert len(rows) == 29
    assert {row[2] for row in rows} == set(COLLECTIVES)


@pytest.mark.parametrize("row", list(golden()), ids=lambda row: f"{row[0].name}-{'-'.join(row[2:5])}")
def test_a_cell_is_what_nccl_printed(row):
    system, version, collective, algorithm, protocol, latency, bandwidth = row
    cell = cell_of(system, version, collective, algorithm, protocol)
    assert cell.latency_us == pytest.approx(latency, abs=ROUNDED)
    if (system.name, collective, protocol) in SWITCHED_OFF:
        assert (bandwidth, cell.bandwidth_GBps) == (0.0, 2.25)
    else:
        assert cell.bandwidth_GBps == pytest.approx(bandwidth, abs=ROUNDED)


def test_no_cell_is_ours_that_nccl_did_not_print():
    printed = {row[2:5] for row in golden() if row[0] is RTX5090}
    ours = {
        (c.collective, c.algorithm, c.protocol)
        for name in COLLECTIVES
        for c in cells(find("2.29").tables, RTX5090, name)
    }
    assert ours == printed


@pytest.mark.parametrize(("sizes", "pair"), list(CASES[0]["selection"]["Broadcast"].items()))
def test_the_choice_by_size(sizes, pair):
    low, high = map(int, sizes.split(".."))
    algorithm, protocol = pair.split("/")
    size = low
    while size <= high:
        choice = choose(RTX5090, "broadcast", size, "2.29.7")
        assert (choice.algorithm.upper(), choice.protocol.upper()) == (algorithm, protocol), size
        size *= 2
