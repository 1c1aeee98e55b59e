"""What a job asks of a fabric, with nothing built: its demands, from a spec or from ranks on a fabric."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from collectives import algorithms, metrics
from collectives.job import demands
from collectives.schedule import ScheduleError
from ringlab.errors import UsageError
from ringlab.experiments import placement
from ringlab.experiments import spec as specs
from ringlab.experiments.simulated_figures import settled
from ringlab.talk import say
from topologies.fabric import Fabric
from topologies.traffic import Demand, FlowKey

ITEMSIZE = metrics.DTYPES["float"].itemsize


def of_spec(path: Path) -> tuple[specs.Spec, list[Demand]]:
    """The spec in a file, and the demands of its collective at its largest size. UsageError says why not.

    ``auto`` is settled as in a simulated run, and what it is gets said.
    """
    spec, notes = settled(specs.read(path)[0])
    for note in notes:
        say(note)
    itemsize = metrics.DTYPES[spec.dtype].itemsize
    schedule = algorithms.build(spec.algorithm, len(spec.placement), spec.channels)
    return spec, demands(schedule, spec.placement, max(spec.sizes) // itemsize, itemsize)


def of_ranks(
    fabric: Fabric, ranks: int | None, algorithm: str, channels: int, kind: str, nbytes: int
) -> tuple[tuple[str, ...], list[Demand]]:
    """Where ``ranks`` (None: one a host) are placed, and the demands of their collective. UsageError."""
    place = placement.interleaved if kind == "interleaved" else placement.contiguous
    hosts = place(fabric, ranks or len(fabric.hosts))
    try:
        schedule = algorithms.build(algorithm, len(hosts), channels)
    except ScheduleError as error:
        raise UsageError(str(error)) from None
    return hosts, demands(schedule, hosts, nbytes // ITEMSIZE, ITEMSIZE)


def flow_between(asked: Sequence[Demand], src: str, dst: str, channel: int | None = None) -> FlowKey:
    """The first flow from host ``src`` to host ``dst``, by ``channel`` where one is named. UsageError if none is."""
    keys = [demand.key for demand in asked]
    for key in keys:
        if (key.src, key.dst) == (src, dst) and channel in {None, key.channel}:
            return key
    by = f" on channel {channel}" if channel is not None else ""
    there = sorted({f"{key.src}:{key.dst}" for key in keys if key.src == src}) or sorted(
        {f"{key.src}:{key.dst}" for key in keys}
    )
    raise UsageError(f"the job has no flow from {src!r} to {dst!r}{by}; it has {', '.join(there[:8])}")
