"""A job: a Schedule, where its ranks are placed, and how many bytes; read as Demands for the controller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from collectives.schedule import Flow, Schedule
from topologies.ports import connect_port, listen_port, slots
from topologies.traffic import Demand, FlowKey


def demands(schedule: Schedule, placement: Sequence[str], count: int, itemsize: int) -> list[Demand]:
    """What the operation, ``count`` elements of ``itemsize`` bytes, puts on the fabric: one Demand a connection.

    ``placement[rank]`` is the rank's host; ranks of one host have slots in the order of ranks. The sender opens the
    connection, so its channel is in the source port. Flows within a host cross no fabric and are left out. The bytes
    are those that the sockets carry (``program.compile_program``), to the byte.
    Raises ValueError if the placement is not one host a rank.
    """
    if len(placement) != schedule.num_ranks:
        raise ValueError(f"placement of {len(placement)} ranks for a schedule of {schedule.num_ranks}: one host a rank")
    bounds = np.concatenate([[0], np.cumsum(schedule.chunk_sizes(count))]) * itemsize
    nbytes = bounds[schedule.chunk + schedule.count] - bounds[schedule.chunk]
    return [Demand(key, flow.steps, flow.loads) for flow, key in _crossing(schedule.flows(nbytes), placement)]


def connections(schedule: Schedule, placement: Sequence[str]) -> dict[tuple[int, int, int], FlowKey]:
    """The flow of each connection (source rank, destination rank, channel); those within a host are left out."""
    return {(flow.src, flow.dst, flow.channel): key for flow, key in _crossing(schedule.flows(), placement)}


def _crossing(flows: Iterable[Flow], placement: Sequence[str]) -> Iterator[tuple[Flow, FlowKey]]:
    """Those between hosts, with the connection of each."""
    slot = slots(placement)
    for flow in flows:
        src, dst = placement[flow.src], placement[flow.dst]
        if src != dst:
            yield flow, FlowKey(src, dst, connect_port(slot[flow.src], flow.channel), listen_port(slot[flow.dst]))
