"""The command line of ``python -m collectives``: nccl-tests' flags and a few more. Pure: words in, Options out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn
from zlib import crc32

from collectives import algorithms
from collectives.memory import OPS
from collectives.metrics import DTYPES, format_size, parse_size
from collectives.operations import Operation
from collectives.peers.libraries import LIBRARIES, RINGLAB, Library
from collectives.peers.mpirun import LOOPBACK
from collectives.perf.kinds import KINDS, Kind, kind_of
from topologies.spelling import did_you_mean

EXAMPLES = """examples:
  python -m collectives --ranks 4 -b 8 -e 1M -f 2             four ranks on this machine, over 127.0.0.1
  python -m collectives --rank 0 --peers 10.0.0.1,10.0.0.2    rank 0 of two; start the other with --rank 1
  python -m collectives --ranks 2 --sizes 1M,16M -J out.json  just these sizes; times of every rank in a file
  python -m collectives all_to_all --ranks 4 --format csv     another operation, another form
  python -m collectives --ranks 4 --schedule allpairs-4.xml   an MSCCL XML program in place of an algorithm
  python -m collectives --ranks 4 --library gloo              the same by gloo; openmpi: by Open MPI, over TCP
exit codes: 0 ok, 1 wrong values, 2 usage, 3 the library is missing, 4 the ranks could not finish together
"""


FORMATS = ("nccl", "csv", "json", "osu", "param")

_ELSEWHERE = (
    ("-t", "--nthreads", 1, "a rank is a process of one thread: give --ranks"),
    ("-g", "--ngpus", 1, "a rank is a process without a GPU: give --ranks"),
    ("-G", "--cudagraph", 0, "there are no CUDA graphs on a CPU"),
    ("-M", "--memory", 0, "there is no GPU memory to report"),
    ("-u", "--unalign", 0, "buffers are aligned as numpy aligns them"),
    ("-R", "--local_register", 0, "TCP registers no buffers"),
    ("-x", "--cta_policy", 0, "there are no CTAs on a CPU"),
    ("-p", "--parallel_init", 0, "ranks always start side by side"),
    ("-y", "--stream_null", 0, "there are no CUDA streams on a CPU"),
)
"""nccl-tests' flags that mean nothing here: taken at the value that changes nothing."""


