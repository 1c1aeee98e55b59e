"""``python -m collectives``: one rank of a collective benchmark, or all of them on this machine (``--ranks``)."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads that an all_reduce never uses

from collectives import algorithms
from collectives.communicator import AUTO, Communicator
from collectives.metrics import format_size
from collectives.operations import Operation
from collectives.perf import measure, table
from collectives.perf.formats import FORMS
from collectives.perf.local import run_local
from collectives.perf.options import Options, UsageError, parse
from collectives.perf.percentiles import stragglers
from collectives.perf.record import record
from collectives.perf.rows import Device, Row, total_wrong
from collectives.perf.step_reports import StepReports
from collectives.transport.errors import TransportError

OK, WRONG, USAGE, FAILED = 0, 1, 2, 4
INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """The exit code: 0 ok, 1 wrong values, 2 usage, 4 the ranks could not finish together."""
    try:
        return _dispatch(sys.argv[1:] if words is None else words)
    except UsageError as error:
        return _fail(USAGE, str(error))
    except TransportError as error:
        return _fail(FAILED, str(error))
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
    if options.rank is not None:
        return _run(options, options.rank, words, least_busbw)
    _communicator(options, 0)  # a bad schedule is one error here instead of one a rank
    return run_local(words, options.peers)


def _communicator(options: Options, rank: int, reports: StepReports | None = None) -> Communicator:
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
        reports = None
        if options.report_fd is not None:
            reports = StepReports(rank, options.report_steps, options.report_fd)
        with _communicator(options, rank, reports) as communicator:
            devices = measure.devices(communicator, options.device_name)
            printer.head(devices)
            for row in measure.rows(communicator, options, reports):
                printer.row(row)
                found.append(row)
            explained = list(_explained(communicator, options))
        printer.comment([*table.foot(found, options, least_busbw), *explained, *_waited(found, devices, options)])
    except BaseException:
        if json_file:
            json_file.unlink()
        raise
    text = record(options, words, devices, found, (started, _now()), operations=communicator.operations)
    if json_file:
        json_file.write_text(text + "\n")
    printer.record(text)
    slow = least_busbw is not None and not table.enough(found, least_busbw)
    return WRONG if total_wrong(found) or slow else OK


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
