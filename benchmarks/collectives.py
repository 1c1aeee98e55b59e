"""All_reduce by ringlab, gloo and Open MPI: the same ranks, sizes and blocks, taking turns in one run.

    python benchmarks/collectives.py              # some ten minutes
    python benchmarks/collectives.py --quick      # within a minute
    python benchmarks/collectives.py --fabric     # on an emulated fabric instead of loopback, as root

Theory of operation. For each number of ranks every library's processes are started once and stay; a library's ranks
sleep in a read while it is another's turn. A *block* visits every size, and at each size every library, beginning with
another one each time, so that what drifts falls on all alike. A library's time at a size is the median over blocks of
the mean over ranks and repetitions; a ratio is the median over blocks of the ratio within the block (above 1: ringlab
is faster), with the least and the largest beside it. Each task also checks the sum.

On the fabric (four leaves, two spines, eight hosts, a rank a host, paths pinned) it is the same by ``ringlab run``:
arms that differ by library take turns, and the certificate says whether to believe them.

All ranks are started as ringlab starts its own (``collectives/perf/layout.py``), which helps every library.

gloo is torch.distributed's, on the CPU; Open MPI runs over TCP (``--mca btl tcp,self``), as the others do; with its
shared memory it stands apart, since that crosses no network.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # before this folder, where the package's name is this file's

from collectives.peers.errors import MissingError  # noqa: E402 - as above
from collectives.peers.launch import find_mpirun  # noqa: E402 - as above
from collectives.peers.mpirun import Launch, command  # noqa: E402 - as above
from collectives.perf.layout import alike  # noqa: E402 - as above

SIZES = [8, 512, 4 << 10, 32 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20]
QUICK_SIZES = [8, 4 << 10, 64 << 10, 1 << 20, 16 << 20]
LIBRARIES = ("ringlab", "gloo", "openmpi", "openmpi-sm")
ADDRESS = "127.0.0.1"
START_S, TASK_S = 60, 120
SPAN_S = 0.25
"""About how long a library works at one size in one block."""


def main():
    given = arguments()
    if given.fabric:
        samples, results = on_fabric(given)
    else:
        samples, memory = on_loopback(given)
        results = [*ratios(samples), *goals(samples), *memory]
    if given.json != "-":
        show(samples, results)
    if given.json:
        write(given.json, results, samples)
    return 0 if all(sample["wrong"] == 0 for sample in samples) else 1


def on_loopback(given):
    """Samples, and figures of memory."""
    samples, memory = [], []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        work = progress.add_task("", total=len(given.ranks) * given.blocks * len(given.sizes) * len(given.libraries))
        for ranks in given.ranks:
            with team(given.libraries, ranks) as groups:
                for block, size in product(range(given.blocks), given.sizes):
                    for library in rotated(given.libraries, block):
                        progress.update(work, description=f"{ranks} ranks, {text(size)}, {library}", advance=1)
                        samples.append(sample(groups[library], library, ranks, size, block))
                    if given.json and given.json != "-":  # a long run: what is known is kept
                        write(given.json, [], samples)
                if "ringlab" in groups:
                    sizes = [size for size in given.sizes if size >= 1 << 20]
                    memory += [remembered(groups["ringlab"], ranks, size) for size in sizes]
    return samples, memory


SPEC = """
name: libraries
fabric: leaf-spine:leaves=4,spines=2,hosts=2,rate=100G,latency=1us
placement: interleaved
algorithm: ring
sizes: {sizes}
arms: [{arms}]
repeats: {blocks}
iterations: 2
warmup: 0
"""


def on_fabric(given):
    """Samples, and the results: ratios, and ringlab's share of the line rate."""
    from ringlab.experiments import progress, runner, spec  # noqa: PLC0415 - only where a fabric is asked for

    libraries = [library for library in given.libraries if library != "openmpi-sm"]
    arms = [f"{{pinned: {{library: {library}}}}}" for library in libraries]
    sizes = given.sizes if given.sizes != SIZES else [64 << 10, 1 << 20, 4 << 20, 16 << 20]
    read = spec.loads(SPEC.format(sizes=sizes, arms=", ".join(arms), blocks=given.blocks))
    with progress.talk(total=runner.turns(read)) as talk:
        found = runner.run(read, talk.say, talk.step).result
    print(f"verdict: {found.certificate.verdict}; {found.failure or 'no turn failed'}", file=sys.stderr)
    samples, shares = [], []
    for library, arm in zip(libraries, found.arms, strict=True):
        for one in arm.results:
            for block, times_us in enumerate(one.samples_us):
                samples.append({
                    "library": library, "ranks": len(read.placement), "bytes": one.size_bytes, "block": block,
                    "times": len(times_us), "seconds": statistics.mean(times_us) / 1e6, "wrong": one.wrong,
                })  # fmt: skip
            if library == "ringlab" and one.size_bytes >= 16 << 20:
                shares.append({
                    "name": f"busbw of line rate, ring, 8 ranks, {text(one.size_bytes)}", "unit": "1", "goal": 0.94,
                    "value": round(one.line_share, 3), "better": "higher", "met": one.line_share >= 0.94,
                })  # fmt: skip
    return samples, [*ratios(samples), *goals(samples), *shares]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="within a minute: fewer sizes, ranks and blocks")
    parser.add_argument("--fabric", action="store_true", help="on an emulated fabric")
    parser.add_argument("--ranks", type=numbers, help="2,4,8")
    parser.add_argument("--sizes", type=numbers, help="bytes, with commas")
    parser.add_argument("--blocks", type=int, help="5")
    parser.add_argument("--libraries", type=lambda word: word.split(","), default=list(LIBRARIES))
    parser.add_argument("--json", metavar="FILE", help="results and raw samples; - for standard output")
    given = parser.parse_args()
    given.ranks = given.ranks or ([2, 4] if given.quick else [2, 4, 8])
    given.sizes = given.sizes or (QUICK_SIZES if given.quick else SIZES)
    given.blocks = given.blocks or (3 if given.quick else 5)
    return given


