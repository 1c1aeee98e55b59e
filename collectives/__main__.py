"""``python -m collectives``: one rank of a collective benchmark, or all of them on this machine (``--ranks``)."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads that an all_reduce never uses

from collectives import algorithms
from collectives.choice import AUTO
from collectives.communicator import Communicator
from collectives.metrics import format_size
from collectives.operations import Operation
from collectives.peers import MissingError, Ranks, connect, launch, mpirun, require, version
from collectives.peers.libraries import OPEN_MPI_SM, RINGLAB
from collectives.perf import measure, table
from collectives.perf.formats import FORMS
from collectives.perf.local import run_local
from collectives.perf.options import Options, UsageError, parse
from collectives.perf.percentiles import stragglers
from collectives.perf.record import record
from collectives.perf.rows import Device, Row, total_wrong
from collectives.perf.step_board import StepBoard
from collectives.perf.step_reports import StepReports
from collectives.schedule import Schedule
from collectives.transport.errors import TransportError

OK, WRONG, USAGE, MISSING, FAILED = 0, 1, 2, 3, 4
INTERRUPTED = 130

DEFAULT_STORE_PORT = 29500
"""torch's own default."""


def main(words: Sequence[str] | None = None) -> int:
    """The exit code: 0 ok, 1 wrong values, 2 usage, 3 a library is missing, 4 the ranks could not finish together."""
    try:
        return _dispatch(sys.argv[1:] if words is None else words)
    except (UsageError, MissingError, TransportError) as error:
        codes = {UsageError: USAGE, MissingError: MISSING}
        return _fail(codes.get(type(error), FAILED), str(error))
    except MemoryError:
        return _fail(FAILED, "not enough memory for two buffers of the largest size: lower -e")
    except BrokenPipeError:  # whoever read our table left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _dispatch(words: Sequence[str]) -> int:
    options = parse(words)
    least_busbw = _least_busbw()
    if options.library.by_mpirun:
        return _by_mpirun(options, words, least_busbw)
    if options.rank is not None:
        return _run(options, options.rank, words, least_busbw)
    if options.library is RINGLAB:
        _communicator(options, 0)  # a bad schedule is one error here instead of one a rank
    else:
        require(options.library)  # and so is a library that is missing
    return run_local(_with_store(options, words), options.peers)


def _by_mpirun(options: Options, words: Sequence[str], least_busbw: float | None) -> int:
    """Have mpirun run these words again, as every rank: it says so in the environment."""
    world_rank = os.environ.get(mpirun.WORLD_RANK)
    if world_rank is None:
        require(options.library)
        shared = options.library is OPEN_MPI_SM
        return launch.run(
            words, options.peers, network=options.mpi_network, agent=options.mpi_agent, shared_memory=shared
        )
    if int(world_rank) >= len(options.peers):
        raise UsageError(f"mpirun started more ranks than --ranks {len(options.peers)}: give both the same number")
    rank = mpirun.rank_of(int(world_rank), options.peers)
    code = _run(options, rank, words, least_busbw)
    return code if rank == 0 else OK  # all know it, and mpirun ends rank 0 when another says so first


def _with_store(options: Options, words: Sequence[str]) -> list[str]:
    """A port that is free here, so that jobs of gloo can run beside each other."""
    if options.library is RINGLAB or options.store_port is not None:
        return list(words)
    with socket.create_server((options.peers[0], 0)) as found:
        return [*words, "--store-port", str(found.getsockname()[1])]


def _ranks(options: Options, rank: int, reports: StepReports | StepBoard | None) -> Ranks:
    """Our communicator, or a library in its place."""
    if options.library is RINGLAB:
        return _communicator(options, rank, reports)
    return connect(
        options.library,
        rank,
        options.peers,
        store_port=options.store_port or DEFAULT_STORE_PORT,
        timeout_s=options.timeout_s,
        rendezvous_timeout_s=options.rendezvous_timeout_s,
    )


def _program(options: Options) -> Schedule | None:
    """The schedule that was given in place of an algorithm, proven; None if none was."""
    path = options.program
    if path is None:
        return None
    from collectives.interchange import msccl_reader  # noqa: PLC0415 - ranks without a program start sooner

    try:
        found = msccl_reader.read(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"--schedule {path}: {error.strerror}; name an MSCCL XML file") from None
    except ValueError as error:
        raise UsageError(f"--schedule {path}: {error}") from None
    if found.operation.name != options.kind.operation:
        raise UsageError(f"--schedule {path}: does {found.operation}: write python -m collectives {found.operation}")
    return found


