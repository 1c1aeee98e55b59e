"""``python -m collectives``: one rank of an all_reduce benchmark, or all of them on this machine (``--ranks``)."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads that an all_reduce never uses

from collectives.communicator import Communicator
from collectives.perf import measure, table
from collectives.perf.local import run_local
from collectives.perf.options import Options, UsageError, parse
from collectives.perf.record import record
from collectives.perf.rows import Row, total_wrong
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
    if options.rank is not None:
        return _run(options, options.rank, words)
    _communicator(options, 0)  # a bad schedule is one error here instead of one a rank
    return run_local(words, options.peers)


def _communicator(options: Options, rank: int, reports: StepReports | None = None) -> Communicator:
    try:
        return Communicator(
            rank,
            options.peers,
            algorithm=options.algorithm,
            channels=options.channels,
            token=options.token,
            settings=options.settings(),
            timeout_s=options.timeout_s,
            rendezvous_timeout_s=options.rendezvous_timeout_s,
            watch=reports.watch if reports else None,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


def _run(options: Options, rank: int, words: Sequence[str]) -> int:
    """One rank; rank 0 prints, each line as soon as it is known."""
    say = _print if rank == 0 else _keep_quiet
    started = _now()
    json_file = _reserve(options.json_path) if options.json_path and rank == 0 else None
    try:
        if json_file:
            say(f"# Writing JSON output to {json_file}")
        found: list[Row] = []
        reports = None
        if options.report_fd is not None:
            reports = StepReports(rank, options.report_steps, options.report_fd)
        with _communicator(options, rank, reports) as communicator:
            devices = measure.devices(communicator, options.device_name)
            for text in table.head(options, devices):
                say(text)
            for row in measure.rows(communicator, options, reports):
                say(table.line(row))
                found.append(row)
        for text in table.foot(found):
            say(text)
    except BaseException:
        if json_file:
            json_file.unlink()
        raise
    if json_file:
        times = started, _now()
        text = record(options, words, devices, found, times, operations=communicator.operations)
        json_file.write_text(text + "\n")
    return WRONG if total_wrong(found) else OK


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


def _print(text: str) -> None:
    print(text, flush=True)


def _keep_quiet(text: str) -> None:
    pass


def _fail(code: int, message: str) -> int:
    with contextlib.suppress(BrokenPipeError):
        print(f"python -m collectives: {message}", file=sys.stderr, flush=True)
    return code


def _now() -> str:
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ005 - nccl-tests writes local time without a zone


if __name__ == "__main__":
    sys.exit(main())