def numbers(word):
    return [int(number) for number in word.split(",")]


def rotated(items, first):
    first %= len(items)
    return [*items[first:], *items[:first]]


# -- the ranks ---------------------------------------------------------------------------------------------------
class Group:
    """A library's ranks, as we talk to them."""

    def __init__(self, lines):
        self.lines = lines
        for rank in lines:
            self.hear(rank)

    def run(self, task):
        for rank in self.lines:
            json.dump(task, self.lines[rank])
            self.lines[rank].write("\n")
            self.lines[rank].flush()
        return [self.hear(rank) for rank in self.lines]

    def hear(self, rank):
        line = self.lines[rank].readline()
        if not line:
            sys.exit(f"rank {rank} ended: see above")
        return json.loads(line)


@contextmanager
def team(libraries, ranks):
    """A group of ranks of each library."""
    with ExitStack() as stack:
        yield {library: stack.enter_context(group(library, ranks)) for library in libraries}


@contextmanager
def group(library, ranks):
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = str(Path(folder) / "control")
        control = socket.socket(socket.AF_UNIX)
        stack.callback(control.close)
        control.bind(path)
        control.listen(ranks)
        control.settimeout(START_S)
        started = start(library, path, ranks, folder)
        stack.callback(end, started)
        yield Group(met(control, ranks, stack))


def start(library, path, ranks, folder):
    # -P: or this file would be taken for the package.
    words = [*alike(), sys.executable, "-P", str(HERE / "collective_rank.py"), library, path]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    if not library.startswith("openmpi"):
        return [subprocess.Popen([*words, str(r), str(ranks), ADDRESS], env=environment) for r in range(ranks)]
    try:
        mpirun = find_mpirun()
    except MissingError as error:
        sys.exit(f"{error}, or leave it out with --libraries ringlab,gloo")
    launch = Launch(mpirun, (ADDRESS,) * ranks, folder, shared_memory=library == "openmpi-sm")
    return [subprocess.Popen(command(launch, [*words, "0", str(ranks), ADDRESS]), env=environment)]


def met(control, ranks, stack):
    """The ranks' lines, in order."""
    lines = {}
    for _ in range(ranks):
        connection, _ = control.accept()
        connection.settimeout(TASK_S)
        stack.callback(connection.close)
        file = connection.makefile("rw")
        stack.callback(file.close)
        lines[json.loads(file.readline())["rank"]] = file
    return dict(sorted(lines.items()))


def end(processes):
    """They end by themselves when their line is closed; what does not is ended by its pid."""
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        if process.poll() is None:
            process.kill()
            process.wait()


