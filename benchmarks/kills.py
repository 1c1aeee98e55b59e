"""A rank that dies, sticks, dawdles or leaves, at a random moment of random collectives: every other rank must end.

Use:
    python benchmarks/kills.py                          # 1000 cases, some minutes
    python benchmarks/kills.py --quick                  # 60 cases
    python benchmarks/kills.py --cases 200 --seed 7 --timeout 2 --json -
    python benchmarks/kills.py --only 731               # one case again, with what each rank said

Each case is 2 to 5 processes on loopback that run random operations, with one fault: SIGKILL, SIGSTOP for a short
while, SIGSTOP for good, a sleep shorter or longer than the time-out, an exception. After a fault that the job must
bear, every rank is to end with right results. After the others, every rank is to end within the time-out and a grace,
with right results or with one line that names itself, a peer that is gone, and the step. Everything follows from the
seed but the machine's timing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import select
import signal
import statistics
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402 - before the ranks fork, so that each is there at once

from collectives.communicator import Communicator  # noqa: E402
from collectives.operations import Operation  # noqa: E402
from collectives.perf.checkdata import Expected, contributions, fill  # noqa: E402
from collectives.transport.errors import TransportError  # noqa: E402

FAULTS = ("kill", "stop", "short stop", "sleep", "short sleep", "leave")
BORNE = ("short stop", "short sleep")
"""Faults shorter than the time-out: nobody may notice."""

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "short stop": signal.SIGSTOP}

SHORT, LONG = 0.4, 2.5
"""Of such a fault, and of a sleep that is too long, in time-outs."""

EARLIEST_S, LATEST_S = 0.001, 0.4
"""When signals come, after the start: from the rendezvous to the farewell, evenly in the logarithm."""

GRACE = 0.5
"""Beyond one time-out, in time-outs: the ranks' clocks start at their last news, and the machine is shared."""

STARVED, TRIES = 0.5, 4
"""A rank that was ready to run without a core for so many time-outs may well be taken for silent: the case is played
again, up to so often, if it was time that went wrong."""

SLOW = "in time: "
"""Begins a verdict that a busy machine can explain."""

HANG = 10.0
"""After so many time-outs a rank that has not ended hangs."""

OPERATIONS = (
    *("all_reduce", "reduce", "broadcast", "reduce_scatter", "all_gather"),
    *("gather", "scatter", "all_to_all", "send", "barrier"),
)
ALGORITHMS = ("ring", "bidirectional-ring", "halving-doubling", "double-binary-tree", "pairwise", "rooted", "auto")
MOST = 2_000_000
"""Elements: more than the sockets' buffers hold."""

LINE = re.compile(r"^rank (\d+) \([\d.]+\)[^\n]*rank \d+ \([\d.]+\)[^\n]*\Z")
WHEN = re.compile(r"at step \d+|before step 0|before all ranks had met|waited [\d.]+ s for|was refused by")


class LeavesError(Exception):
    """What a rank raises that leaves early."""


@dataclass(frozen=True)
class Work:
    """One call that all ranks make; ``root`` and ``peer`` as ``Operation`` has them."""

    name: str
    root: int
    peer: int
    dtype: str
    count: int


@dataclass(frozen=True)
class Case:
    """A job and its fault: by signal ``after_s``, or by itself at call number ``at_call``."""

    number: int
    addresses: tuple[str, ...]
    algorithm: str
    channels: int
    calls: tuple[Work, ...]
    fault: str
    victim: int
    after_s: float
    at_call: int
    revived: bool
    timeout_s: float


@dataclass(frozen=True)
class Told:
    """What a rank told, when by the machine's clock, and how long it had been ready to run without a core by then.

    It ``calls``, is ``struck`` by its fault, or ends: right, by error, as it left, by a bug.
    """

    what: str
    words: str
    at_s: float
    starved_s: float


@dataclass(frozen=True)
class End:
    """How a rank ended (as it told, or killed, or not at all: hang), when, and when it had made its last call.

    ``late_s`` of the time between it waited for a core, ``starved_s`` in all its life.
    """

    how: str
    words: str = ""
    at_s: float = math.inf
    called_s: float = 0.0
    late_s: float = 0.0
    starved_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """``verdict`` is empty if all is as it must be.

    ``last_s``: to the end of the last other rank, from the fault, or from the last call of another rank if that is
    later: until then it counted, compared or had no core, and waited for nobody. ``starved``: a rank had no core for
    so long that the others could take it for silent. Time without a core, in that last call, is not in ``last_s``.
    """

    case: Case
    ends: tuple[End, ...]
    last_s: float
    verdict: str
    starved: bool
    tries: int = 1

    @property
    def kind(self) -> str:
        others = [end.how for rank, end in enumerate(self.ends) if rank != self.case.victim]
        ended = "all right" if set(others) == {"right"} else "some right" if "right" in others else "all told"
        return f"{self.case.fault}: {ended}"


