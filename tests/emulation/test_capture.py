"""A capture's packets from bytes, and one real capture of a link whose traffic is known."""

import subprocess
import sys
import threading

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, CookedLinux, Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import PcapNgWriter, wrpcap

from emulation import capture, doctor
from emulation.capture import Tap, find_tap, read, record_to, segment, tap_of
from emulation.errors import RunError
from emulation.flows import Segment, flows
from emulation.lab import Record, new_tag
from emulation.network import built
from emulation.plan import Plan
from topologies import addressing
from topologies.leaf_spine import leaf_spine

FABRIC = leaf_spine(2, 1, 1)
ETHER = Ether(src="02:00:0a:00:00:01", dst="02:00:0a:00:00:02")
ENDS = IP(src="10.0.0.1", dst="10.0.0.2")


def seen(packet, snap=192):
    frame = bytes(packet)
    return segment(1.5, frame[:snap], len(frame))


def test_tcp_udp_options_and_vlan_are_read_also_where_the_payload_is_cut_off():
    data = TCP(sport=30000, dport=20000, seq=7, flags="PA", options=[("Timestamp", (1, 2))]) / Raw(bytes(5000))
    assert seen(ETHER / ENDS / data) == Segment(1.5, "tcp", "10.0.0.1", "10.0.0.2", 30000, 20000, 5000, 5066, 7)
    syn = TCP(sport=30000, dport=20000, seq=2**32 - 1, flags="S")
    assert seen(ETHER / Dot1Q(vlan=5) / ENDS / syn) == Segment(
        1.5, "tcp", "10.0.0.1", "10.0.0.2", 30000, 20000, 0, 58, 2**32 - 1, True
    )
    assert seen(ETHER / ENDS / UDP(sport=49152, dport=4791) / Raw(bytes(100))).nbytes == 100


def test_padding_is_no_payload():
    frame = bytes(ETHER / ENDS / TCP(flags="A")) + bytes(6)
    assert segment(0.0, frame, len(frame)).nbytes == 0


def test_what_is_no_tcp_or_udp_is_nothing():
    assert seen(ETHER / ARP()) is None
    assert seen(ETHER / IP(src="10.0.0.1", dst="10.0.0.2", proto=1) / Raw(bytes(30))) is None
    assert seen(ETHER / IP(frag=5, proto=17) / Raw(bytes(30))) is None
    assert seen(ETHER / ENDS / TCP(), snap=40) is None
    assert segment(0.0, b"", 0) is None


def test_pcap_and_pcapng_give_the_same(tmp_path):
    packets = [ETHER / ENDS / TCP(sport=1, dport=2, seq=10 * n, flags="A") / Raw(bytes(10)) for n in range(3)]
    for number, packet in enumerate(packets):
        packet.time = 1_700_000_000.25 + number
    wrpcap(str(tmp_path / "a.pcap"), packets)
    with PcapNgWriter(str(tmp_path / "a.pcapng")) as writer:
        writer.write(packets)
    (one,) = flows(read(tmp_path / "a.pcap"))
    (two,) = flows(read(tmp_path / "a.pcapng"))
    assert one == two
    assert (one.new_bytes, one.last_s - one.first_s) == (30, pytest.approx(2.0))


def test_what_is_no_capture_is_one_line(tmp_path):
    (tmp_path / "text").write_text("no capture at all, but long enough")
    with pytest.raises(RunError, match=r"text: is no capture \(pcap or pcapng\)"):
        list(read(tmp_path / "text"))
    with pytest.raises(RunError, match="can't be read: No such file"):
        list(read(tmp_path / "none"))


def test_a_capture_of_another_link_type_is_refused_in_both_formats(tmp_path):
    packet = CookedLinux() / ENDS / TCP()
    wrpcap(str(tmp_path / "a.pcap"), [packet])
    with PcapNgWriter(str(tmp_path / "a.pcapng")) as writer:
        writer.write(packet)
    for name in ("a.pcap", "a.pcapng"):
        with pytest.raises(RunError, match=rf"{name}: link type 113 is not Ethernet; capture one interface, not 'any'"):
            list(read(tmp_path / name))


