"""What NCCL reaches on this machine's NVIDIA GPUs: the GPU side of a comparison, measured instead of looked up.

    python benchmarks/gpu_baseline.py                          # whatever is here: see below
    python benchmarks/gpu_baseline.py --quick                  # up to 1 MiB, 5 iterations
    python benchmarks/gpu_baseline.py --ranks 4 --apart        # four ranks as four hosts, over NCCL's sockets
    python benchmarks/gpu_baseline.py --fabric star:hosts=2,rate=1G   # as root: over an emulated fabric's links
    python benchmarks/gpu_baseline.py --set NCCL_ALGO=Tree --out tree --json tree/figures.json

Several GPUs: nccl-tests' all_reduce_perf where it is installed (on the PATH, or --nccl-tests DIR), a rank a GPU; else
torch.distributed with NCCL. One GPU: two ranks share it, each made to look like a host of its own (--apart), so that
NCCL's socket transport really runs, over the loopback or --interface. With --fabric each rank is in a host of an
emulated fabric, and NCCL's packets cross its links. In every case: how fast the GPU adds and copies in its memory.

Written into --out (gpu-baseline): NAME.txt as nccl-tests prints it, NAME.json as its -J writes it; `ringlab baseline
import` reads both. --json FILE has the figures in the form of all benchmarks. Exit codes: 1 wrong sums, 3 no GPU here.

--device cpu runs the same program with gloo on the processor: a check of everything but the GPU.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # before this folder, where files have packages' names

from benchmarks.gpu_baseline_parts import environment, gpus, ranks, rates, tables
from collectives.baseline import BaselineError, nccl_tests
from collectives.metrics import parse_size
from collectives.perf.rows import total_wrong
from ringlab.errors import CheckError, MachineError, RunError, UsageError, exit_code_of
from topologies.fabric import FabricError

LARGEST = "128M"
QUICK = "1M"
CPU_RATE_BYTES = 64 << 20


@dataclass(frozen=True)
class Plan:
    """One measurement with torch.distributed; ``gpus`` to share out, ``interface`` None for NCCL's own choice."""

    name: str
    ranks: int
    gpus: int
    backend: str
    device: str
    sizes: tuple
    iters: int
    interface: str | None
    apart: bool
    user: tuple
    timeout_s: float


def main(words=None):
    try:
        given = arguments(words)
        found = measure(given)
    except (gpus.NoGpuError, MachineError) as error:
        return fail(error, MachineError.exit_code)
    except (UsageError, FabricError) as error:
        return fail(error, UsageError.exit_code)
    except (ranks.RanksError, RunError) as error:
        return fail(error, RunError.exit_code)
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        return fail(error, code)
    if given.json:
        text = json.dumps(found, indent=2) + "\n"
        sys.stdout.write(text) if given.json == "-" else Path(given.json).write_text(text)
    return 0


def fail(error, code):
    print(f"gpu_baseline: {error}", file=sys.stderr)
    return code


def measure(given):
    """Measure, write the files, print; the figures."""
    machine = gpus.machine(given.nccl_tests) if given.device == "cuda" else None
    show = (lambda text: print(text, file=sys.stderr)) if given.json == "-" else print
    show(described(machine))
    rate = memory_rates(machine)
    for name, value in rate.items():
        show(f"{name:<5} {value:8.1f} GB/s of memory traffic")
    found = tables.rate_entries(rate)
    Path(given.out).mkdir(parents=True, exist_ok=True)
    if machine and machine.nccl_tests and len(machine.gpus) > 1 and not (given.apart or given.fabric or given.ranks):
        return [*found, *by_nccl_tests(machine, given, show)]
    if machine and not machine.nccl:
        raise gpus.NoGpuError("ranks as hosts of their own need a torch with CUDA and NCCL; nccl-tests alone can't")
    plan = planned(given, machine)
    settings = environment.told(plan.apart and plan.backend == "nccl", plan.user)
    show(f"\n{plan.name}: {plan.ranks} ranks, {' '.join(settings) or 'no settings'}")
    start = now()
    said = ranks.on_fabric(plan, given.fabric, given.scale, chatter) if given.fabric else ranks.here(plan)
    return [*found, *written(plan, given, machine, said, (start, now()), show)]


def memory_rates(machine):
    """Of the first GPU; of the processor where none was asked for; nothing where there is no torch to ask."""
    if machine is None:
        return rates.rates("cpu", CPU_RATE_BYTES, 5)
    return rates.rates() if machine.nccl else {}


def planned(given, machine):
    """What to run with torch: on one GPU two ranks as two hosts, on several a rank each, if nothing else is said."""
    count = len(machine.gpus) if machine else 0
    apart = given.apart or bool(given.fabric) or (machine is not None and count == 1)
    number = given.ranks or (count if count > 1 else 2)
    if machine and number > count and not apart:
        raise UsageError(f"{number} ranks on {count} GPUs: NCCL refuses two ranks a GPU on one host; add --apart")
    how = "fabric" if given.fabric else "sockets" if apart else "as-it-comes"
    backend = "nccl" if machine else "gloo"
    interface = None if given.fabric else given.interface or ("lo" if apart or not machine else None)
    return Plan(
        f"{backend}-{number}x1-{how}", number, count, backend, given.device, given.sizes, given.iters, interface, apart,
        tuple(given.set), given.timeout,
    )  # fmt: skip


