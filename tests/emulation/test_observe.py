"""Reading the kernel's counters."""

from pathlib import Path

from emulation.observe import TROUBLE, counters


def test_counters_are_named_as_the_kernel_names_them():
    text = "Tcp: RtoMin OutSegs RetransSegs\nTcp: 200 5 1\nUdp: InDatagrams\nUdp: -1\n"
    assert counters(text) == {"TcpRtoMin": 200, "TcpOutSegs": 5, "TcpRetransSegs": 1, "UdpInDatagrams": -1}


def test_this_kernel_has_what_is_judged():
    assert {"TcpOutSegs", "TcpRetransSegs", "TcpInCsumErrors"} <= counters(Path("/proc/net/snmp").read_text()).keys()


def test_trouble_in_the_switchs_log_is_known():
    assert TROUBLE.search("|WARN|Dropped packet: Too big. GRO/TSO enabled?")
    assert TROUBLE.search("|WARN|Unreasonably long 1012ms poll interval (1000ms user, 0ms system)")
    assert not TROUBLE.search("|INFO|bridge s1: added interface s1-1 on port 1")