# -- what is to happen ---------------------------------------------------------------------
def a_case(number: int, seed: int, timeout_s: float) -> Case:
    draw = Random(seed * 1_000_003 + number)
    num_ranks = draw.randint(2, 5)
    address = f"127.{200 + seed % 50}.{number // 250 % 250}.{1 + number % 250}"
    works = [_a_work(draw, num_ranks) for _ in range(draw.randint(4, 12))]
    calls = tuple(work for work in works for _ in range(draw.randint(1, 4)))  # later ones know the way
    return Case(
        number,
        (address,) * num_ranks,
        draw.choice(ALGORITHMS),
        draw.randint(1, 2),
        calls,
        draw.choice(FAULTS),
        draw.randrange(num_ranks),
        math.exp(draw.uniform(math.log(EARLIEST_S), math.log(LATEST_S))),
        draw.randrange(len(calls)),
        draw.random() < 0.5,
        timeout_s,
    )


def _a_work(draw: Random, num_ranks: int) -> Work:
    root = draw.randrange(num_ranks)
    peer = (root + draw.randrange(1, num_ranks)) % num_ranks
    count = int(math.exp(draw.uniform(0, math.log(MOST)))) - 1
    dtype = draw.choice(("float32", "int64", "float16", "uint8"))
    return Work(draw.choice(OPERATIONS), root, peer, dtype, count - count % num_ranks)  # as all_to_all needs it


# -- a rank --------------------------------------------------------------------------------
def live(case: Case, rank: int, tell: Callable[[str, str], None]) -> None:
    """A rank's life; ``tell`` hears of its calls, its fault and its end."""
    wrong = 0
    tell("calls", "")
    try:
        with Communicator(
            rank, case.addresses, algorithm=case.algorithm, channels=case.channels, token=f"case {case.number}",
            timeout_s=case.timeout_s, rendezvous_timeout_s=case.timeout_s,
        ) as communicator:  # fmt: skip
            for number, work in enumerate(case.calls):
                if (rank, number) == (case.victim, case.at_call):
                    misbehave(case, tell)
                wrong += do(communicator, work, tell)
            tell("calls", "")
    except LeavesError:
        tell("left", "")
    except TransportError as error:
        tell("error", str(error))
    except BaseException:  # noqa: BLE001 - a rank may end in no other way
        tell("bug", traceback.format_exc())
    else:
        tell("bug" if wrong else "right", f"{wrong} wrong")


def misbehave(case: Case, tell: Callable[[str, str], None]) -> None:
    if case.fault in ("sleep", "short sleep"):
        tell("struck", "")
        time.sleep(case.timeout_s * (LONG if case.fault == "sleep" else SHORT))  # lateness is the fault
    elif case.fault == "leave":
        tell("struck", "")
        raise LeavesError


def do(communicator: Communicator, work: Work, tell: Callable[[str, str], None]) -> int:
    """Elements that came out wrong."""
    if work.name == "barrier":
        tell("calls", "")
        communicator.barrier()
        return 0
    rank, num_ranks = communicator.rank, communicator.num_ranks
    operation, dtype = Operation(work.name, work.root, work.peer), np.dtype(work.dtype)
    put, got = operation.lengths(num_ranks, rank, work.count)
    source, target = np.empty(put, dtype), np.empty(got, dtype)
    wanted = Expected(operation, "sum", dtype, num_ranks, rank, work.count)
    fill(source, contributions("sum", dtype, num_ranks)[rank])
    wanted.spoil(target)
    tell("calls", "")
    if work.name != "send":
        communicator.collective(operation, work.count, source, target)
    elif rank == work.root:
        communicator.send(source, work.peer)
    elif rank == work.peer:
        communicator.receive(target, work.root)
    return wanted.count_wrong(target)


