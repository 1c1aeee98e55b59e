"""``ringlab capture``: what is in a file, and RoCEv2's ways."""

import json

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from controller.routing import ecmp
from ringlab.cli import main
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Demand, FlowKey


@pytest.fixture
def pcap(tmp_path):
    packets = []
    for number in range(11):
        sent = TCP(sport=30000, dport=20000, seq=1 + 1000 * min(number, 9), flags="A")
        packet = Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / sent / Raw(bytes(1000))
        packet.time = 100 + number / 1000
        packets.append(packet)
    answer = Ether() / IP(src="10.0.0.2", dst="10.0.0.1") / TCP(sport=20000, dport=30000, flags="A")
    answer.time = 100.5
    wrpcap(str(tmp_path / "link.pcap"), [*packets, answer])
    return tmp_path / "link.pcap"


def test_a_file_is_shown_flow_by_flow(pcap, capsys):
    assert main(["capture", "show", str(pcap), "--gap", "5ms"]) == 0
    heads, row, foot = capsys.readouterr().out.splitlines()
    assert heads.split()[0] == "flow"
    assert row.split()[:9] == ["10.0.0.1:30000", ">", "10.0.0.2:20000", "tcp", "0.000", "0.010", "11", "10000", "8"]
    assert row.split()[9:] == ["Mb/s", "1000", "0", "1", "11594", "11594"]
    assert foot.startswith("1 flows, 1 without payload not shown (--all); ")


def test_read_is_another_word_for_show_and_json_has_every_flow(pcap, capsys):
    assert main(["capture", "--read", str(pcap), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(flow["src"], flow["new_bytes"], flow["again_bytes"]) for flow in found["flows"]] == [
        ("10.0.0.1", 10000, 1000), ("10.0.0.2", 0, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["show", "/etc/hosts"], 4, "/etc/hosts: is no capture (pcap or pcapng)"),
        (["show", "none.pcap"], 4, "none.pcap: can't be read: No such file or directory"),
        (["show", "x", "--gap", "soon"], 2, "--gap: 'soon' is not a latency"),
        (["leaf1-spine1"], 2, "Missing option '-w'"),
        (["leaf1-spine1", "-w", "no/such/x.pcap"], 2, "there is no folder no/such; make it first"),
        (["leaf1-spine1", "-w", "x.pcap", "--tag", "rnone"], 4, "no living lab 'rnone'"),
        (["roce", "--src", "h77"], 2, "--src h77: no such host in fabric leaf-spine-4x4x2"),
        (["roce", "--dst", "h1"], 2, "--dst h1: is --src too"),
    ],
)
def test_what_can_not_be_is_one_line(words, code, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["capture", *words]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_queue_pairs_take_the_way_that_the_switches_hash_gives_them(capsys, tmp_path):
    file = tmp_path / "roce.pcap"
    words = ["capture", "roce", "--fabric", "leaf-spine:leaves=2,spines=4,hosts=1", "--src", "h1", "--dst", "h2"]
    assert main([*words, "--queue-pairs", "32", "--seed", "3", "-w", str(file), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    fabric = leaf_spine(2, 4, 1)
    for pair in found["queue_pairs"]:
        key = FlowKey("h1", "h2", pair["source_port"], 4791, "udp")
        path = ecmp.route(fabric, [Demand(key, (0,), (1,))], seed=3)[key]
        assert pair["way"] == path.nodes(fabric)[2]
    assert sum(found["spread"].values()) == 32
    assert set(found["spread"]) == {"spine1", "spine2", "spine3", "spine4"}
    assert main(["capture", "roce", "--read", str(file)]) == 0
    assert capsys.readouterr().out.endswith("32 packets to 32 queue pairs, from 32 source ports\n")


def test_one_way_is_direct(capsys):
    assert main(["capture", "roce", "--src", "h1", "--dst", "h2", "--queue-pairs", "2"]) == 0
    out = capsys.readouterr().out
    assert "direct            2  ##" in out
    assert "The fullest of 1 ways has 2 of 2, 1.00x its fair share." in out
