"""RoCEv2 for teaching: what an RDMA fabric carries, crafted and decoded with scapy. Pure but for scapy itself.

RoCEv2 (InfiniBand Architecture Specification, annex A17) is InfiniBand's transport in UDP: destination port 4791, the
base transport header (BTH) with operation, destination queue pair and packet number, payload, a checksum (ICRC).
A queue pair is a connection, but UDP has no connections: all that a switch's hash can tell two queue pairs of one pair
of hosts apart by is the UDP source port. Senders therefore make one from the numbers of the two queue pairs:

* ``flow_label``: the product of both numbers (24 bits each), folded by exclusive or to 20 bits. It is the same from
  both ends. Linux, include/rdma/ib_verbs.h, ``rdma_calc_flow_label``.
* ``source_port``: its upper 6 bits folded onto its lower 14, in the range 0xC000-0xFFFF. Ibidem,
  ``rdma_flow_label_to_udp_sport``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

ROCE_PORT = 4791
FIRST_PORT = 0xC000
FIRST_QPN = 0x11
"""Numbers below are taken by the fabric's management."""

_FLOW_LABEL = 0xFFFFF


@dataclass(frozen=True, slots=True)
class QueuePair:
    """One end's number and the other's."""

    local: int
    remote: int

    @property
    def flow_label(self) -> int:
        """20 bits, the same from both ends."""
        product = self.local * self.remote
        product ^= product >> 20
        product ^= product >> 40
        return product & _FLOW_LABEL

    @property
    def source_port(self) -> int:
        """The UDP source port of its packets, 0xC000 to 0xFFFF."""
        label = self.flow_label
        return ((label & 0x3FFF) ^ (label >> 14)) | FIRST_PORT


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded packet: UDP source port, operation, destination queue pair, packet sequence number, payload bytes."""

    source_port: int
    opcode: str
    queue_pair: int
    psn: int
    nbytes: int


def queue_pairs(number: int, first: int = FIRST_QPN, peer_first: int | None = None) -> list[QueuePair]:
    """As two drivers hand them out: one number after another, from ``first`` here and ``peer_first`` there."""
    other = first if peer_first is None else peer_first
    return [QueuePair(first + index, other + index) for index in range(number)]


def write_packets(
    pair: QueuePair, src: tuple[str, str], dst: tuple[str, str], payload: bytes, mtu: int = 4096, first_psn: int = 0
) -> Iterator[Any]:
    """The packets of one message (RC sends) between (MAC, IP) ends, cut at the path MTU; checksums are right."""
    from scapy.contrib.roce import BTH, opcode  # noqa: PLC0415 - slow to import
    from scapy.layers.inet import IP, UDP  # noqa: PLC0415 - likewise
    from scapy.layers.l2 import Ether  # noqa: PLC0415 - likewise
    from scapy.packet import Raw  # noqa: PLC0415 - likewise

    pieces = [payload[start : start + mtu] for start in range(0, len(payload), mtu)] or [b""]
    for index, piece in enumerate(pieces):
        last = index == len(pieces) - 1
        name = "SEND_ONLY" if len(pieces) == 1 else _place(index, last=last)
        bth = BTH(
            opcode=opcode("RC", name)[0], dqpn=pair.remote, psn=(first_psn + index) & 0xFFFFFF, ackreq=int(last),
            padcount=-len(piece) % 4,
        )  # fmt: skip
        udp = UDP(sport=pair.source_port, dport=ROCE_PORT, chksum=0)
        frame = Ether(src=src[0], dst=dst[0]) / IP(src=src[1], dst=dst[1], tos=0x02, flags="DF") / udp / bth
        yield frame / Raw(piece + bytes(-len(piece) % 4))


def _place(index: int, *, last: bool) -> str:
    return "SEND_LAST" if last else "SEND_MIDDLE" if index else "SEND_FIRST"


def decode(frame: bytes) -> Message | None:
    """What a whole Ethernet frame says; None where it is no RoCEv2."""
    from scapy.contrib.roce import BTH  # noqa: PLC0415 - slow to import
    from scapy.layers.inet import UDP  # noqa: PLC0415 - likewise
    from scapy.layers.l2 import Ether  # noqa: PLC0415 - likewise

    packet = Ether(frame)
    if UDP not in packet or BTH not in packet:
        return None
    bth = packet[BTH]
    opcode = bth.sprintf("%BTH.opcode%")
    nbytes = packet[UDP].len - 8 - 12 - 4 - bth.padcount  # less UDP, BTH, ICRC
    return Message(packet[UDP].sport, opcode, bth.dqpn, bth.psn, nbytes)


def icrc_is_right(frame: bytes) -> bool:
    """Does the frame end in the checksum of its content?"""
    from scapy.contrib.roce import BTH  # noqa: PLC0415 - slow to import
    from scapy.layers.l2 import Ether  # noqa: PLC0415 - likewise

    packet = Ether(frame)
    said = packet[BTH].icrc
    packet[BTH].icrc = None
    return bool(Ether(bytes(packet))[BTH].icrc == said)


def save(file: str, packets: Iterable[Any]) -> int:
    """A pcap of ``packets``; how many there were. OSError where it can't be written."""
    from scapy.utils import PcapWriter  # noqa: PLC0415 - slow to import

    with PcapWriter(file, sync=False) as writer:
        number = 0
        for number, packet in enumerate(packets, 1):
            packet.time = number * 1e-6
            writer.write(packet)
    return number
