"""A job: a Schedule, where its ranks are placed, and how many bytes; read as Demands for the controller."""

from __future__ import annotations

from collections.abc import Sequence

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
    slot = slots(placement)
    return [
        Demand(_key(flow, placement, slot), flow.steps, flow.loads)
        for flow in schedule.flows(nbytes)
        if placement[flow.src] != placement[flow.dst]
    ]


def connections(schedule: Schedule, placement: Sequence[str]) -> dict[tuple[int, int, int], FlowKey]:
    """The flow of each connection (source rank, destination rank, channel); those within a host are left out."""
    slot = slots(placement)
    return {
        (flow.src, flow.dst, flow.channel): _key(flow, placement, slot)
        for flow in schedule.flows()
        if placement[flow.src] != placement[flow.dst]
    }


def _key(flow: Flow, placement: Sequence[str], slot: Sequence[int]) -> FlowKey:
    return FlowKey(
        placement[flow.src],
        placement[flow.dst],
        connect_port(slot[flow.src], flow.channel),
        listen_port(slot[flow.dst]),
    )
