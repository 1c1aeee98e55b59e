"""Port counters as Open vSwitch prints them."""

from emulation.counters import PortCount, link_bytes, parse
from topologies.fabric import Cable, Fabric, Port

TEXT = """OFPST_PORT reply (OF1.3) (xid=0x2): 3 ports
  port  LOCAL: rx pkts=0, bytes=0, drop=3, errs=0, frame=0, over=0, crc=0
           tx pkts=0, bytes=0, drop=0, errs=0, coll=0
           duration=0.318s
  port  "rtest-s1-1": rx pkts=12, bytes=3456, drop=1, errs=0, frame=0, over=0, crc=0
           tx pkts=34, bytes=7890, drop=2, errs=0, coll=0
           duration=0.318s
  port  eth9: rx pkts=1, bytes=60, drop=?, errs=?, frame=?, over=?, crc=?
           tx pkts=2, bytes=120, drop=?, errs=?, coll=?
           duration=1.5s
"""


def test_every_port_is_read_by_name():
    assert parse(TEXT) == {
        "LOCAL": PortCount(0, 0, 3),
        "rtest-s1-1": PortCount(3456, 7890, 3),
        "eth9": PortCount(60, 120, 0),
    }


def test_a_directed_link_counts_what_arrived():
    fabric = Fabric.cabled(
        "chain",
        ["h1", "h2"],
        ["s1", "s2"],
        [Cable("h1", "s1", 1), Cable("s1", "s2", 1), Cable("h2", "s2", 1)],
    )
    counts = {
        Port("s1", 1): PortCount(received_bytes=100, sent_bytes=11, dropped=0),
        Port("s1", 2): PortCount(received_bytes=12, sent_bytes=99, dropped=0),
        Port("s2", 1): PortCount(received_bytes=90, sent_bytes=13, dropped=0),
        Port("s2", 2): PortCount(received_bytes=14, sent_bytes=80, dropped=0),
    }
    assert link_bytes(fabric, counts) == {
        Port("h1", 1): 100,
        Port("s1", 1): 11,
        Port("s1", 2): 90,  # nine were lost on the way: what arrived counts
        Port("s2", 1): 12,
        Port("s2", 2): 80,
        Port("h2", 1): 14,
    }