class UsageError(ValueError):
    """A command line that can't be; one line."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to run. Sizes in bytes; ``average`` is 0 (rank 0's time), 1 (mean), 2 (min) or 3 (max)."""

    rank: int | None
    peers: tuple[str, ...]
    sizes: tuple[int, ...]
    min_bytes: int
    max_bytes: int
    step_bytes: int
    step_factor: int
    iters: int
    warmup_iters: int
    checks: int
    ops: tuple[str, ...]
    dtypes: tuple[str, ...]
    average: int
    json_path: str | None
    algorithm: str
    channels: int
    timeout_s: float
    rendezvous_timeout_s: float
    in_place: bool
    device_name: str
    token: str
    check_timed: bool = False
    report_steps: tuple[tuple[int, int], ...] = ()
    report_fd: int | None = None
    step_board: str | None = None
    kind: Kind = KINDS["all_reduce"]
    agg_iters: int = 1
    run_cycles: int = 1
    blocking: int = 0
    cpu_time: bool = False
    timestamps: bool = False
    per_iter: bool = False
    per_iter_skip: int = 0
    root: int | None = 0
    form: str = "nccl"
    stragglers: bool = False
    explain: bool = False
    library: Library = RINGLAB
    store_port: int | None = None
    mpi_agent: str | None = None
    mpi_network: str = LOOPBACK
    program: str | None = None
    """Path of an MSCCL XML program in place of the algorithm."""
    iters_by_size: tuple[int, ...] = ()
    """One for each of ``sizes``; ``iters`` is then the least of them."""

    def iters_of(self, size: int) -> int:
        """Timed iterations of one of ``sizes``."""
        return self.iters_by_size[self.sizes.index(size)] if self.iters_by_size else self.iters

    @property
    def iters_text(self) -> str:
        return ",".join(map(str, self.iters_by_size or (self.iters,)))

    def roots(self, num_ranks: int) -> Sequence[int]:
        """Those that are run one after another: -1 for an operation without."""
        if not self.kind.rooted:
            return (-1,)
        return range(num_ranks) if self.root is None else (self.root,)

    def algorithms(self) -> Mapping[str, str]:
        """Chosen for operations other than all_reduce."""
        own = self.kind.operation != "all_reduce"
        return {self.kind.operation: self.algorithm} if own else {}

    def settings(self) -> Mapping[str, str]:
        """What all ranks must have in common, beside the schedule."""
        sizes = ",".join(map(format_size, self.sizes))
        if len(self.sizes) > 8:
            ends = f"{format_size(self.sizes[0])}..{format_size(self.sizes[-1])}"
            sizes = f"{ends} ({len(self.sizes)} sizes, {crc32(sizes.encode()):08x})"
        return {
            "sizes": sizes,
            "datatypes": ",".join(self.dtypes),
            "operations": ",".join(self.ops),
            "iterations": f"{self.iters_text}+{self.warmup_iters}",
            "checks": str(self.checks),
            "average": str(self.average),
            "in place": "yes" if self.in_place else "no",
            "timed checks": "yes" if self.check_timed else "no",
            "collective": f"{self.kind.name} of root {'all' if self.root is None else self.root}, {self.algorithm}",
            "repeats": f"{self.agg_iters} x {self.run_cycles}, -z {self.blocking}",
        }


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def parse(words: Sequence[str]) -> Options:
    """UsageError for a command line that can't be. ``--help`` prints and exits."""
    given = _parser().parse_args(words)
    kind = _kind(given.operation)
    library = _library(given)
    low, high = (parse_size_of(flag, text) for flag, text in (("-b", given.minbytes), ("-e", given.maxbytes)))
    step = parse_size_of("-i", given.stepbytes)
    if given.sizes is None:
        sizes = _ladder(low, high, step, given.stepfactor)
    else:
        sizes = tuple(parse_size_of("--sizes", text) for text in given.sizes.split(","))
        low, high = min(sizes), max(sizes)
    rank, peers = _peers(given)
    iters = _iters(given.iters, sizes, listed=given.sizes is not None)
    _positive("-m", given.agg_iters)
    _only_here(given)
    for flag, value in (
        ("-w", given.warmup_iters),
        ("-c", given.check),
        ("-N", given.run_cycles),
        ("-K", given.per_iter_skip),
    ):
        if value < 0:
            raise UsageError(f"{flag} {value}: 0 or more")
    if bool(given.report_steps) != (given.report_fd is not None):
        raise UsageError("--report-steps and --report-fd: give both or neither")
    if given.check_timed and (given.agg_iters, given.blocking) != (1, 0):
        raise UsageError("--check-timed: each operation begins at a barrier and is timed alone; leave -m and -z out")
    if given.timeout <= 0 or given.rendezvous_timeout <= 0:
        raise UsageError("--timeout and --rendezvous-timeout: seconds, more than 0")
    if given.per_iter_skip >= min(iters):
        raise UsageError(f"-K {given.per_iter_skip}: fewer than the {min(iters)} iterations (-n)")
    root = _root(given.root, len(peers))
    ops = _choice("-o", given.op, tuple(OPS)) if kind.redop else ("sum",)
    dtypes = _choice("-d", given.datatype, tuple(DTYPES))
    if given.schedule and (given.algorithm or given.channels != 1):
        raise UsageError("--schedule says which algorithm and channels: give it without --algorithm and --channels")
    ops, dtypes = _can(library, Operation(kind.operation), ops, dtypes)
    return Options(
        rank=rank,
        peers=peers,
        sizes=sizes,
        min_bytes=low,
        max_bytes=high,
        step_bytes=step,
        step_factor=given.stepfactor,
        iters=min(iters),
        warmup_iters=given.warmup_iters,
        checks=given.check,
        ops=ops,
        dtypes=dtypes,
        average=given.average,
        json_path=given.output_file,
        algorithm=given.algorithm or ("ring" if kind.operation == "all_reduce" else "auto"),
        channels=given.channels,
        timeout_s=given.timeout,
        rendezvous_timeout_s=given.rendezvous_timeout,
        in_place=given.in_place,
        device_name=library.device if given.device_name is None else given.device_name,
        token=given.token,
        check_timed=given.check_timed,
        report_steps=_step_pairs(given.report_steps),
        report_fd=given.report_fd,
        step_board=given.step_board,
        kind=kind,
        agg_iters=given.agg_iters,
        run_cycles=given.run_cycles,
        blocking=given.blocking,
        cpu_time=bool(given.report_cputime),
        timestamps=bool(given.report_timestamps),
        per_iter=bool(given.per_iter_timing),
        per_iter_skip=given.per_iter_skip,
        root=root,
        form=given.format,
        stragglers=given.stragglers,
        explain=given.explain,
        library=library,
        store_port=given.store_port,
        mpi_agent=given.mpi_agent,
        iters_by_size=iters if len(iters) > 1 else (),
        mpi_network=given.mpi_network,
        program=given.schedule,
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m collectives",
        description="Times a collective operation between ranks over TCP; prints the table of nccl-tests.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("operation", nargs="?", default="all_reduce", help=f"{', '.join(KINDS)} (%(default)s)")
    who = parser.add_argument_group("who takes part")
    who.add_argument("--rank", type=int, help="this process's rank; needs --peers")
    who.add_argument(
        "--peers", metavar="IP,IP,...", help="every rank's address, rank 0 first; with several NICs: IP+IP"
    )
    who.add_argument("--ranks", type=int, metavar="N", help="start N ranks on this machine instead")
    who.add_argument("--address", default="127.0.0.1", help="where --ranks meet (%(default)s)")
    who.add_argument("--token", default="", help="a word that tells this job from others on the same addresses")
    what = parser.add_argument_group("what is measured (nccl-tests' flags)")
    what.add_argument("-b", "--minbytes", default="32M", metavar="SIZE", help="first size (%(default)s)")
    what.add_argument("-e", "--maxbytes", default="32M", metavar="SIZE", help="last size (%(default)s)")
    what.add_argument("-f", "--stepfactor", type=int, default=1, help="multiply sizes by this (off)")
    what.add_argument("-i", "--stepbytes", default="1M", metavar="SIZE", help="or add this (%(default)s)")
    what.add_argument("--sizes", metavar="SIZE,SIZE,...", help="or these sizes only")
    what.add_argument("-n", "--iters", default="20", help="timed iterations; N,N,...: of each of --sizes (%(default)s)")
    what.add_argument("-w", "--warmup_iters", type=int, default=1, help="warm-up iterations (%(default)s)")
    what.add_argument("-c", "--check", type=int, default=1, help="times the result is checked; 0: not (%(default)s)")
    what.add_argument("-o", "--op", default="sum", help=f"{', '.join(OPS)}, all (%(default)s)")
    what.add_argument("-d", "--datatype", default="float", help=f"{', '.join(DTYPES)}, all (%(default)s)")
    what.add_argument(
        "-a", "--average", type=int, default=1, choices=range(4), help="time is 0 rank 0's, 1 mean, 2 min, 3 max (1)"
    )
    what.add_argument("-r", "--root", default="0", metavar="RANK", help="root, or all (%(default)s)")
    what.add_argument("-m", "--agg_iters", type=int, default=1, help="operations in an iteration (%(default)s)")
    what.add_argument("-N", "--run_cycles", type=int, default=1, help="times all sizes are run; 0: for ever (1)")
    what.add_argument(
        "-z", "--blocking", type=int, default=0, choices=range(4), help="1: barrier after each, timed; 3: untimed (0)"
    )
    for short, long, told in (
        ("-C", "--report_cputime", "processor time in place of time"),
        ("-S", "--report_timestamps", "when each row was done"),
        ("-I", "--per_iter_timing", "columns of the single iterations"),
    ):
        what.add_argument(short, long, type=int, default=0, choices=(0, 1), help=f"{told} (%(default)s)")
    what.add_argument("-K", "--per_iter_skip", type=int, default=0, help="iterations they leave out (%(default)s)")
    for short, long, value, _ in _ELSEWHERE:
        what.add_argument(short, long, type=int, default=value, help=argparse.SUPPRESS)
    what.add_argument("-J", "--output_file", metavar="FILE", help="write the results as JSON too")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--algorithm", help=f"all_reduce: auto, {', '.join(algorithms.names())} (ring; of other operations auto)"
    )
    how.add_argument("--schedule", metavar="FILE.xml", help="an MSCCL XML program in place of an algorithm")
    how.add_argument("--channels", type=int, default=1, help="copies of it beside each other (%(default)s)")
    how.add_argument("-T", "--timeout", type=float, default=10.0, help="seconds without progress (%(default)g)")
    how.add_argument("--rendezvous-timeout", type=float, default=30.0, help="seconds to find all ranks (%(default)g)")
    how.add_argument("--no-in-place", dest="in_place", action="store_false", help="leave the in-place half out")
    how.add_argument("--check-timed", action="store_true", help="check the result of every timed iteration too")
    how.add_argument(
        "--report-steps",
        metavar="OP:STEP,...",
        help="tell when these steps (from 0) of timed operations (from 1) begin",
    )
    how.add_argument("--report-fd", type=int, metavar="FD", help="where to: an open pipe, a line 'RANK OP STEP' each")
    how.add_argument("--step-board", metavar="FILE", help="a file of 8 bytes a rank, to show there how far it is")
    how.add_argument("--format", default="nccl", choices=FORMATS, help="of what is printed (%(default)s)")
    how.add_argument("--stragglers", action="store_true", help="also say which ranks the others waited for")
    how.add_argument("--explain", action="store_true", help="also say what each algorithm would cost")
    how.add_argument("--device-name", help=f"what the device lines say ({RINGLAB.device})")
    other = parser.add_argument_group("other libraries")
    other.add_argument("--library", default=RINGLAB.name, help=f"{', '.join(LIBRARIES)} (%(default)s)")
    other.add_argument("--store-port", type=int, metavar="PORT", help="gloo: of rank 0, to meet at (29500)")
    other.add_argument(
        "--mpi-agent", metavar="COMMAND", help="openmpi: starts a daemon at a peer's address, as ssh does; with --peers"
    )
    other.add_argument("--mpi-network", default=LOOPBACK, metavar="CIDR", help="openmpi: to use alone (%(default)s)")
    return parser