def written(plan, given, machine, said, times, show):
    """The table, printed and kept, and its figures."""
    rows = tables.rows(said)
    hosts = [f"host{rank}" if plan.apart else platform.node() for rank in range(plan.ranks)]
    library = f"NCCL {machine.nccl} by torch {machine.torch}" if machine else "gloo by torch, on the processor"
    devices = tables.devices(said, hosts)
    nccl = machine.nccl if machine else ""
    text = tables.text(rows, devices, plan.iters, library, nccl)
    show(text)
    Path(given.out, f"{plan.name}.txt").write_text(text)
    Path(given.out, f"{plan.name}.json").write_text(tables.json_text(rows, devices, plan.iters, library, times, nccl))
    if wrong := total_wrong(rows):
        raise CheckError(f"{wrong} elements came out wrong: see the #wrong columns of {plan.name}.txt in {given.out}")
    return tables.entries(plan.name, rows)


def by_nccl_tests(machine, given, show):
    """all_reduce_perf over all GPUs; its table as it is, checked by reading it."""
    low, high = given.sizes[0], given.sizes[-1]
    count = len(machine.gpus)
    command = [machine.nccl_tests, "-b", str(low), "-e", str(high), "-f", "2", "-g", str(count), "-n", str(given.iters)]
    changed = environment.rank_environment(os.environ, 0, interface=given.interface, apart=False, user=given.set)
    done = subprocess.run(command, env=changed, capture_output=True, text=True, timeout=given.timeout, check=False)
    if done.returncode:
        raise RunError(f"{' '.join(command)}: status {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")
    return from_nccl_tests(done.stdout, f"nccl-tests-1x{count}", given.out, show)


def from_nccl_tests(text, name, out, show):
    """The figures of nccl-tests' text, which is kept as it is."""
    try:
        baseline = nccl_tests.parse(text, name)
    except BaselineError as error:
        raise RunError(f"nccl-tests printed what can't be read: {error}") from None
    show(text)
    Path(out, f"{name}.txt").write_text(text)
    return [tables.entry(f"{name}, {one.size_bytes}", one.busbw_GBps, [one.time_us]) for one in baseline.readings()]


def described(machine):
    if machine is None:
        return f"no GPU asked for: gloo on the processor of {platform.node()}, {os.cpu_count()} cores"
    kinds = ", ".join(f"{machine.gpus.count(name)} x {name}" for name in dict.fromkeys(machine.gpus))
    software = {
        "driver": machine.driver,
        "torch": machine.torch,
        "NCCL": machine.nccl,
        "nccl-tests": machine.nccl_tests,
    }
    versions = ", ".join(f"{name} {version or 'none'}" for name, version in software.items())
    return f"{kinds}; {versions}; {os.cpu_count()} cores"


def chatter(text):
    print(text, file=sys.stderr)


def now():
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


def arguments(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, help="how many; default a rank a GPU, two on a single GPU")
    parser.add_argument("--apart", action="store_true", help="each rank looks like a host of its own; NCCL talks TCP")
    parser.add_argument(
        "--interface", help="network interface that NCCL's sockets use; default lo where ranks are apart"
    )
    parser.add_argument("--fabric", help="short form of an emulated fabric to put the ranks in; needs root")
    parser.add_argument("--scale", type=float, default=1.0, help="time dilation of that fabric; default 1")
    parser.add_argument("--nccl-tests", metavar="DIR", help="where nccl-tests was built")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of every rank")
    parser.add_argument("--sizes", help="as in 8,64K,16M; default 8 to 128M, doubled each time")
    parser.add_argument("--iters", type=int, default=20)
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for all of a measurement")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help=f"up to {QUICK}, 5 iterations")
    parser.add_argument("--out", default="gpu-baseline", help="folder of the tables; default gpu-baseline")
    parser.add_argument("--json", metavar="FILE", help="figures; - for standard output")
    given = parser.parse_args(words)
    given.sizes = sizes_of(given.sizes, parse_size(QUICK if given.quick else LARGEST))
    given.iters = 5 if given.quick else given.iters
    if (given.ranks or 2) < 2:
        raise UsageError("--ranks: at least 2, or there is nothing to reduce")
    try:
        environment.parse_words(given.set)
    except ValueError as error:
        raise UsageError(f"--set: {error}") from None
    return given


def sizes_of(text, largest):
    if text is None:
        return tuple(8 << power for power in range(40) if 8 << power <= largest)
    try:
        found = tuple(sorted({parse_size(word) for word in text.split(",")}))
    except ValueError as error:
        raise UsageError(f"--sizes: {error}") from None
    if any(size < 4 or size % 4 for size in found):
        raise UsageError("--sizes: whole floats, multiples of 4 bytes from 4 on")
    return found


if __name__ == "__main__":
    sys.exit(main())
