"""``ringlab schedule ALGORITHM|FILE.xml -n RANKS``: what a collective sends, step by step, and the proof of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ringlab import completions
from ringlab.errors import CheckError, UsageError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json
from ringlab.text_files import read_text, write_text

if TYPE_CHECKING:
    from collectives.schedule import Schedule

ITEMSIZE = 4  # of a float: chunks end where elements do

LISTED = 64
"""Transfers that a table shows unless ``--transfers`` asks for all."""


PROGRAM = ".xml"
"""How the name of a file with an MSCCL program ends."""

RANKS = 8


@click.command(
    cls=Command,
    examples=[
        "ringlab schedule ring -n 4",
        "ringlab schedule halving-doubling -n 8 --size 16M --verify",
        "ringlab schedule ring -n 4 --draw ring.svg",
        "ringlab schedule bidirectional-ring -n 8 --json - | jq .flows",
        "ringlab schedule examples/msccl/allpairs-4.xml --verify",
        "ringlab schedule ring -n 8 --msccl ring-8.xml --goal ring-8.goal --steps ring-8.json",
    ],
)
@click.argument("algorithm", shell_complete=completions.algorithms)
@click.option("-n", "--ranks", type=click.IntRange(2, 1024), help=f"Ranks.  [default: {RANKS}, or as FILE.xml says]")
@click.option("--operation", help="What is to be done: all_gather, all_to_all, ...  [default: all_reduce]")
@click.option("--size", default="16M", show_default=True, help="Bytes of a rank's buffer: 8, 64K, 16M, 1G.")
@click.option("--channels", type=click.IntRange(1, 64), help="Copies side by side.  [default: 1, or as FILE.xml says]")
@click.option("--verify", is_flag=True, help="Prove it: every rank must end with every rank's data exactly once.")
@click.option("--transfers", is_flag=True, help=f"List all transfers, also where there are more than {LISTED}.")
@click.option("--msccl", metavar="FILE|-", help="Write it as an MSCCL XML program.")
@click.option("--goal", metavar="FILE|-", help="Write it, with --size, as GOAL text for LogGOPSim.")
@click.option("--steps", metavar="FILE|-", help="Write what each chunk holds after each step, as JSON for a stepper.")
@click.option("--draw", metavar="FILE|-", help="Draw it as an SVG: ranks, steps, who sends to whom.")
@json_option
def command(
    *,
    algorithm: str,
    ranks: int | None,
    operation: str | None,
    size: str,
    channels: int | None,
    verify: bool,
    transfers: bool,
    msccl: str | None,
    goal: str | None,
    steps: str | None,
    draw: str | None,
    json_target: str | None,
) -> None:
    """Show the schedule of an allreduce ALGORITHM: its steps, its bytes on the wire, its flows and its transfers.

    Algorithms: ring, bidirectional-ring, halving-doubling, recursive-doubling, double-binary-tree, pairwise,
    hierarchical, torus, rooted. `hierarchical:4` and `torus:4` say how many ranks are in a group or row. Or the path of
    an MSCCL XML program, which ends in .xml; it is read only if it does what it says.
    """
    targets = (msccl, goal, steps, draw, json_target)
    if targets.count(STDOUT) > 1:
        raise UsageError(
            "--msccl, --goal, --steps, --draw, --json: only one can go to standard output; name files for others"
        )
    schedule = _chosen(algorithm, ranks, channels, operation)
    nbytes = _nbytes(size)
    data = _data(schedule, algorithm, nbytes)
    if verify:
        data["verified"] = _verdict(schedule)
    _export(schedule, nbytes, Path(algorithm).stem, (msccl, goal, steps, draw))
    if json_target:
        write_json(json_target, data)
    if STDOUT not in targets:
        click.echo(_described(schedule, data, everything=transfers), nl=False)
    if verify and data["verified"] != "ok":
        raise CheckError(f"{algorithm} of {schedule.num_ranks} ranks is no {_noun(schedule)}: {data['verified']}")


def _chosen(algorithm: str, ranks: int | None, channels: int | None, operation: str | None) -> Schedule:
    if not algorithm.endswith(PROGRAM):
        return _built(algorithm, ranks or RANKS, channels or 1, operation or "all_reduce")
    schedule = _read(Path(algorithm))
    found = {"-n": schedule.num_ranks, "--channels": schedule.num_channels, "--operation": schedule.operation.name}
    for (flag, is_so), said in zip(found.items(), (ranks, channels, operation), strict=True):
        if said not in (None, is_so):
            raise UsageError(f"{flag} {said}: {algorithm} has {is_so}; leave {flag} out")
    return schedule


def _read(path: Path) -> Schedule:
    from collectives.interchange import msccl_reader  # noqa: PLC0415 - numpy only where it is used
    from collectives.schedule import ScheduleError  # noqa: PLC0415 - likewise

    try:
        return msccl_reader.read(read_text(path, "MSCCL program"))
    except ScheduleError as error:
        raise UsageError(f"{path}: {error}") from None


def _built(algorithm: str, ranks: int, channels: int, operation: str) -> Schedule:
    from collectives import algorithms  # noqa: PLC0415 - numpy only where it is used
    from collectives.schedule import ScheduleError  # noqa: PLC0415 - likewise

    try:
        return algorithms.build(algorithm, ranks, channels, operation=operation)
    except ScheduleError as error:
        raise UsageError(str(error)) from None


def _export(schedule: Schedule, nbytes: int, name: str, targets: Sequence[str | None]) -> None:
    """To those of --msccl, --goal, --steps and --draw that are given."""
    from collectives import drawing  # noqa: PLC0415 - numpy only where it is used
    from collectives.interchange import goal, msccl_writer, stepper  # noqa: PLC0415 - likewise
    from collectives.schedule import ScheduleError  # noqa: PLC0415 - likewise

    made: tuple[Callable[[], str], ...] = (
        lambda: msccl_writer.write(schedule, name),
        lambda: goal.write(schedule, nbytes // ITEMSIZE, ITEMSIZE),
        lambda: json.dumps(stepper.stepper(schedule)) + "\n",
        lambda: drawing.draw(schedule, f"{name}, {schedule.operation.name}"),
    )
    for flag, target, make in zip(("--msccl", "--goal", "--steps", "--draw"), targets, made, strict=True):
        if target:
            try:
                text = make()
            except ScheduleError as error:
                raise UsageError(f"{flag}: {error}") from None
            if target == STDOUT:
                click.echo(text, nl=False)
            else:
                write_text(target, text)


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

    sizes = schedule.chunk_sizes(nbytes // ITEMSIZE) * ITEMSIZE
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    each = bounds[schedule.chunk + schedule.count] - bounds[schedule.chunk]
    sent = np.bincount(schedule.src, weights=each, minlength=schedule.num_ranks).astype(np.int64)
    return {
        "algorithm": algorithm,
        "operation": schedule.operation.name,
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
        f"{data['algorithm']}: {_noun(schedule)} of {data['ranks']} ranks, {_plural(data['channels'], 'channel')}",
        f"buffer     {size} bytes of a rank, in {data['chunks']} chunks",
        f"steps      {data['steps']}",
        f"transfers  {data['transfers']}, over {len(data['flows'])} flows",
        f"bytes      {most} sent by the busiest rank, {most / size if size else 0:.4g} of the buffer",
    ]
    if "verified" in data:
        good = data["verified"] == "ok"
        proof = f"proven: {_ending(schedule)}" if good else data["verified"]
        lines.append(f"proof      {proof}")
    if not everything and len(schedule) > LISTED:
        return "\n".join([*lines, f"(more than {LISTED} transfers: --transfers lists them)"]) + "\n"
    rows = [[t.step, t.src, t.dst, _chunks(t.chunks), t.op.name.lower(), t.channel] for t in _in_order(schedule)]
    return "\n".join([*lines, "", table(["step", "src", "dst", "chunks", "op", "channel"], rows)])


def _noun(schedule: Schedule) -> str:
    """As these programs are called everywhere: allreduce."""
    return schedule.operation.name.replace("_", "")


def _ending(schedule: Schedule) -> str:
    if schedule.operation.name == "all_reduce":
        return "every rank ends with every rank's data exactly once"
    return "every rank ends with what it must have, exactly once"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _in_order(schedule: Schedule) -> list[Any]:
    return sorted(schedule.transfers(), key=lambda transfer: (transfer.step, transfer.src, transfer.channel))


def _chunks(chunks: range) -> str:
    return f"{chunks[0]}" if len(chunks) == 1 else f"{chunks[0]}-{chunks[-1]}"