def _iters(text: str, sizes: Sequence[int], *, listed: bool) -> tuple[int, ...]:
    """Timed iterations: one number, or one for each of ``sizes``, which must then be a list of their own."""
    try:
        found = tuple(map(int, text.split(",")))
    except ValueError:
        raise UsageError(f"-n {text}: a number, or one for each of --sizes") from None
    for number in found:
        _positive("-n", number)
    if len(found) > 1 and not (listed and len(found) == len(sizes)):
        raise UsageError(f"-n {text}: {len(found)} numbers, but {len(sizes) if listed else 'no'} --sizes")
    return found


def parse_size_of(flag: str, text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def _ladder(low: int, high: int, step_bytes: int, factor: int) -> tuple[int, ...]:
    if low > high:
        raise UsageError(f"-b {format_size(low)} is above -e {format_size(high)}: turn them round")
    if low < high and ((factor > 1 and low == 0) or (factor <= 1 and step_bytes == 0)):
        raise UsageError("sizes would never grow: -b above 0 with -f, or -i above 0")
    sizes = [low]
    while (size := sizes[-1] * factor if factor > 1 else sizes[-1] + step_bytes) <= high and low < high:
        sizes.append(size)
    return tuple(sizes)


def _peers(given: argparse.Namespace) -> tuple[int | None, tuple[str, ...]]:
    """Our rank (None where this process is to start them all), and all addresses."""
    if given.ranks is not None:
        if given.rank is not None or given.peers is not None:
            raise UsageError("--ranks starts all ranks here: give it without --rank and --peers")
        _positive("--ranks", given.ranks)
        return None, (given.address,) * given.ranks
    by_mpirun = LIBRARIES[given.library].by_mpirun
    if given.peers is None or (given.rank is None and not by_mpirun):
        raise UsageError("say who takes part: --ranks N, or --rank R --peers IP,IP,...")
    peers = tuple(address.strip() for address in given.peers.split(","))
    if not all(peers):
        raise UsageError(f"--peers {given.peers}: an address is empty")
    if given.rank is not None and not 0 <= given.rank < len(peers):
        raise UsageError(f"--rank {given.rank}: from 0 to {len(peers) - 1}, as there are {len(peers)} peers")
    return given.rank, peers


def _step_pairs(text: str | None) -> tuple[tuple[int, int], ...]:
    pairs = [pair.partition(":")[::2] for pair in text.split(",")] if text else []
    if not all(operation.isdigit() and int(operation) and step.isdigit() for operation, step in pairs):
        raise UsageError(f"--report-steps {text}: pairs of an operation (from 1) and a step (from 0), as in 1:5,2:0")
    return tuple((int(operation), int(step)) for operation, step in pairs)


def _positive(flag: str, value: int) -> None:
    if value < 1:
        raise UsageError(f"{flag} {value}: at least 1")


def _choice(flag: str, word: str, known: tuple[str, ...]) -> tuple[str, ...]:
    if word == "all":
        return known
    if word not in known:
        raise UsageError(f"{flag} {word}: {did_you_mean(word, known)}")
    return (word,)


def _kind(word: str) -> Kind:
    try:
        return kind_of(word)
    except KeyError:
        raise UsageError(f"{word}: {did_you_mean(word, tuple(KINDS))}") from None


def _library(given: argparse.Namespace) -> Library:
    if given.library not in LIBRARIES:
        raise UsageError(f"--library {given.library}: {did_you_mean(given.library, tuple(LIBRARIES))}")
    library = LIBRARIES[given.library]
    if library is RINGLAB:
        return library
    if library.by_mpirun and given.rank is not None:
        raise UsageError(f"--rank {given.rank}: mpirun numbers the ranks of {library.name}: leave it out")
    for flag in ("algorithm", "explain", "report_steps", "schedule", "step_board"):
        if getattr(given, flag):
            raise UsageError(f"--{flag.replace('_', '-')}: only of our own library, as {library.name} has its own ways")
    if given.channels != 1:
        raise UsageError(f"--channels {given.channels}: only of our own library, as {library.name} has its own ways")
    return library


def _can(
    library: Library, operation: Operation, ops: tuple[str, ...], dtypes: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of several (``all``) those that the library can do; UsageError where it can't do the one that was asked for."""
    if operation.reduces:
        ops = tuple(op for op in ops if op in library.ops) if len(ops) > 1 else ops
        dtypes = tuple(dtype for dtype in dtypes if dtype in library.dtypes) if len(dtypes) > 1 else dtypes
    try:
        library.check(operation, dtypes, ops)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return ops, dtypes


def _only_here(given: argparse.Namespace) -> None:
    for short, long, value, why in _ELSEWHERE:
        found = getattr(given, long.removeprefix("--"))
        if found != value:
            raise UsageError(f"{short} {found}: only {value}, as {why}")


def _root(word: str, num_ranks: int) -> int | None:
    """None for all of them."""
    if word == "all":
        return None
    if not word.isdigit() or int(word) >= num_ranks:
        raise UsageError(f"-r {word}: a rank from 0 to {num_ranks - 1}, or all")
    return int(word)
