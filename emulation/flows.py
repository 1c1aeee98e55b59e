"""What a capture of a link tells of its flows: goodput, bytes sent again, bursts. Pure: a list of Segments in.

A *flow* is one connection in one direction. Its *new* bytes are those whose place in the sequence was not seen before
at the point of capture; a byte seen before is *again*: sent again, for a capture sees no packet twice. A segment that
fills a gap left open is *late*: reordered, or lost before this point and sent again. Segments may be super-frames of
segmentation offload (up to 64 KiB at once), sequence numbers wrap at 2^32, and one pair of ports may serve connections
one after another: each is a flow of its own.

A *burst* is what a flow sends without a pause of ``gap_s``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

WRAP = 1 << 32
GAP_S = 0.001
"""A link at 100 Mb/s is 5 ms busy with one super-frame, and 0.7 ms with one of 9000 bytes."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One captured packet: ``nbytes`` of payload in a frame of ``wire_bytes``; ``seq`` is None where it is not TCP."""

    time_s: float
    protocol: str
    src: str
    dst: str
    src_port: int
    dst_port: int
    nbytes: int
    wire_bytes: int
    seq: int | None = None
    syn: bool = False


@dataclass(frozen=True, slots=True)
class Bursts:
    """Frame bytes of each burst: how many bursts, their median and their largest."""

    number: int
    median_bytes: float
    largest_bytes: int


@dataclass(frozen=True, slots=True)
class Flow:
    """One connection in one direction. ``goodput_bps`` is new bytes from first to last packet; 0 of a single one."""

    protocol: str
    src: str
    dst: str
    src_port: int
    dst_port: int
    first_s: float
    last_s: float
    packets: int
    wire_bytes: int
    new_bytes: int
    again_bytes: int
    again_packets: int
    late_packets: int
    bursts: Bursts

    @property
    def goodput_bps(self) -> float:
        lasts_s = self.last_s - self.first_s
        return self.new_bytes * 8 / lasts_s if lasts_s > 0 else 0.0


@dataclass(slots=True)
class Places:
    """Which places of a sequence were seen: all below ``end`` but the ``holes``, unwrapped, sorted, apart."""

    end: int
    holes: list[tuple[int, int]] = field(default_factory=list)

    def unwrap(self, seq: int) -> int:
        """The place nearest to ``end`` that ``seq`` may stand for."""
        return self.end + (seq - self.end + WRAP // 2) % WRAP - WRAP // 2

    def see(self, low: int, high: int) -> tuple[int, int]:
        """Take in the places from ``low`` to ``high``: how many are new, and how many of those lay below ``end``."""
        filled = self._fill(low, min(high, self.end))
        if low > self.end:
            self.holes.append((self.end, low))
        beyond = max(0, high - max(low, self.end))
        self.end = max(self.end, high)
        return filled + beyond, filled

    def _fill(self, low: int, high: int) -> int:
        first = bisect_left(self.holes, (low, low))
        if first and self.holes[first - 1][1] > low:
            first -= 1
        last, filled = first, 0
        left: list[tuple[int, int]] = []
        while last < len(self.holes) and self.holes[last][0] < high:
            start, stop = self.holes[last]
            filled += min(high, stop) - max(low, start)
            left += [hole for hole in ((start, low), (high, stop)) if hole[0] < hole[1]]
            last += 1
        self.holes[first:last] = left
        return filled


class _Tally:
    """A flow under way; mutable."""

    def __init__(self, segment: Segment, gap_s: float) -> None:
        self.gap_s = gap_s
        self.first = self.last = segment
        self.isn = segment.seq if segment.syn else None
        self.places: Places | None = None
        self.packets = self.wire_bytes = self.new_bytes = 0
        self.again_bytes = self.again_packets = self.late_packets = 0
        self.burst_bytes: list[int] = []

    def restarts_with(self, segment: Segment) -> bool:
        """Is it the first packet of another connection? A SYN sent again has the same number."""
        return segment.syn and (self.places is not None or self.isn is not None) and segment.seq != self.isn

    def take(self, segment: Segment) -> None:
        if self.burst_bytes and segment.time_s - self.last.time_s < self.gap_s:
            self.burst_bytes[-1] += segment.wire_bytes
        else:
            self.burst_bytes.append(segment.wire_bytes)
        self.last = segment
        self.packets += 1
        self.wire_bytes += segment.wire_bytes
        if segment.seq is None:
            self.new_bytes += segment.nbytes
        else:
            self._place(segment, segment.seq)

    def _place(self, segment: Segment, seq: int) -> None:
        seq += segment.syn  # data begins behind the SYN's own number
        if self.places is None:
            self.places = Places(seq)
        low = self.places.unwrap(seq)
        if segment.nbytes <= 1 and low == self.places.end - 1:
            return  # a keep-alive: it asks, and carries nothing
        new, late = self.places.see(low, low + segment.nbytes)
        self.new_bytes += new
        self.again_bytes += segment.nbytes - new
        self.again_packets += new < segment.nbytes
        self.late_packets += late > 0

    def flow(self) -> Flow:
        bursts = Bursts(len(self.burst_bytes), median(self.burst_bytes), max(self.burst_bytes))
        one = self.first
        return Flow(
            one.protocol, one.src, one.dst, one.src_port, one.dst_port, one.time_s, self.last.time_s, self.packets,
            self.wire_bytes, self.new_bytes, self.again_bytes, self.again_packets, self.late_packets, bursts,
        )  # fmt: skip


def flows(segments: Iterable[Segment], gap_s: float = GAP_S) -> list[Flow]:
    """The flows of a capture, in order of their first packets."""
    begun: list[_Tally] = []
    current: dict[tuple[object, ...], _Tally] = {}
    for segment in segments:
        key = segment.protocol, segment.src, segment.dst, segment.src_port, segment.dst_port
        tally = current.get(key)
        if tally is None or tally.restarts_with(segment):
            tally = current[key] = _Tally(segment, gap_s)
            begun.append(tally)
        tally.take(segment)
    return [tally.flow() for tally in begun]


def mean_rate_bps(found: Sequence[Flow]) -> float:
    """Frame bytes of all flows together, from the first packet to the last."""
    lasts_s = max(flow.last_s for flow in found) - min(flow.first_s for flow in found) if found else 0.0
    return sum(flow.wire_bytes for flow in found) * 8 / lasts_s if lasts_s > 0 else 0.0
