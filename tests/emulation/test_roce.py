"""RoCEv2: source ports by the drivers' formula, packets that decode to what was put in."""

import struct
from zlib import crc32

import pytest

from emulation.capture import frames
from emulation.roce import FIRST_PORT, Message, QueuePair, decode, icrc_is_right, queue_pairs, save, write_packets

SRC, DST = ("02:00:0a:00:00:01", "10.0.0.1"), ("02:00:0a:00:00:05", "10.0.0.5")


@pytest.mark.parametrize(
    ("local", "remote", "label", "port"),
    [
        (0x11, 0x11, 289, 0xC000 | 289),  # small products stay as they are
        (1 << 10, 1 << 10, 1, 0xC001),  # bit 20 folds to bit 0
        (1 << 20, 1 << 20, 1 << 20 & 0xFFFFF | 1, 0xC001),  # bit 40 folds to 20, and on to 0
        (0xFFFFFF, 0xFFFFFF, None, None),
    ],
)
def test_the_source_port_is_the_product_folded_twice(local, remote, label, port):
    pair = QueuePair(local, remote)
    assert FIRST_PORT <= pair.source_port <= 0xFFFF
    assert pair.source_port == QueuePair(remote, local).source_port, "both ends find the same"
    if label is not None:
        assert (pair.flow_label, pair.source_port) == (label, port)


def test_queue_pairs_are_handed_out_one_after_another():
    assert queue_pairs(2, 0x20, 0x100) == [QueuePair(0x20, 0x100), QueuePair(0x21, 0x101)]
    assert queue_pairs(1) == [QueuePair(0x11, 0x11)]


def test_a_message_is_cut_at_the_path_mtu_and_decodes_to_itself():
    pair = QueuePair(0x11, 0x22)
    made = [bytes(packet) for packet in write_packets(pair, SRC, DST, bytes(9001), first_psn=0xFFFFFF)]
    assert [decode(frame) for frame in made] == [
        Message(pair.source_port, "RC_SEND_FIRST", 0x22, 0xFFFFFF, 4096),
        Message(pair.source_port, "RC_SEND_MIDDLE", 0x22, 0, 4096),
        Message(pair.source_port, "RC_SEND_LAST", 0x22, 1, 809),
    ]
    assert all(icrc_is_right(frame) for frame in made)
    (only,) = write_packets(pair, SRC, DST, b"x")
    assert decode(bytes(only)).opcode == "RC_SEND_ONLY"


def test_the_checksum_is_the_one_that_hardware_computes():
    """By hand from the specification: crc32 over 8 bytes of ones and the packet with its variable fields as ones."""
    (packet,) = write_packets(QueuePair(0x11, 0x22), SRC, DST, bytes(range(64)))
    frame = bytes(packet)
    ip, udp, rest = bytearray(frame[14:34]), bytearray(frame[34:42]), bytearray(frame[42:-4])
    ip[1] = ip[8] = ip[10] = ip[11] = 0xFF  # type of service, time to live, checksum
    udp[6] = udp[7] = rest[4] = 0xFF  # checksum; the BTH's byte of congestion bits
    assert struct.pack("<I", crc32(b"\xff" * 8 + ip + udp + rest)) == frame[-4:]
    broken = bytearray(frame)
    broken[60] ^= 1
    assert not icrc_is_right(bytes(broken))


def test_a_pcap_goes_round_and_other_packets_are_none(tmp_path):
    packets = [one for pair in queue_pairs(3) for one in write_packets(pair, SRC, DST, b"hello")]
    file = tmp_path / "roce.pcap"
    assert save(str(file), packets) == 3
    assert [decode(frame).queue_pair for _, frame, _ in frames(file)] == [0x11, 0x12, 0x13]
    assert decode(bytes(60)) is None