# -- a case --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Process:
    """A rank from outside: ``pidfd`` is readable when it has ended, ``report`` holds what it told."""

    pid: int
    pidfd: int
    report: int

    @classmethod
    def start(cls, case: Case, rank: int) -> Process:
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            with suppress(BaseException):
                live(case, rank, partial(_tell, writing))
            os._exit(0)
        os.close(writing)
        return cls(pid, os.pidfd_open(pid), reading)

    def send(self, number: int) -> None:
        signal.pidfd_send_signal(self.pidfd, number)

    def ended(self) -> bool:
        return _await_ends([self], 0)

    def bury(self) -> list[Told]:
        """End it if need be; all that it told."""
        self.send(signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        with os.fdopen(self.report) as told:
            return [Told(*json.loads(line)) for line in told]


def _tell(fd: int, what: str, words: str) -> None:
    starved_s = int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    os.write(fd, (json.dumps((what, words, time.monotonic(), starved_s)) + "\n").encode())


def _await_ends(processes: Sequence[Process], until_s: float) -> bool:
    """Have all ended before ``until_s`` of the machine's clock?"""
    poll = select.poll()
    left = {process.pidfd for process in processes}
    for fd in left:
        poll.register(fd, select.POLLIN)
    while left:
        found = poll.poll(max(0.0, until_s - time.monotonic()) * 1000)
        for fd, _ in found:
            left.discard(fd)
            poll.unregister(fd)
        if not found:
            return False
    return True


def played_fairly(case: Case) -> Outcome:
    """Again where ranks took each other for silent because the machine was too busy to run them."""
    for tries in range(1, TRIES + 1):
        outcome = replace(play(case), tries=tries)
        if not (outcome.verdict.startswith(SLOW) and outcome.starved):
            break
    return outcome


def play(case: Case) -> Outcome:
    began = time.monotonic()
    processes = [Process.start(case, rank) for rank in range(len(case.addresses))]
    by_signal = case.fault in SIGNALS
    struck_at = strike(case, processes, began + case.after_s) if by_signal else math.inf
    _await_ends(processes, time.monotonic() + HANG * case.timeout_s)
    running = [not process.ended() for process in processes]
    told = [process.bury() for process in processes]
    struck_at = min([struck_at, *(one.at_s for words in told for one in words if one.what == "struck")])
    ends = tuple(_end(words, hangs=hangs) for words, hangs in zip(told, running, strict=True))
    others = [end for rank, end in enumerate(ends) if rank != case.victim]
    waited_from = max(struck_at, *(end.called_s for end in others))
    late_s = max(end.late_s for end in ends)
    last_s = max(0.0, max(end.at_s for end in others) - waited_from - late_s)
    starved = max(end.starved_s for end in ends) > STARVED * case.timeout_s
    return Outcome(case, ends, last_s, judge(case, ends, last_s, struck=struck_at < math.inf), starved)


def _end(told: Sequence[Told], *, hangs: bool) -> End:
    call = next((one for one in reversed(told) if one.what == "calls"), Told("calls", "", 0.0, 0.0))
    last = next((one for one in told if one.what not in ("calls", "struck")), None)
    if hangs or last is None:
        return End("hang" if hangs else "killed", called_s=call.at_s)
    return End(last.what, last.words, last.at_s, call.at_s, last.starved_s - call.starved_s, last.starved_s)


def strike(case: Case, processes: Sequence[Process], at: float) -> float:
    """When the signal came, infinity if the victim had ended by then."""
    victim = processes[case.victim]
    others = [process for process in processes if process is not victim]
    if _await_ends([victim], at):
        return math.inf
    victim.send(SIGNALS[case.fault])
    struck_at = time.monotonic()
    if case.fault == "short stop":
        _await_ends([victim], struck_at + SHORT * case.timeout_s)  # it can't: this is the stop
        victim.send(signal.SIGCONT)
    elif case.fault == "stop":
        _await_ends(others, struck_at + HANG * case.timeout_s)
        victim.send(signal.SIGCONT if case.revived else signal.SIGKILL)
    return struck_at


# -- is it as it must be? ------------------------------------------------------------------
def judge(case: Case, ends: Sequence[End], last_s: float, *, struck: bool) -> str:
    """Empty, or what is wrong: first what no busy machine can explain."""
    fallen = {rank for rank, end in enumerate(ends) if end.how in ("error", "left", "killed")}
    if struck and case.fault not in BORNE:
        fallen.add(case.victim)
    for rank, end in enumerate(ends):
        if end.how == "error" and (wrong := _misspoken(rank, end.words, fallen)):
            return f"rank {rank} {wrong}: {end.words}"
    for rank, end in enumerate(ends):
        if end.how not in (allowed := _allowed(case, rank, struck=struck)):
            late = SLOW if end.how == "error" else ""
            return f"{late}rank {rank} ended by {end.how}, not {' or '.join(allowed)}: {end.words}"
    if struck and case.fault not in BORNE and last_s > (1 + GRACE) * case.timeout_s:
        return f"{SLOW}the last rank ended {last_s:.2f} s after the fault, or its call"
    return ""


def _allowed(case: Case, rank: int, *, struck: bool) -> tuple[str, ...]:
    if not struck or case.fault in BORNE:
        return ("right",)
    if rank == case.victim:
        return {"leave": ("left",), "sleep": ("error",), "kill": ("killed", "right")}.get(
            case.fault, ("killed", "error", "right")
        )
    # Nobody passes the farewell without the victim, which is not there yet if it sleeps or leaves before a call.
    return ("error",) if case.fault in ("leave", "sleep") else ("error", "right")


def _misspoken(rank: int, words: str, fallen: set[int]) -> str:
    """What is wrong with an error: one line, its rank first, when it was, and only peers that did not end right."""
    spoken = LINE.match(words)
    if not spoken or int(spoken[1]) != rank or not WHEN.search(words):
        return "does not say who, whom and when in one line"
    peers = {int(number) for number in re.findall(r"rank (\d+) \(", words.split("; refused", 1)[0])} - {rank}
    return f"blames {peers - fallen}, which did not fall" if peers - fallen else ""


# -- all cases -----------------------------------------------------------------------------
def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    numbers = range(60 if options.quick else options.cases) if options.only is None else [options.only]
    cases = [a_case(number, options.seed, options.timeout) for number in numbers]
    began = time.monotonic()
    outcomes = []
    for outcome in _played(cases, options.workers):
        outcomes.append(outcome)
        if outcome.verdict or options.only is not None:
            print(_told(outcome), file=sys.stderr, flush=True)
    if options.json != "-":
        print("\n".join(_table(outcomes)))
        print(f"{time.monotonic() - began:.0f} s, seed {options.seed}, time-out {options.timeout:g} s")
    if options.json:
        text = json.dumps(_figures(outcomes), indent=2) + "\n"
        sys.stdout.write(text) if options.json == "-" else Path(options.json).write_text(text)
    return 1 if any(outcome.verdict for outcome in outcomes) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=1.0, help="the ranks' time-out, seconds")
    parser.add_argument("--workers", type=int, default=3, help="cases at once: most of them wait")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="this case alone, told in full")
    parser.add_argument("--quick", action="store_true", help="60 cases, under a minute")
    parser.add_argument("--json", metavar="FILE", help="write figures and raw samples there, - for standard output")
    return parser


