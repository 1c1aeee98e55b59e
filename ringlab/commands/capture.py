"""``ringlab capture``: a link of a running lab into a file, what is in a file, and RoCEv2 packets for teaching."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ringlab.errors import UsageError
from ringlab.examples_first import Command, Group
from ringlab.json_output import STDOUT, json_option, write_json
from ringlab.talk import say

if TYPE_CHECKING:
    from emulation.flows import Flow
    from topologies.fabric import Fabric

ROCE_PAYLOAD = b"ringlab " * 512
"""4 KiB: one packet at the usual path MTU."""


class LinkGroup(Group):
    """What is no command of the group is a link: ``capture leaf1-spine1`` is ``capture link leaf1-spine1``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            args = ["link", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["show", *args[1:]] if args[:1] == ["--read"] else args)


@click.group(
    cls=LinkGroup,
    examples=[
        "ringlab capture leaf1-spine1 -w link.pcap --seconds 5",
        "ringlab capture 'leaf1->spine1' -w one-way.pcap --count 10000",
        "ringlab capture show link.pcap",
        "ringlab capture roce --queue-pairs 16 --src h1 --dst h5",
    ],
)
def command() -> None:
    """Capture a LINK of the lab that is up (a run, or ``ringlab up``) into a file, and look inside."""


