"""``ringlab schedule ALGORITHM -n RANKS``: what a collective sends, step by step, and the proof that it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ringlab.errors import CheckError, UsageError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json

if TYPE_CHECKING:
    from collectives.schedule import Schedule

ITEMSIZE = 4  # of a float: chunks end where elements do

LISTED = 64
"""Transfers that a table shows unless ``--transfers`` asks for all."""


@click.command(
    cls=Command,
    examples=[
        "ringlab schedule ring -n 4",
        "ringlab schedule halving-doubling -n 8 --size 16M --verify",
        "ringlab schedule bidirectional-ring -n 8 --json - | jq .flows",
    ],
)
@click.argument("algorithm")
@click.option("-n", "--ranks", type=click.IntRange(2, 1024), default=8, show_default=True, help="Ranks.")
@click.option("--size", default="16M", show_default=True, help="Bytes of a rank's buffer: 8, 64K, 16M, 1G.")
@click.option("--channels", type=click.IntRange(1, 64), default=1, show_default=True, help="Copies side by side.")
@click.option("--verify", is_flag=True, help="Prove it: every rank must end with every rank's data exactly once.")
@click.option("--transfers", is_flag=True, help=f"List all transfers, also where there are more than {LISTED}.")
@json_option
def command(
    *, algorithm: str, ranks: int, size: str, channels: int, verify: bool, transfers: bool, json_target: str | None
) -> None:
    """Show the schedule of an allreduce ALGORITHM: its steps, its bytes on the wire, its flows and its transfers.

    Algorithms: ring, bidirectional-ring, halving-doubling, recursive-doubling, double-binary-tree, pairwise,
    hierarchical, torus, rooted. `hierarchical:4` and `torus:4` say how many ranks are in a group or row.
    """
    schedule = _built(algorithm, ranks, channels)
    data = _data(schedule, algorithm, _nbytes(size))
    if verify:
        data["verified"] = _verdict(schedule)
    if json_target:
        write_json(json_target, data)
    if json_target != STDOUT:
        click.echo(_described(schedule, data, everything=transfers), nl=False)
    if verify and data["verified"] != "ok":
        raise CheckError(f"{algorithm} of {ranks} ranks is no allreduce: {data['verified']}")


def _built(algorithm: str, ranks: int, channels: int) -> Schedule:
    from collectives import algorithms  # noqa: PLC0415 - numpy only where it is used
    from collectives.schedule import ScheduleError  # noqa: PLC0415 - likewise

    try:
        return algorithms.build(algorithm, ranks, channels)
    except ScheduleError as error:
        raise UsageError(str(error)) from None


def _nbytes(size: str) -> int:
    from collectives.metrics import parse_size  # noqa: PLC0415 - likewise

    try:
        nbytes = parse_size(size)
    except ValueError as error:
        raise UsageError(f"--size: {error}") from None
    if nbytes % ITEMSIZE:
        raise UsageError(f"--size: {nbytes} bytes are no whole number of floats; write a multiple of {ITEMSIZE}")
    return nbytes


def _verdict(schedule: Schedule) -> str:
    """``ok``, or what the proof found."""
    from collectives.schedule import ScheduleError  # noqa: PLC0415 - likewise
    from collectives.verify import verify  # noqa: PLC0415 - likewise

    try:
        verify(schedule)
    except ScheduleError as error:
        return str(error)
    return "ok"


def _data(schedule: Schedule, algorithm: str, nbytes: int) -> dict[str, Any]:
    """The schedule as plain data; bytes are those of ``nbytes`` of floats, cut as the ranks cut them."""
    import numpy as np  # noqa: PLC0415 - likewise

    from collectives.chunks import chunk_bounds  # noqa: PLC0415 - likewise

    bounds = chunk_bounds(nbytes // ITEMSIZE, schedule.num_chunks) * ITEMSIZE
    each = bounds[schedule.chunk + schedule.count] - bounds[schedule.chunk]
    sent = np.bincount(schedule.src, weights=each, minlength=schedule.num_ranks).astype(np.int64)
    return {
        "algorithm": algorithm,
        "ranks": schedule.num_ranks,
        "channels": schedule.num_channels,
        "size_bytes": nbytes,
        "steps": schedule.num_steps,
        "chunks": schedule.num_chunks,
        "transfers": len(schedule),
        "sent_bytes_per_rank": sent.tolist(),
        "flows": [
            {
                "src": flow.src,
                "dst": flow.dst,
                "channel": flow.channel,
                "steps": len(flow.steps),
                "bytes": sum(flow.loads),
            }
            for flow in schedule.flows(each)
        ],
    }


def _described(schedule: Schedule, data: dict[str, Any], *, everything: bool) -> str:
    from ringlab.tables import table  # noqa: PLC0415 - likewise

    most, size = max(data["sent_bytes_per_rank"]), data["size_bytes"]
    lines = [
        f"{data['algorithm']}: {data['ranks']} ranks, {_plural(data['channels'], 'channel')}",
        f"buffer     {size} bytes of a rank, in {data['chunks']} chunks",
        f"steps      {data['steps']}",
        f"transfers  {data['transfers']}, over {len(data['flows'])} flows",
        f"bytes      {most} sent by the busiest rank, {most / size if size else 0:.4g} of the buffer",
    ]
    if "verified" in data:
        good = data["verified"] == "ok"
        proof = "proven: every rank ends with every rank's data exactly once" if good else data["verified"]
        lines.append(f"proof      {proof}")
    if not everything and len(schedule) > LISTED:
        return "\n".join([*lines, f"(more than {LISTED} transfers: --transfers lists them)"]) + "\n"
    rows = [[t.step, t.src, t.dst, _chunks(t.chunks), t.op.name.lower(), t.channel] for t in _in_order(schedule)]
    return "\n".join([*lines, "", table(["step", "src", "dst", "chunks", "op", "channel"], rows)])


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _in_order(schedule: Schedule) -> list[Any]:
    return sorted(schedule.transfers(), key=lambda transfer: (transfer.step, transfer.src, transfer.channel))


def _chunks(chunks: range) -> str:
    return f"{chunks[0]}" if len(chunks) == 1 else f"{chunks[0]}-{chunks[-1]}"