def test_a_link_is_seen_at_its_first_switch_end_by_either_name_and_in_either_direction():
    record = Record.of(Plan(FABRIC, "rtest"))
    assert tap_of(record, "leaf1-spine1") == Tap("rtest", "leaf1-spine1", "rtest-leaf1-2", "inout")
    assert tap_of(record, "spine1-leaf1").interface == "rtest-leaf1-2"
    assert tap_of(record, "leaf1->spine1").direction == "out"
    assert tap_of(record, "spine1->leaf1").direction == "in"
    assert tap_of(record, "h1->leaf1") == Tap("rtest", "h1->leaf1", "rtest-leaf1-1", "in")
    with pytest.raises(RunError, match="lab rtest has no link 'leaf1-spine7'; did you mean 'leaf1"):
        tap_of(record, "leaf1-spine7")


def test_which_lab_is_asked_where_it_is_not_clear(monkeypatch, tmp_path):
    monkeypatch.setattr(capture, "is_alive", lambda _: True)
    monkeypatch.setattr(capture, "records", lambda: [tmp_path / "raaaa.json", tmp_path / "rbbbb.json"])
    with pytest.raises(RunError, match="several labs are up: say which by --tag; up: raaaa, rbbbb"):
        find_tap("leaf1-spine1")
    with pytest.raises(RunError, match="no living lab 'rcccc'; up: raaaa, rbbbb"):
        find_tap("leaf1-spine1", "rcccc")
    monkeypatch.setattr(capture, "records", list)
    with pytest.raises(RunError, match="no lab is up: start a run"):
        find_tap("leaf1-spine1")


SEND = "import socket,sys; s=socket.create_connection((sys.argv[1],9000)); s.sendall(bytes(3_000_000)); s.close()"
RECEIVE = """
import socket
s = socket.create_server(("", 9000)); print("ready", flush=True); c, _ = s.accept()
while c.recv(1 << 20): pass
"""


def forward(plan):
    for switch, ways in {"leaf1": (1, 2), "leaf2": (2, 1), "spine1": (1, 2)}.items():
        rules = "\n".join(
            f"ip,nw_dst={addressing.ip(FABRIC, host)},actions=output:{port}"
            for host, port in zip(("h1", "h2"), ways, strict=True)
        )
        argv = ["ovs-ofctl", "-O", "OpenFlow13", "add-flows", plan.bridge(switch), "-"]
        subprocess.run(argv, input=rules, text=True, check=True)


@pytest.mark.root
@pytest.mark.usefixtures("nothing_left")
def test_a_real_link_is_captured_whole_and_the_capture_ends_with_its_lab(tmp_path):
    plan = Plan(FABRIC, new_tag(), doctor.settings(1000, mtu=9000, congestion="reno"))
    file, ended = tmp_path / "link.pcap", []
    with built(plan) as network:
        forward(plan)
        tap = find_tap("leaf1->spine1", plan.tag)
        watching = threading.Thread(target=lambda: ended.append(record_to(file, tap)))
        watching.start()
        while not (file.exists() and file.stat().st_size):  # tcpdump listens when it has written the file's head
            assert watching.is_alive()
        receiver = network.popen("h2", [sys.executable, "-c", RECEIVE], stdout=subprocess.PIPE)
        assert receiver.stdout.readline() == "ready\n"
        network.run("h1", [sys.executable, "-c", SEND, addressing.ip(FABRIC, "h2")])
        assert receiver.wait() == 0
        receiver.stdout.close()
    watching.join(10)
    (captured,) = ended
    assert (captured.why, captured.dropped) == (f"lab {plan.tag} is gone", 0)
    found = [flow for flow in flows(read(file)) if flow.new_bytes]
    (flow,) = found
    assert (flow.src, flow.dst, flow.dst_port) == ("10.0.0.1", "10.0.0.2", 9000)
    assert flow.new_bytes == 3_000_000
    assert flow.goodput_bps == pytest.approx(100e6, rel=0.25)
    assert flow.packets <= captured.packets


@pytest.mark.root
@pytest.mark.usefixtures("nothing_left")
def test_a_capture_ends_after_its_time_with_a_whole_file(tmp_path):
    with built(Plan(FABRIC, new_tag(), doctor.settings(1000, mtu=9000, congestion="reno"))) as network:
        tap = find_tap("h1-leaf1", network.plan.tag)
        captured = record_to(tmp_path / "quiet.pcap", tap, seconds=0.3)
    assert captured.why == "after 0.3 s"
    assert list(read(tmp_path / "quiet.pcap")) == []