# -- figures -----------------------------------------------------------------------------------------------------
def sample(group, library, ranks, size, block):
    times = 2
    if size < 16 << 20:
        once = statistics.mean(mean(rank) for rank in group.run(task(size, ranks, 3)))
        times = max(2, min(2000, int(SPAN_S / once)))
    found = group.run(task(size, ranks, times))
    return {
        "library": library, "ranks": ranks, "bytes": size, "block": block, "times": times,
        "seconds": statistics.mean(map(mean, found)), "wrong": sum(rank["wrong"] for rank in found),
    }  # fmt: skip


def task(size, ranks, times):
    return {"bytes": size, "ranks": ranks, "times": times, "warm": min(200, times // 2)}


def mean(rank):
    return statistics.mean(rank["seconds"])


def remembered(group, ranks, size):
    """Peak resident memory of the worst rank, interpreter and libraries included, beside the message and two chunks."""
    found = group.run(task(size, ranks, 3))
    extra = max(rank["resident"] for rank in found) - size - 2 * size // ranks
    value = round(extra / (1 << 20), 1)
    return {"name": f"peak memory beside the message and two chunks, {ranks} ranks, {text(size)}", "value": value,
            "unit": "MiB", "goal": 40, "better": "lower", "met": value <= 40}  # fmt: skip


def seconds(samples, library, ranks, size):
    """One a block."""
    return [s["seconds"] for s in samples if (s["library"], s["ranks"], s["bytes"]) == (library, ranks, size)]


def compared(samples, other, ranks, size):
    """How many times faster ringlab was, one a block."""
    ours, theirs = (seconds(samples, library, ranks, size) for library in ("ringlab", other))
    return [their / our for our, their in zip(ours, theirs, strict=True)]


def places(samples):
    return sorted({(s["ranks"], s["bytes"]) for s in samples})


def ratios(samples):
    """A figure for each other library, number of ranks and size."""
    libraries = dict.fromkeys(s["library"] for s in samples)
    for other, (ranks, size) in product([one for one in libraries if one != "ringlab"], places(samples)):
        found = compared(samples, other, ranks, size)
        value = statistics.median(found)
        goal = {"gloo": 1.0, "openmpi": 1.2 if size >= 64 << 10 else 0.8}.get(other)
        yield {"name": f"{other} / ringlab, {ranks} ranks, {text(size)}", "value": round(value, 3), "unit": "x",
               "goal": goal, "better": "higher", "met": goal is None or value >= goal,
               "least": round(min(found), 3), "most": round(max(found), 3)}  # fmt: skip


def goals(samples):
    """The geometric mean against gloo."""
    if any(s["library"] == "gloo" for s in samples):
        found = [statistics.median(compared(samples, "gloo", *place)) for place in places(samples)]
        value = statistics.geometric_mean(found)
        yield {"name": "gloo / ringlab, geometric mean", "value": round(value, 3), "unit": "x", "goal": 2.0,
               "better": "higher", "met": value >= 2.0}  # fmt: skip


def show(samples, results):
    libraries = list(dict.fromkeys(s["library"] for s in samples))
    table = Table(
        "ranks",
        "size",
        *(f"{name} us" for name in libraries),
        *(f"{name} / ringlab" for name in libraries[1:]),
        title="all_reduce, median over blocks [least, most]",
    )
    for ranks, size in places(samples):
        times = [f"{statistics.median(seconds(samples, name, ranks, size)) * 1e6:.4g}" for name in libraries]
        against = [shown(compared(samples, name, ranks, size)) for name in libraries[1:]]
        table.add_row(str(ranks), text(size), *times, *against)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for result in results:
        if result["met"] is False or "mean" in result["name"] or "memory" in result["name"]:
            verdict = "met" if result["met"] else "MISSED"
            console.print(f"{result['name']}: {result['value']} {result['unit']}, goal {result['goal']}: {verdict}")


def shown(found):
    return f"{statistics.median(found):.2f} [{min(found):.2f}, {max(found):.2f}]"


def text(size):
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size // factor} {unit}"
    return f"{size} B"


def write(target, results, samples):
    whole = json.dumps({"results": results, "samples": samples}, indent=1)
    if target == "-":
        print(whole)
    else:
        Path(target).write_text(whole + "\n")


if __name__ == "__main__":
    sys.exit(main())
