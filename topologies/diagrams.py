"""A fabric in other tools' drawing languages: Graphviz DOT and Mermaid. One way only; to read back, see ``formats``."""

from __future__ import annotations

from topologies.fabric import Fabric, Link
from topologies.rates import format_latency, format_rate


def to_dot(fabric: Fabric) -> str:
    """An undirected Graphviz graph; ports stand at the ends of each edge."""
    title = fabric.name.replace("\\", "\\\\").replace('"', '\\"')
    lines = [f'graph "{title}" {{']
    lines += [f'  "{host}" [shape=ellipse];' for host in fabric.hosts]
    lines += [f'  "{switch}" [shape=box];' for switch in fabric.switches]
    for link in fabric.links:
        ends = f'taillabel="{link.a.number}", headlabel="{link.b.number}"'
        lines.append(f'  "{link.a.node}" -- "{link.b.node}" [label="{_label(link)}", {ends}];')
    return "\n".join([*lines, "}"]) + "\n"


def to_mermaid(fabric: Fabric) -> str:
    """A Mermaid flow chart, as GitHub shows it; hosts are round, switches are boxes."""
    lines = ["graph BT"]
    lines += [f"  {_key(host)}([{host}])" for host in fabric.hosts]
    lines += [f"  {_key(switch)}[{switch}]" for switch in fabric.switches]
    lines += [f'  {_key(link.a.node)} ---|"{_label(link)}"| {_key(link.b.node)}' for link in fabric.links]
    return "\n".join(lines) + "\n"


def _key(node: str) -> str:
    return f"n_{node}"  # Mermaid takes a node called "end" for its keyword


def _label(link: Link) -> str:
    return f"{format_rate(link.rate_bps)} {format_latency(link.latency_s)}"