def _played(cases: Sequence[Case], workers: int) -> Iterator[Outcome]:
    with get_context("fork").Pool(workers) as pool:
        yield from pool.imap_unordered(played_fairly, cases)


def _told(outcome: Outcome) -> str:
    case = outcome.case
    head = f"case {case.number}: {case.fault} of rank {case.victim} of {len(case.addresses)}, {case.algorithm}"
    ends = [f"  rank {rank} {end.how} at {end.at_s:.3f}: {end.words}" for rank, end in enumerate(outcome.ends)]
    return "\n".join([f"{head}: {outcome.verdict or 'as it must be'}", *ends])


def _slowness(outcomes: Sequence[Outcome]) -> list[float]:
    """Time-outs from a fault that is not borne to the end of the last other rank."""
    return [
        one.last_s / one.case.timeout_s for one in outcomes if one.case.fault not in BORNE and one.kind.count("told")
    ]


def _table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for kind, many in sorted(Counter(outcome.kind for outcome in outcomes).items()):
        yield f"{kind:28} {many:>5}"
    if slow := _slowness(outcomes):
        median, longest = statistics.median(slow), max(slow)
        yield f"the last rank ended: median {median:.2f}, longest {longest:.2f} time-outs after the fault"
    yield f"played again, as the machine had no core for a rank: {sum(one.tries > 1 for one in outcomes)}"
    yield f"{sum(not one.verdict for one in outcomes)}/{len(outcomes)} cases ended as they must"


def _figures(outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    passed = sum(not outcome.verdict for outcome in outcomes)
    slow = _slowness(outcomes)
    longest = max(slow, default=0.0)
    return [
        {
            "name": "cases of a rank killed, stuck, late or gone that ended as they must", "value": passed,
            "unit": "cases", "goal": len(outcomes), "better": "higher", "met": passed == len(outcomes),
            "samples": [f"{one.case.number} {one.kind}{one.verdict and ': ' + one.verdict}" for one in outcomes],
        },
        {
            "name": "from the fault to the end of the last rank, the longest", "value": longest, "unit": "time-outs",
            "goal": 1 + GRACE, "better": "lower", "met": longest <= 1 + GRACE, "samples": slow,
        },
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
