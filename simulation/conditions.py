"""What the wire and the ends add to bytes and steps: figures with their sources, so that nobody has to guess them.

``turnaround_s``, from the last byte of a step to the first of the next, without the way: 5.5 us. Source: rings of 16 to
256 hosts in htsim with UEC (5.5 to 8 us; RoCE takes more).
``payload_share``, payload of a frame's bytes: Ethernet, IPv4 and TCP with time stamps, by the MTU.
``ack_share``, acknowledgements on the way back, by payload: every second frame (RFC 9293, 3.8.6.3).
``spray``, what sprayed flows take beyond the ideal: 1.15. Source: permutations of 16 to 1,024 hosts in htsim with UEC,
1.14 to 1.17 with mixed spraying, 1.17 to 1.23 with oblivious.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulation.fluid import acknowledgement_share, payload_share

TURNAROUND_S = 5.5e-6
SPRAY = 1.15


@dataclass(frozen=True, slots=True)
class Conditions:
    """``ideal()`` has none of them: bytes are bytes, and steps follow each other at once."""

    turnaround_s: float = TURNAROUND_S
    payload_share: float = 1.0
    ack_share: float = 0.0
    spray: float = SPRAY

    @classmethod
    def ideal(cls) -> Conditions:
        return cls(0.0, 1.0, 0.0, 1.0)

    @classmethod
    def tcp(cls, mtu: int, turnaround_s: float = TURNAROUND_S) -> Conditions:
        return cls(turnaround_s, payload_share(mtu), acknowledgement_share(mtu))
