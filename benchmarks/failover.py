"""How long a flow stands still when a link of its path dies, and how many packets that costs; no controller helps.

Use:
    python benchmarks/failover.py              # about two minutes; needs root
    python benchmarks/failover.py --quick      # under a minute
    python benchmarks/failover.py --repeats 20 --json -

Theory of operation. A fabric is built, and a flow's path and backup (the groups and rules of ``controller.rules``) are
put into its switches by ``ovs-ofctl``. No controller runs at all: what is measured is what the switches do alone, as
while a controller is down. A host sends the flow's packets, 1,000 a second, each with its number; another notes when
each arrives. Then a link of the path dies: by its carrier (``ip link set down`` at one of its ends) or silently (frames
vanish one way, both ends keep their carrier, and only BFD can tell). The gap is the time from the last arrival before
the first packet that is missing to the next arrival; where none is missing, the longest time between two arrivals.
Kinds of fault take turns, on links that carry nothing else. Figures hold for this machine: its switches are processes
that share its cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import networkx as nx

sys.path.insert(0, str(Path(__file__).parent.parent))

from controller.rules import (
    AnswerArp,
    Bounce,
    Entry,
    Group,
    Output,
    Route,
    Rule,
    SetTag,
    ToGroup,
    flow_entries,
    resident_rules,
)
from emulation.commands import run
from emulation.fault_commands import loss_program
from emulation.lab import new_tag
from emulation.network import Network, built
from emulation.plan import Plan, Settings
from topologies import catalog
from topologies.addressing import ip
from topologies.fabric import Fabric, Port
from topologies.traffic import FlowKey
from topologies.traffic import Path as Hops

FABRICS = ("leaf-spine:leaves=2,spines=2,hosts=1,rate=100G", "ring:switches=4,hosts=1,rate=100G")
SCALE = 500.0
PACKETS_PER_S = 1000
RUN_S, CUT_AFTER_S = 1.6, 0.5
PORTS = 30000, 20000
GOALS_MS = {"carrier": 10.0, "silent": 250.0}

SEND = """
import socket, sys, time
here, there, sport, dport, rate, seconds = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((here, int(sport))); s.connect((there, int(dport)))
begin = time.monotonic()
for n in range(round(float(rate) * float(seconds))):
    due = begin + n / float(rate)
    while (left := due - time.monotonic()) > 0: time.sleep(left)
    try: s.send(b"%d" % n)
    except OSError: pass
"""

RECEIVE = """
import socket, sys, time
here, port, seconds = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((here, int(port))); s.settimeout(0.05)
print("ready", flush=True); got = []; end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    try: n = s.recv(64)
    except TimeoutError: continue
    got.append("%s %.7f" % (n.decode(), time.monotonic()))
