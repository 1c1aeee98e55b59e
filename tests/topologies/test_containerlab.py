"""containerlab topologies as others write them. What we write ourselves and read back: see test_exchange."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from topologies import addressing
from topologies.containerlab import KIND_LABEL, dumps, loads
from topologies.drafts import Unsaid
from topologies.fabric import Cable, Fabric, Port
from topologies.leaf_spine import leaf_spine
from topologies.yaml_lines import DocumentError

LAB = """\
name: clos
mgmt: {network: custom}
topology:
  kinds:
    nokia_srlinux: {image: ghcr.io/nokia/srlinux}
  groups:
    servers: {kind: linux}
  defaults: {kind: nokia_srlinux}
  nodes:
    leaf1:
    spine1: {kind: arista_ceos}
    h1: {kind: linux, image: "alpine:3"}
    h2: {group: servers}
  links:
    - endpoints: ["leaf1:e1-49", "spine1:eth1_1"]
    - endpoints: ["leaf1:ethernet-1/1", "h1:eth1"]
      mtu: 1500
    - type: veth
      endpoints:
        - {node: h2, interface: eth2, mac: "02:00:00:00:00:01"}
        - {node: leaf1, interface: e1-2}
    - endpoints: ["leaf1:e1-9", "host:lab0"]
    - type: mgmt-net
      endpoint: {node: leaf1, interface: e1-10}
      host-interface: lab1