def _communicator(options: Options, rank: int, reports: StepReports | StepBoard | None = None) -> Communicator:
    try:
        for operation, name in options.algorithms().items():
            if name != AUTO:
                algorithms.build(name, len(options.peers), options.channels, operation=Operation(operation))
        return Communicator(
            rank,
            options.peers,
            algorithm="recursive-doubling" if options.algorithms() else options.algorithm,
            algorithms=options.algorithms(),
            channels=options.channels,
            schedule=_program(options),
            token=options.token,
            settings=options.settings(),
            timeout_s=options.timeout_s,
            rendezvous_timeout_s=options.rendezvous_timeout_s,
            watch=reports.watch if reports else None,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


class _Printer:
    """Rank 0's words, in the form that was asked for; other ranks keep quiet."""

    def __init__(self, options: Options, rank: int) -> None:
        self._options = options
        self._quiet = rank != 0
        self._form = FORMS.get(options.form)

    def comment(self, lines: Iterable[str]) -> None:
        """What only nccl-tests' own form says."""
        if self._options.form == "nccl":
            self._say(lines)

    def head(self, devices: Sequence[Device]) -> None:
        if self._form:
            self._say(self._form.head(self._options.kind))
        self.comment(table.head(self._options, devices))

    def row(self, row: Row) -> None:
        if self._form:
            self._say(self._form.lines(row))
        self.comment([table.line(row, self._options)])

    def record(self, text: str) -> None:
        if self._options.form == "json":
            self._say([text])

    def _say(self, lines: Iterable[str]) -> None:
        for line in () if self._quiet else lines:
            print(line, flush=True)


def _run(options: Options, rank: int, words: Sequence[str], least_busbw: float | None) -> int:
    """One rank; rank 0 prints, each line as soon as it is known."""
    printer = _Printer(options, rank)
    started = _now()
    json_file = _reserve(options.json_path) if options.json_path and rank == 0 else None
    try:
        if json_file:
            printer.comment([f"# Writing JSON output to {json_file}"])
        found: list[Row] = []
        reports = _reports(options, rank)
        with _ranks(options, rank, reports) as communicator:
            library = version(options.library)
            if options.library is not RINGLAB:
                printer.comment([f"# Library: {library}"])
            network = None
            if isinstance(communicator, Communicator) and options.algorithm == AUTO:
                network = communicator.tune()
            devices = measure.devices(communicator, options.device_name)
            printer.head(devices)
            for row in measure.rows(communicator, options, reports):
                printer.row(row)
                found.append(row)
            explained = list(_explained(communicator, options)) if isinstance(communicator, Communicator) else []
        printer.comment([*table.foot(found, options, least_busbw), *explained, *_waited(found, devices, options)])
    except BaseException:
        if json_file:
            json_file.unlink()
        raise
    times = started, _now()
    text = record(
        options, words, devices, found, times, library=library, operations=communicator.operations, network=network
    )
    if json_file:
        json_file.write_text(text + "\n")
    printer.record(text)
    slow = least_busbw is not None and not table.enough(found, least_busbw)
    return WRONG if total_wrong(found) or slow else OK


def _reports(options: Options, rank: int) -> StepReports | StepBoard | None:
    """Who is told of steps as they begin, if anybody wants to know."""
    told = None
    if options.report_fd is not None:
        told = StepReports(rank, options.report_steps, options.report_fd)
    if options.step_board is None:
        return told
    try:
        return StepBoard(rank, options.step_board, told)
    except (OSError, ValueError) as error:
        raise UsageError(f"--step-board {options.step_board}: {error}; name a file of 8 bytes a rank") from None


def _least_busbw() -> float | None:
    """What nccl-tests' environment variable asks of the average, GB/s."""
    word = os.environ.get("NCCL_TESTS_MIN_BW")
    if word is None:
        return None
    try:
        return float(word)
    except ValueError:
        raise UsageError(f"NCCL_TESTS_MIN_BW={word}: GB/s, as a number") from None


def _explained(communicator: Communicator, options: Options) -> Iterator[str]:
    """What each algorithm would cost, a line a size."""
    for size in options.sizes if options.explain else ():
        yield f"# {format_size(size)}: {communicator.choice(options.kind.operation, size).explain()}"


def _waited(rows: Sequence[Row], devices: Sequence[Device], options: Options) -> Iterator[str]:
    """Which ranks the others waited for, a line a size."""
    for row in rows if options.stragglers else ():
        found = [one for one in stragglers(row.out_of_place.times_us) if one.last_share > 0]
        told = [
            f"rank {one.rank} ({devices[one.rank].host}) last in {one.last_share:.0%}, waited {one.waited_us:.1f} us"
            for one in found[:3]
        ]
        yield f"# {row.nbytes} B {row.dtype}: " + ("; ".join(told) or "no rank came clearly last")


def _reserve(path: str) -> Path:
    """``path``, or ``path.0``, ``path.1``, ...: the first that does not exist, created."""
    number = -1
    while True:
        candidate = Path(path if number < 0 else f"{path}.{number}")
        try:
            candidate.touch(exist_ok=False)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise UsageError(f"-J {candidate}: {error.strerror}") from None
        else:
            return candidate


def _fail(code: int, message: str) -> int:
    with contextlib.suppress(BrokenPipeError):
        print(f"python -m collectives: {message}", file=sys.stderr, flush=True)
    return code


def _now() -> str:
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ005 - nccl-tests writes local time without a zone


if __name__ == "__main__":
    sys.exit(main())