print("\\n".join(got))
"""


@dataclass(frozen=True)
class Sample:
    """One fault: its kind, the link and the end that it came by, what it cost the flow."""

    fabric: str
    kind: str
    where: str
    gap_ms: float
    lost: int
    recovered: bool


@dataclass(frozen=True)
class Protected:
    """A flow in a running fabric, with the route that its switches have."""

    network: Network
    key: FlowKey
    route: Route


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    samples: list[Sample] = []
    for text in FABRICS[: 1 if options.quick else None]:
        samples += _measured(text, 3 if options.quick else options.repeats)
    rows = _figures(samples)
    if options.json != "-":
        print(_table(samples))
    if options.json:
        out = json.dumps(rows, indent=2) + "\n"
        sys.stdout.write(out) if options.json == "-" else Path(options.json).write_text(out)
    return 0 if all(row["met"] for row in rows) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=6, help="faults of each kind on each fabric")
    parser.add_argument("--quick", action="store_true", help="3 faults of each kind on the leaf-spine")
    parser.add_argument("--json", metavar="FILE", help="write figures and raw samples there, - for standard output")
    return parser


def _measured(text: str, repeats: int) -> list[Sample]:
    samples = []
    with protected(catalog.from_short_form(text)) as flow:
        _once(flow, text, "none", flow.route.path.hops[1])  # caches fill; not counted
        for number in range(repeats):
            for kind in GOALS_MS:
                links = flow.route.path.hops[1:-1]
                port = links[number % len(links)]
                near = kind == "silent" or number // len(links) % 2 == 0  # silent loss: of what the flow sends
                samples.append(_once(flow, text, kind, port if near else flow.network.plan.fabric.peer(port)))
                print(_line(samples[-1]), file=sys.stderr, flush=True)
    return samples


@contextmanager
def protected(fabric: Fabric) -> Iterator[Protected]:
    """The fabric, without a controller, and a flow from its first host to the one half-way round."""
    key = FlowKey(fabric.hosts[0], fabric.hosts[len(fabric.hosts) // 2], *PORTS, protocol="udp")
    route = _route(fabric, key)
    plan = Plan(fabric, new_tag(), Settings(scale=SCALE, bfd=True))
    with built(plan) as network:
        _install(plan, [*resident_rules(fabric), *flow_entries(fabric, {key: route}, job=1)])
        _await_live(plan)
        yield Protected(network, key, route)


def _route(fabric: Fabric, key: FlowKey) -> Route:
    """A shortest path, and the shortest one that shares no link with it."""
    graph = nx.Graph((a, b) for a, b in fabric.graph.edges() if fabric.is_switch(a) and fabric.is_switch(b))
    source, target = fabric.attachment(key.src).node, fabric.attachment(key.dst).node
    first = nx.shortest_path(graph, source, target)
    graph.remove_edges_from(pairwise(first))
    second = nx.shortest_path(graph, source, target)
    return Route(_hops(fabric, key, first), _hops(fabric, key, second), version=4)


def _hops(fabric: Fabric, key: FlowKey, nodes: Sequence[str]) -> Hops:
    between = [next(port for port in fabric.ports(a) if fabric.peer(port).node == b) for a, b in pairwise(nodes)]
    return Hops((fabric.nic(key.src), *between, fabric.attachment(key.dst)))


# The entries, as ovs-ofctl takes them.


_NAMES = {"ipv4_src": "nw_src", "ipv4_dst": "nw_dst", "ip_proto": "nw_proto"}
"""What ovs-ofctl calls them."""


def _install(plan: Plan, entries: Iterable[Entry]) -> None:
    by_switch: dict[str, list[Entry]] = {switch: [] for switch in plan.switches}
    for entry in entries:
        by_switch[entry.switch].append(entry)
    for switch, of_switch in by_switch.items():
        groups = [_group_text(entry) for entry in of_switch if isinstance(entry, Group)]
        rules = [_rule_text(entry) for entry in of_switch if isinstance(entry, Rule)]
        for command, lines in (("add-groups", groups), ("add-flows", rules)):
            if lines:
                run(["ovs-ofctl", "-O", "OpenFlow13", command, plan.bridge(switch), "-"], stdin="\n".join(lines) + "\n")


def _group_text(group: Group) -> str:
    buckets = [f"bucket=watch_port:{b.watch_port},actions={_actions(b.actions)}" for b in group.buckets]
    return f"group_id={group.number},type=ff,{','.join(buckets)}"


def _rule_text(rule: Rule) -> str:
    fields: dict[str, object] = {name: value for name, value in rule.match.fields().items() if name != "tag"}
    named = [f"{_NAMES.get(name, name)}={value}" for name, value in fields.items()]
    if rule.match.tag is not None:
        named.append(f"eth_dst=02:{rule.match.tag:02x}:00:00:00:00/ff:ff:00:00:00:00")
    return ",".join([f"priority={rule.priority}", *named, f"actions={_actions(rule.actions) or 'drop'}"])


def _actions(actions: Iterable[object]) -> str:
    return ",".join(map(_action, actions))


def _action(action: object) -> str:
    match action:
        case Output(port):
            return f"output:{port}"
        case SetTag(tag):
            return f"load:{tag}->NXM_OF_ETH_DST[32..39]"
        case ToGroup(group):
            return f"group:{group}"
        case Bounce():
            return "in_port"
        case AnswerArp():
            raise ValueError("the fabrics measured here are too small for switches that answer ARP")
    raise TypeError(action)


# Faults.


def _once(flow: Protected, fabric: str, kind: str, port: Port) -> Sample:
    """A stream with a fault of ``kind`` at ``port`` in its middle; the link is whole again afterwards."""
    plan = flow.network.plan
    _await_live(plan)
    name = plan.interface_name(port)
    breaking, healing = _commands(kind, name)
    here, there = ip(plan.fabric, flow.key.src), ip(plan.fabric, flow.key.dst)
    listening = [sys.executable, "-c", RECEIVE, there, str(PORTS[1]), str(RUN_S + 0.3)]
    sending = [sys.executable, "-c", SEND, here, there, *map(str, PORTS), str(PACKETS_PER_S), str(RUN_S)]
    with flow.network.popen(flow.key.dst, listening, stdout=subprocess.PIPE) as receiver:
        assert receiver.stdout is not None
        receiver.stdout.readline()
        with flow.network.popen(flow.key.src, sending) as sender:
            time.sleep(CUT_AFTER_S)
            _shell(breaking)
            sender.wait()
        arrivals = [line.split() for line in receiver.stdout.read().splitlines()]
        _shell(healing)
    return _sample(fabric, kind, plan.fabric.direction(port), [(int(n), float(at)) for n, at in arrivals])


def _commands(kind: str, name: str) -> tuple[list[str], list[str]]:
    where = f"dev {name} egress pref 7"
    return {
        "none": ([], []),
        "carrier": ([f"ip link set {name} down"], [f"ip link set {name} up"]),
        "silent": (
            [f"tc qdisc add dev {name} clsact", f"tc filter add {where} bpf da bytecode '{loss_program(1)}'"],
            [f"tc qdisc del dev {name} clsact"],
        ),
    }[kind]


def _shell(lines: Sequence[str]) -> None:
    if lines:
        run(["sh", "-ec", "\n".join(lines)])


def _sample(fabric: str, kind: str, where: str, arrivals: Sequence[tuple[int, float]]) -> Sample:
    count = round(PACKETS_PER_S * RUN_S)
    lost = count - len({number for number, _ in arrivals})
    jumps = [(b[0] - a[0] - 1, b[1] - a[1]) for a, b in pairwise(arrivals)]
    missing = [seconds for skipped, seconds in jumps if skipped > 0]
    gap_s = max(missing) if missing else max((seconds for _, seconds in jumps), default=RUN_S)
    recovered = bool(arrivals) and arrivals[-1][0] == count - 1
    return Sample(fabric, kind, where, gap_s * 1e3 if recovered else RUN_S * 1e3, lost, recovered)


def _await_live(plan: Plan, timeout_s: float = 20.0) -> None:
    """Until both ends of every link between switches count as alive, by carrier and BFD."""
    ends = [end for end in plan.switch_interfaces if plan.fabric.is_switch(plan.fabric.peer(end.port).node)]
    names = {end.name for end in ends}
    columns = ["--format=json", "--columns=name,link_state,bfd_status", "list", "Interface"]
    deadline = time.monotonic() + timeout_s
    while True:
        rows = json.loads(run(["ovs-vsctl", *columns]))["data"]
        live = {name for name, state, bfd in rows if state == "up" and dict(bfd[1]).get("state") == "up"}
        if names <= live:
            time.sleep(0.2)  # the ports that the groups watch follow a little later
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"links that did not come up within {timeout_s:g} s: {sorted(names - live)}")
        time.sleep(0.05)


# Figures.


def _line(sample: Sample) -> str:
    end = "" if sample.recovered else ", and it NEVER FLOWED AGAIN"
    return f"{sample.fabric:<50} {sample.kind:<8} {sample.where:<16} {sample.gap_ms:7.1f} ms {sample.lost:5} lost{end}"


def _groups(samples: Sequence[Sample]) -> Iterator[tuple[str, str, list[Sample]]]:
    for fabric, kind in dict.fromkeys((sample.fabric, sample.kind) for sample in samples):
        yield fabric, kind, [s for s in samples if (s.fabric, s.kind) == (fabric, kind)]


def _table(samples: Sequence[Sample]) -> str:
    lines = [f"{'fabric':<50} {'fault':<8} {'gap, median':>12} {'from':>8} {'to':>8} {'lost, median':>13} {'goal':>8}"]
    for fabric, kind, found in _groups(samples):
        gaps, lost = [s.gap_ms for s in found], [s.lost for s in found]
        lines.append(
            f"{fabric:<50} {kind:<8} {statistics.median(gaps):>9.1f} ms {min(gaps):>8.1f} {max(gaps):>8.1f} "
            f"{statistics.median(lost):>13.0f} {GOALS_MS[kind]:>5.0f} ms"
        )
    return "\n".join(lines)


def _figures(samples: Sequence[Sample]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for fabric, kind, found in _groups(samples):
        median_ms = statistics.median(sample.gap_ms for sample in found)
        met = median_ms < GOALS_MS[kind] and all(sample.recovered for sample in found)
        rows.append({
            "name": f"gap after {kind} loss, {fabric}", "value": median_ms, "unit": "ms", "goal": GOALS_MS[kind],
            "better": "lower", "met": met, "samples": [sample.gap_ms for sample in found],
            "lost": [sample.lost for sample in found],
        })  # fmt: skip
    return rows


if __name__ == "__main__":
    sys.exit(main())