@command.command(
    "link",
    cls=Command,
    examples=["ringlab capture leaf1-spine1 -w link.pcap", "ringlab capture 'h1->leaf1' -w h1.pcap --wait 60"],
)
@click.argument("link")
@click.option("-w", "file", type=click.Path(path_type=Path), required=True, help="The pcap file to write.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many packets.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="End after so long.")
@click.option("--tag", help="Which lab, where several are up.")
@click.option("--wait", type=float, default=0.0, help="Wait so many seconds for a lab to come up.  [default: 0]")
@click.option("--snap", type=click.IntRange(min=64), default=192, show_default=True, help="Bytes kept of each packet.")
def link_command(
    link: str, file: Path, count: int | None, seconds: float | None, tag: str | None, wait: float, snap: int
) -> None:
    """Capture LINK (leaf1-spine1, or leaf1->spine1 for one direction) until Ctrl-C or the lab's end."""
    from emulation import capture  # noqa: PLC0415 - only where it is used

    if not file.parent.is_dir():
        raise UsageError(f"{file}: there is no folder {file.parent}; make it first")
    tap = capture.await_lab(link, tag, wait)
    say(f"lab {tap.tag}: capturing {tap.link} at {tap.interface}; Ctrl-C ends it")
    found = capture.record_to(file, tap, count, seconds, snap)
    lost = f", {found.dropped} lost" if found.dropped else ""
    say(f"{found.packets} packets in {file}{lost}; ended {found.why}. See: ringlab capture show {file}")


@command.command("show", cls=Command, examples=["ringlab capture show link.pcap --gap 0.5ms --json -"])
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--gap", default="1ms", show_default=True, help="A pause of a flow that ends a burst.")
@click.option("--all", "everything", is_flag=True, help="Also flows without payload, such as acknowledgements.")
@json_option
def show_command(file: Path, gap: str, everything: bool, json_target: str | None) -> None:
    """The flows in FILE: goodput, bytes sent again, bursts."""
    from emulation import capture, flows  # noqa: PLC0415 - likewise
    from topologies.rates import parse_latency  # noqa: PLC0415 - likewise

    try:
        gap_s = parse_latency(gap)
    except ValueError as error:
        raise UsageError(f"--gap: {error}") from None
    found = flows.flows(capture.read(file), gap_s)
    shown = [flow for flow in found if everything or flow.new_bytes]
    if json_target:
        write_json(json_target, _flow_data(file, gap_s, found))
    if json_target != STDOUT:
        _print_flows(shown, len(found) - len(shown), flows.mean_rate_bps(found))


def _flow_data(file: Path, gap_s: float, found: Sequence[Flow]) -> dict[str, object]:
    rows = [{**asdict(flow), "goodput_bps": flow.goodput_bps} for flow in found]
    return {"file": str(file), "gap_s": gap_s, "flows": rows}


def _print_flows(shown: Sequence[Flow], hidden: int, rate_bps: float) -> None:
    from ringlab.experiments.figures import rate_text  # noqa: PLC0415 - likewise
    from ringlab.tables import table  # noqa: PLC0415 - likewise

    if not shown:
        click.echo("no flow with payload in it; the other ones: --all" if hidden else "no TCP or UDP packet in it")
        return
    begins_s = min(flow.first_s for flow in shown)
    rows = [
        (
            f"{flow.src}:{flow.src_port} > {flow.dst}:{flow.dst_port}", flow.protocol, f"{flow.first_s - begins_s:.3f}",
            f"{flow.last_s - flow.first_s:.3f}", flow.packets, flow.new_bytes, rate_text(flow.goodput_bps),
            flow.again_bytes, flow.late_packets, flow.bursts.number, round(flow.bursts.median_bytes),
            flow.bursts.largest_bytes,
        )
        for flow in shown
    ]  # fmt: skip
    heads = (
        "flow",
        "",
        "from s",
        "for s",
        "packets",
        "bytes",
        "goodput",
        "again",
        "late",
        "bursts",
        "median B",
        "max B",
    )
    click.echo(table(heads, rows), nl=False)
    more = f", {hidden} without payload not shown (--all)" if hidden else ""
    click.echo(f"{len(shown)} flows{more}; {rate_text(rate_bps)} on the link on average.")


@command.command(
    "roce",
    cls=Command,
    examples=[
        "ringlab capture roce --queue-pairs 16 --src h1 --dst h5",
        "ringlab capture roce --queue-pairs 4 --src h1 --dst h5 --seed 7 -w roce.pcap",
        "ringlab capture roce --read roce.pcap",
    ],
)
@click.option("--fabric", default="leaf-spine:leaves=4,spines=4,hosts=2", show_default=True)
@click.option("--src", default="h1", show_default=True)
@click.option("--dst", default="h8", show_default=True)
@click.option("--queue-pairs", "number", type=click.IntRange(1, 4096), default=16, show_default=True)
@click.option("--first", type=click.IntRange(2, 2**24 - 4097), default=0x11, help="The first queue pair's number here.")
@click.option("--peer-first", type=click.IntRange(2, 2**24 - 4097), help="And there; default: the same.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the switches' hash.")
@click.option("-w", "target", type=click.Path(path_type=Path), help="Write one message of each as a pcap.")
@click.option("--read", "source", type=click.Path(path_type=Path), help="Decode the RoCEv2 packets of a pcap instead.")
@json_option
def roce_command(source: Path | None, target: Path | None, json_target: str | None, **wanted: Any) -> None:
    """RoCEv2 queue pairs between two hosts: their UDP source ports, and how ECMP spreads them over the fabric.

    One queue pair is one flow to a switch: with few of them, some links carry several and others none. Training
    clusters open many queue pairs for each pair of GPUs for this reason.
    """
    data = _decoded(source) if source else _crafted(target, **wanted)
    if json_target:
        write_json(json_target, data)
    if json_target != STDOUT:
        click.echo(_packets_text(data) if source else _spread_text(data), nl=False)


def _crafted(
    target: Path | None, *, fabric: str, src: str, dst: str, number: int, first: int, peer_first: int | None, seed: int
) -> dict[str, Any]:
    """The queue pairs with their ways, written to ``target`` as packets where it is given."""
    from emulation import roce  # noqa: PLC0415 - only where it is used
    from ringlab.experiments import fabrics  # noqa: PLC0415 - likewise
    from topologies import addressing  # noqa: PLC0415 - likewise

    made = fabrics.read(fabric)
    _check_ends(made, src, dst)
    pairs = roce.queue_pairs(number, first, peer_first)
    ways = _ways(made, src, dst, [pair.source_port for pair in pairs], seed)
    rows = [
        {"local": pair.local, "remote": pair.remote, "source_port": pair.source_port, "way": ways[pair.source_port]}
        for pair in pairs
    ]
    if target:
        here, there = ((addressing.mac(made, host), addressing.ip(made, host)) for host in (src, dst))
        packets = [one for pair in pairs for one in roce.write_packets(pair, here, there, ROCE_PAYLOAD)]
        try:
            say(f"{roce.save(str(target), packets)} packets in {target}")
        except OSError as error:
            raise UsageError(f"{target}: can't be written: {error.strerror}") from None
    every = _every_way(made, src, dst)
    return {
        "fabric": made.name, "src": src, "dst": dst, "policy": f"ecmp:seed={seed}", "destination_port": roce.ROCE_PORT,
        "queue_pairs": rows, "spread": {way: sum(row["way"] == way for row in rows) for way in every},
    }  # fmt: skip


def _check_ends(fabric: Fabric, src: str, dst: str) -> None:
    from topologies.spelling import did_you_mean  # noqa: PLC0415 - only where it is used

    for option, host in (("--src", src), ("--dst", dst)):
        if host not in fabric.hosts:
            hint = did_you_mean(host, fabric.hosts)
            hint = hint if hint.startswith("did") else f"its hosts are {fabric.hosts[0]} to {fabric.hosts[-1]}"
            raise UsageError(f"{option} {host}: no such host in fabric {fabric.name}; {hint}")
        if len(fabric.ports(host)) > 1:
            raise UsageError(f"{option} {host}: has several NICs, and a queue pair is on one; choose another fabric")
    if src == dst:
        raise UsageError(f"--dst {dst}: is --src too; choose two hosts")


def _ways(fabric: Fabric, src: str, dst: str, ports: Sequence[int], seed: int) -> dict[int, str]:
    """The switches between the first and the last that each source port's packets pass."""
    from controller.routing import ecmp  # noqa: PLC0415 - likewise
    from emulation.roce import ROCE_PORT  # noqa: PLC0415 - likewise
    from topologies.traffic import Demand, FlowKey  # noqa: PLC0415 - likewise

    asked = [Demand(FlowKey(src, dst, port, ROCE_PORT, "udp"), (0,), (1,)) for port in dict.fromkeys(ports)]
    paths = ecmp.route(fabric, asked, seed=seed)
    return {key.src_port: _way(path.nodes(fabric)) for key, path in paths.items()}


def _every_way(fabric: Fabric, src: str, dst: str) -> list[str]:
    """Every equal-cost way, at most 64 of them."""
    from controller.routing.next_hops import NextHops  # noqa: PLC0415 - likewise

    first, last = fabric.attachment(src).node, fabric.attachment(dst).node
    walks = NextHops(fabric).walks(first, last, limit=64)
    return list(dict.fromkeys(_way((src, first, *(fabric.peer(port).node for port in walk), dst)) for walk in walks))


def _way(nodes: Sequence[str]) -> str:
    return " ".join(nodes[2:-2]) or "direct"


def _spread_text(data: Mapping[str, Any]) -> str:
    from ringlab.tables import table  # noqa: PLC0415 - likewise

    rows = [
        (index, row["local"], row["remote"], row["source_port"], hex(row["source_port"]), row["way"])
        for index, row in enumerate(data["queue_pairs"], 1)
    ]
    spread: dict[str, int] = data["spread"]
    fair, most = len(rows) / max(1, len(spread)), max(spread.values(), default=0)
    unused = sum(number == 0 for number in spread.values())
    return "\n".join([
        f"{data['src']} > {data['dst']} in {data['fabric']}, {data['policy']}, UDP destination port 4791", "",
        table(("#", "queue pair", "peer's", "source port", "", "way"), rows),
        table(("way", "queue pairs", ""), [(way, number, "#" * number) for way, number in spread.items()]),
        f"The fullest of {len(spread)} ways has {most} of {len(rows)}, {most / fair:.2f}x its fair share"
        + (f"; {unused} carry nothing." if unused else "."),
        "",
    ])  # fmt: skip


def _decoded(source: Path) -> dict[str, Any]:
    from emulation import capture, roce  # noqa: PLC0415 - only where it is used

    found = [roce.decode(frame) for _, frame, _ in capture.frames(source)]
    return {"file": str(source), "packets": [asdict(message) for message in found if message]}


def _packets_text(data: Mapping[str, Any]) -> str:
    from ringlab.tables import table  # noqa: PLC0415 - likewise

    packets = data["packets"]
    if not packets:
        return "no RoCEv2 packet (UDP port 4791) in it\n"
    rows = [(one["source_port"], one["queue_pair"], one["psn"], one["opcode"], one["nbytes"]) for one in packets]
    queue_pairs = Counter(one["queue_pair"] for one in packets)
    ports = {one["source_port"] for one in packets}
    head = table(("source port", "to queue pair", "psn", "operation", "bytes"), rows)
    return f"{head}{len(rows)} packets to {len(queue_pairs)} queue pairs, from {len(ports)} source ports\n"
