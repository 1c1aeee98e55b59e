"""How fast is a fabric built and removed? Ours against plain Mininet, the same fabric, in one run, taking turns.

Use:
    python benchmarks/build.py                  # 8, 64 and 256 hosts, then the fat tree of 1024; about 10 minutes
    python benchmarks/build.py --quick          # 8 and 16 hosts, under a minute
    python benchmarks/build.py --json -

Both build to the same state: hosts with addresses and each other's MAC addresses, every link shaped at both ends,
userspace Open vSwitch bridges with all ports, nothing forwarding yet. Plain is Mininet 2.3 as it comes: OVSSwitch
(which batches its switches), TCLink, static ARP. Each build is a process of its own; its start is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from topologies import catalog
from topologies.fabric import Fabric

SCALE = 1000  # 100 Gb/s links run at 100 Mb/s: TCLink shapes up to 1000 Mb/s
SPEED_UP_GOAL, BUILD_GOAL_S, REMOVE_GOAL_S = 5.0, 60.0, 15.0
FAT_TREE = "fat-tree:k=16"


@dataclass(frozen=True)
class Case:
    """A fabric, how often each arm builds it, and whether plain Mininet does."""

    short_form: str
    repeats: int
    plain: bool = True


FULL = (
    Case("leaf-spine:leaves=4,spines=2,hosts=2", 5),
    Case("leaf-spine:leaves=8,spines=4,hosts=8", 5),
    Case("leaf-spine:leaves=16,spines=8,hosts=16", 3),
    Case(FAT_TREE, 3, plain=False),
)
QUICK = (Case("leaf-spine:leaves=4,spines=2,hosts=2", 3), Case("leaf-spine:leaves=4,spines=2,hosts=4", 3))


@dataclass(frozen=True)
class Samples:
    """Seconds of each repeat."""

    case: Case
    arm: str
    build_s: tuple[float, ...]
    remove_s: tuple[float, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.one:
        print(json.dumps(ARMS[options.one[0]](catalog.from_short_form(options.one[1]))))
        return 0
    cases = QUICK if options.quick else FULL
    measured = [samples for case in cases for samples in measure(case)]
    rows = figures(measured)
    if options.json != "-":
        print(table(measured))
        for row in rows:
            if row["goal"] is not None:
                print(f"{row['name']}: {row['value']:.3g} {row['unit']}, goal {row['goal']:g}: "
                      f"{'met' if row['met'] else 'NOT MET'}")  # fmt: skip
    if options.json:
        text = json.dumps(rows, indent=2) + "\n"
        sys.stdout.write(text) if options.json == "-" else Path(options.json).write_text(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small fabrics only, under a minute")
    parser.add_argument("--json", metavar="FILE", help="write figures and raw samples there, - for standard output")
    parser.add_argument("--one", nargs=2, metavar=("ARM", "FABRIC"), help=argparse.SUPPRESS)
    return parser


def measure(case: Case) -> Iterator[Samples]:
    """The arms take turns, and take turns in who is first."""
    arms = ["ours", "plain"] if case.plain else ["ours"]
    seconds: dict[str, list[dict[str, float]]] = {arm: [] for arm in arms}
    for repeat in range(case.repeats):
        for arm in arms if repeat % 2 == 0 else reversed(arms):
            print(f"{case.short_form}: {arm}, {repeat + 1} of {case.repeats}", file=sys.stderr)
            seconds[arm].append(_in_a_process(arm, case.short_form))
    for arm, found in seconds.items():
        yield Samples(case, arm, tuple(one["build_s"] for one in found), tuple(one["remove_s"] for one in found))


def _in_a_process(arm: str, short_form: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--one", arm, short_form], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def ours(fabric: Fabric) -> dict[str, float]:
    from emulation import doctor  # noqa: PLC0415 - each arm loads what it needs
    from emulation.lab import new_tag  # noqa: PLC0415
    from emulation.network import built  # noqa: PLC0415
    from emulation.plan import Plan  # noqa: PLC0415

    plan = Plan(fabric, new_tag(), doctor.settings(SCALE, mtu=1500, congestion="reno"))
    began = time.monotonic()
    with built(plan):
        up = time.monotonic()
    return {"build_s": up - began, "remove_s": time.monotonic() - up}


def plain(fabric: Fabric) -> dict[str, float]:
    from functools import partial  # noqa: PLC0415

    from mininet.link import TCLink  # noqa: PLC0415
    from mininet.log import setLogLevel  # noqa: PLC0415
    from mininet.net import Mininet  # noqa: PLC0415
    from mininet.node import OVSSwitch  # noqa: PLC0415

    setLogLevel("critical")
    Mininet.inited = True  # its raising of the machine's limits is not timed, and not wanted here
    switch = partial(OVSSwitch, datapath="user", protocols="OpenFlow13")
    switch.batchStartup = OVSSwitch.batchStartup  # type: ignore[attr-defined] # or Mininet would not batch
    began = time.monotonic()
    net = Mininet(_topo(fabric), switch=switch, link=TCLink, controller=None, autoSetMacs=True, autoStaticArp=True)
    net.start()
    up = time.monotonic()
    net.stop()
    return {"build_s": up - began, "remove_s": time.monotonic() - up}


def _topo(fabric: Fabric):
    from mininet.topo import Topo  # noqa: PLC0415

    topo = Topo()
    # Names of its own, so that it meets neither our labs nor other people's bridges.
    names = {host: f"ph{number}" for number, host in enumerate(fabric.hosts, start=1)}
    names |= {switch: f"ps{number}" for number, switch in enumerate(fabric.switches, start=1)}
    for host in fabric.hosts:
        topo.addHost(names[host])
    for switch in fabric.switches:
        topo.addSwitch(names[switch])
    for link in fabric.links:
        topo.addLink(names[link.a.node], names[link.b.node], bw=link.rate_bps / SCALE / 1e6)
    return topo


ARMS: dict[str, Callable[[Fabric], dict[str, float]]] = {"ours": ours, "plain": plain}


def figures(measured: Sequence[Samples]) -> list[dict[str, object]]:
    """Every median as a figure, and the ratios, with the raw samples beside them."""
    rows: list[dict[str, object]] = []
    for samples in measured:
        hosts = len(catalog.from_short_form(samples.case.short_form).hosts)
        big = samples.case.short_form == FAT_TREE
        rows += [
            _figure(f"{samples.arm} build, {hosts} hosts", samples.build_s, BUILD_GOAL_S if big else None),
            _figure(f"{samples.arm} removal, {hosts} hosts", samples.remove_s, REMOVE_GOAL_S if big else None),
        ]
    for mine, other in _pairs(measured):
        hosts = len(catalog.from_short_form(mine.case.short_form).hosts)
        for what, ratio in (
            ("build", statistics.median(other.build_s) / statistics.median(mine.build_s)),
            ("removal", statistics.median(other.remove_s) / statistics.median(mine.remove_s)),
        ):
            goal = SPEED_UP_GOAL if (what, hosts) == ("build", 64) else None
            rows.append({
                "name": f"{what} speed-up over plain Mininet, {hosts} hosts", "value": ratio, "unit": "x", "goal": goal,
                "better": "higher", "met": None if goal is None else ratio >= goal,
            })  # fmt: skip
    return rows


def _figure(name: str, samples: Sequence[float], goal: float | None) -> dict[str, object]:
    value = statistics.median(samples)
    return {
        "name": name, "value": value, "unit": "s", "goal": goal, "better": "lower",
        "met": None if goal is None else value < goal, "samples": list(samples),
    }  # fmt: skip


def _pairs(measured: Sequence[Samples]) -> Iterator[tuple[Samples, Samples]]:
    for mine in measured:
        for other in measured:
            if mine.case == other.case and (mine.arm, other.arm) == ("ours", "plain"):
                yield mine, other


def table(measured: Sequence[Samples]) -> str:
    """Medians, and from least to most."""
    lines = [f"{'fabric':<42} {'arm':<6} {'n':>2}  {'build, s':>22}  {'removal, s':>22}"]
    lines += [
        f"{samples.case.short_form:<42} {samples.arm:<6} {samples.case.repeats:>2}  "
        f"{_spread(samples.build_s):>22}  {_spread(samples.remove_s):>22}"
        for samples in measured
    ]
    return "\n".join(lines)


def _spread(samples: Sequence[float]) -> str:
    return f"{statistics.median(samples):.2f} [{min(samples):.2f}, {max(samples):.2f}]"


if __name__ == "__main__":
    sys.exit(main())