"""


def test_a_lab_s_nodes_and_links_are_read():
    imported = loads(LAB, "lab.clab.yml", Unsaid(rate_bps=25 * 10**9))
    fabric = imported.fabric
    assert (fabric.name, fabric.hosts, fabric.switches) == ("clos", ("h1", "h2"), ("leaf1", "spine1"))
    assert [(str(link.a), str(link.b), link.rate_bps) for link in fabric.links] == [
        ("leaf1:49", "spine1:1", 25 * 10**9), ("leaf1:1", "h1:1", 25 * 10**9), ("h2:2", "leaf1:2", 25 * 10**9),
    ]  # fmt: skip
    assert imported.notes == (
        "lab.clab.yml: 2 links that leave the topology were left out",
        "lab.clab.yml: 3 of 3 links state no rate; 25Gb/s was taken (--rate)",
    )


@pytest.mark.parametrize(
    ("interfaces", "ports"),
    [(["eth3", "eth1"], [3, 1]), (["e1-1", "e2-1"], [1, 2]), (["ge-0/0/0", "ge-0/0/1"], [1, 2]),
     (["lan", "wan"], [1, 2]), (["eth1", "eth70000"], [1, 2]),
     (["Ethernet1/7", "Ethernet1/5"], [7, 5])],
)  # fmt: skip
def test_interface_numbers_are_port_numbers_where_they_can_be(interfaces, ports):
    links = [{"endpoints": [f"h{n}:eth1", f"s:{interface}"]} for n, interface in enumerate(interfaces)]
    nodes = {"h0": {"kind": "linux"}, "h1": {"kind": "linux"}, "s": {"kind": "x"}}
    fabric = loads(yaml.safe_dump({"topology": {"nodes": nodes, "links": links}}), "f").fabric
    assert [link.b.number for link in fabric.links] == ports


def test_a_link_s_vars_may_state_its_rate_and_latency():
    text = LAB.replace("mtu: 1500", "vars: {rate: 10G, latency: 2us}")
    imported = loads(text, "f")
    assert (imported.fabric.links[1].rate_bps, imported.fabric.links[1].latency_s) == (10**10, 2e-6)
    assert "f: 2 of 3 links state no rate; 100Gb/s was taken (--rate)" in imported.notes


def test_a_linux_switch_says_so_by_a_label():
    text = LAB.replace("spine1: {kind: arista_ceos}", f"spine1: {{kind: linux, labels: {{{KIND_LABEL}: switch}}}}")
    assert loads(text, "f").fabric == loads(LAB, "f").fabric


def test_hosts_are_plugged_into_a_lab_without_any():
    text = LAB.replace("kind: linux", "kind: other")
    assert len(loads(text, "f", Unsaid(hosts_per_switch=2)).fabric.hosts) == 8


def test_each_node_deploys_by_itself_and_hosts_have_our_addresses():
    fabric = Fabric.cabled(
        "two rails", ["h1"], ["s1", "s2"], [Cable("h1", "s1", 1), Cable("h1", "s2", 1), Cable("s1", "s2", 1)]
    )
    lab = yaml.safe_load(dumps(fabric, image="my/image:1"))
    assert lab["name"] == "two-rails"
    assert lab["topology"]["defaults"] == {"kind": "linux", "image": "my/image:1"}
    assert lab["topology"]["nodes"]["h1"]["exec"] == [
        line
        for nic in addressing.nics(fabric)
        for line in (
            f"ip link set eth{nic.port.number} address {nic.mac} up",
            f"ip addr add {nic.ip}/12 dev eth{nic.port.number}",
        )
    ]
    assert lab["topology"]["nodes"]["s1"]["exec"] == [
        "ip link add bridge type bridge stp_state 1 forward_delay 400 hello_time 100 max_age 600",
        "ip link set eth1 master bridge up",
        "ip link set eth2 master bridge up",
        "ip link set bridge up",
    ]


def test_links_keep_their_order_ends_and_ports():
    fabric = leaf_spine(2, 2, 1, links=2)
    found = loads(dumps(fabric), "f").fabric
    assert found == fabric
    assert found.links[1].a == Port("leaf1", 2)


WRONG = [
    ("", "", "f:1: is no containerlab topology; it has a mapping topology"),
    (LAB, "[1]", "f:1: is no containerlab topology"),
    (LAB, "topology: 3", "f:1: is no containerlab topology"),
    (LAB, "topology: {nodes: [a]}", "f:1: topology.nodes: is a list; write a mapping, a node a line"),
    (LAB, "name: x\ntopology:\n  nodes: {}\n  links: 3", "f:4: topology.links: is a number; write a list"),
    ("  defaults: {kind: nokia_srlinux}\n", "", "f:9: topology.nodes.leaf1: has no kind; write kind: linux for a host"),
    ('"h1:eth1"', '"h7:eth1"', "f:16: topology.links[1]: 'h7' is no node; name it in topology.nodes"),
    ('"h1:eth1"', '"h1"', "f:16: topology.links[1].endpoints[1]: is no NODE:INTERFACE; write a link like"),
    ("interface: e1-2", "port: 2", "f:21: topology.links[2].endpoints[1]: is no NODE:INTERFACE"),
    ('["leaf1:ethernet-1/1", "h1:eth1"]', '["leaf1:e1-3"]', "f:16: topology.links[1]: needs two endpoints"),
    ('- endpoints: ["leaf1:e1-9", "host:lab0"]', "- leaf1", "f:22: topology.links[3]: is text; write a link like"),
    ("mtu: 1500", "vars: {rate: fast}", "f:17: topology.links[1].vars.rate: 'fast' is not a rate"),
    ("mtu: 1500", "vars: {rate: [1]}", "f:17: topology.links[1].vars.rate: is a list; write a number with its unit"),
    ("leaf1:\n", "leaf1: {kind: linux}\n", "f:16: topology.links[1]: joins two hosts; a switch of kind linux needs"),
    ("kind: linux", "kind: other", "f:1: no node is a host; mark the hosts (kind: host), or add some"),
    ('"h1:eth1"', '"leaf1:e1-49"', "f:16: topology.links[1]: link leaf1-leaf1: "),
    ("e1-2}", "e1-49}", "f:18: topology.links[2]: link h2-leaf1: port leaf1:3 already has a cable"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG, ids=[message for *_, message in WRONG])
def test_a_wrong_file_gets_a_line_with_its_place(old, new, message):
    with pytest.raises(DocumentError) as caught:
        loads(LAB.replace(old, new) if old else new, "f")
    assert any(line.startswith(message) for line in caught.value.errors), caught.value.errors


@contextmanager
def namespace() -> Iterator[str]:
    """A network namespace, as a container has one, by the pid of its one process."""
    process = subprocess.Popen(["unshare", "--net", "sleep", "50"])
    try:
        ours, its = Path("/proc/self/ns/net"), Path(f"/proc/{process.pid}/ns/net")
        while its.readlink() == ours.readlink():
            time.sleep(0.005)
        yield str(process.pid)
    finally:
        process.kill()
        process.wait()


def inside(pid: str, *command: str) -> int:
    return subprocess.run(["nsenter", "-t", pid, "-n", *command], capture_output=True, check=False).returncode


@pytest.mark.root
def test_the_nodes_commands_make_a_network_that_carries_packets(nothing_left):
    """The part of containerlab is played here: a namespace a node, a veth a link, then each node's commands."""
    lab = yaml.safe_load(dumps(leaf_spine(2, 2, 1)))["topology"]  # two spines: a loop for spanning tree to cut
    with ExitStack() as stack:
        pids = {node: stack.enter_context(namespace()) for node in lab["nodes"]}
        for link in lab["links"]:
            (a, port_a), (b, port_b) = (end.split(":") for end in link["endpoints"])
            there = ["name", port_a, "netns", pids[a], "type", "veth", "peer", "name", port_b, "netns", pids[b]]
            subprocess.run(["ip", "link", "add", *there], check=True)
        for node, pid in pids.items():
            assert [command for command in lab["nodes"][node]["exec"] if inside(pid, *command.split())] == []
        deadline = time.monotonic() + 25
        while inside(pids["h1"], "ping", "-c", "1", "-W", "1", "10.0.0.2"):
            assert time.monotonic() < deadline, "no packet came through in 25 s"
