"""Real fabrics: built, used, removed; also when the builder dies."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from emulation import cleanup, counters, doctor, hosts
from emulation.errors import MachineError, RunError
from emulation.lab import new_tag, records, start_time
from emulation.network import built
from emulation.observe import Watch
from emulation.plan import Plan
from topologies import addressing
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("nothing_left")]

FABRIC = leaf_spine(2, 1, 1, host_rate_bps=10**11, fabric_rate_bps=10**11)


def plan(scale: float = 1000) -> Plan:
    return Plan(FABRIC, new_tag(), doctor.settings(scale, mtu=9000, congestion="reno"))


def forward(made: Plan) -> None:
    """Destination rules by hand, so that this test needs no controller."""
    ip = {host: addressing.ip(FABRIC, host) for host in FABRIC.hosts}
    outputs = {
        "leaf1": {"h1": 1, "h2": 2},
        "leaf2": {"h2": 1, "h1": 2},
        "spine1": {"h1": 1, "h2": 2},
    }
    for switch, ways in outputs.items():
        flows = "\n".join(f"ip,nw_dst={ip[host]},actions=output:{port}" for host, port in ways.items())
        argv = ["ovs-ofctl", "-O", "OpenFlow13", "add-flows", made.bridge(switch), "-"]
        subprocess.run(argv, input=flows, text=True, check=True)


SEND = "import socket,sys; s=socket.create_connection((sys.argv[1],9000)); s.sendall(bytes(10_000_000)); s.close()"
RECEIVE = """
import socket
s = socket.create_server(("", 9000)); print("ready", flush=True); c, _ = s.accept(); n = 0
while data := c.recv(1 << 20): n += len(data)
print(n)
"""


def test_ten_megabytes_cross_three_switches_whole_shaped_and_counted():
    made = plan()
    with built(made) as network:
        forward(made)
        watch = Watch(network)
        before = counters.link_bytes(FABRIC, counters.read(made))
        with watch.stretch():
            receiver = network.popen("h2", [sys.executable, "-c", RECEIVE], stdout=subprocess.PIPE)
            assert receiver.stdout.readline() == "ready\n"
            network.run("h1", [sys.executable, "-c", SEND, addressing.ip(FABRIC, "h2")])
            assert receiver.communicate()[0] == "10000000\n"
        crossed = counters.link_bytes(FABRIC, counters.read(made)) - before
        for port in (Port("h1", 1), Port("leaf1", 2), Port("spine1", 2), Port("leaf2", 1)):
            assert crossed[port] == pytest.approx(10_000_000, rel=0.02)
        seen = watch.observation()
        assert seen.checksum_errors == 0
        assert seen.lost_in_switch == 0
        assert seen.segments_sent > 1000


def test_ports_have_the_fabrics_numbers_and_hosts_their_addresses():
    made = plan()
    with built(made) as network:
        assert "10.0.0.1/12" in network.run("h1", ["ip", "-brief", "address"])
        assert "fe80" not in network.run("h1", ["ip", "address"]), "IPv6 chatter would be counted"
        shown = subprocess.run(
            ["ovs-vsctl", "get", "Interface", made.interface_name(Port("leaf2", 2)), "ofport"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert shown.stdout.strip() == "2"
        assert network.mininet["h1"].cmd("echo hello").strip() == "hello", "Mininet's own commands work"


def test_the_machines_settings_are_as_before():
    files = [Path("/proc/sys/net/core") / name for name in ("rmem_default", "wmem_default", "rmem_max", "somaxconn")]
    before = [file.read_text() for file in files]
    with built(plan()):
        assert [file.read_text() for file in files] == before


def test_without_root_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MachineError, match="needs root: run it with sudo"), built(plan()):
        pytest.fail("it was built")


def test_an_error_while_it_is_up_removes_everything():
    with pytest.raises(ZeroDivisionError), built(plan()):
        raise ZeroDivisionError


def test_a_rank_that_dies_or_fails_or_hangs_is_named():
    with built(plan()) as network:
        say = lambda rank, text: ["sh", "-c", text if rank else "echo fine"]  # noqa: E731
        assert hosts.run_ranks(network, ["h1", "h2"], lambda r: say(r, "true"), 10) == "fine\n"
        with pytest.raises(RunError, match="out of luck"):
            hosts.run_ranks(network, ["h1", "h2"], lambda r: say(r, "echo out of luck >&2; exit 4"), 10)
        with pytest.raises(RunError, match=r"rank 1 \(h2\) was ended by SIGKILL"):
            hosts.run_ranks(network, ["h1", "h2"], lambda r: say(r, "kill -9 $$"), 10)
        with pytest.raises(RunError, match=r"rank 1 \(h2\) did not end in time"):
            hosts.run_ranks(network, ["h1", "h2"], lambda r: say(r, "exec sleep 60"), 0.3)


BUILDER = textwrap.dedent("""
    import sys
    from emulation import doctor
    from emulation.lab import new_tag
    from emulation.network import built
    from emulation.plan import Plan
    from topologies.leaf_spine import leaf_spine
    plan = Plan(leaf_spine(2, 1, 1), new_tag(), doctor.settings(1000, mtu=9000, congestion="reno"))
    with built(plan, progress=lambda text: print(text, flush=True)) as network:
        child = network.popen("h1", ["sleep", "600"])
        print("up", child.pid, flush=True)
        sys.stdin.read()
""")


def builder() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("stage", ["making 2 hosts", "setting up hosts", "starting 3 switches", "up"])
def test_what_kill_9_leaves_is_cleaned_and_a_foreign_bridge_stays(stage):
    subprocess.run(
        ["ovs-vsctl", "add-br", "foreign0", "--", "set", "Bridge", "foreign0", "datapath_type=netdev"], check=True
    )
    try:
        with builder() as process:
            line = next(line for line in process.stdout if line.startswith(stage))
            process.send_signal(signal.SIGKILL)
        assert [path for path in records() if path.exists()]
        cleaned = cleanup.clean()
        assert cleaned.removed
        assert not cleaned.alive
        bridges = subprocess.run(["ovs-vsctl", "list-br"], capture_output=True, text=True, check=True).stdout.split()
        assert bridges == ["foreign0"]
        if stage == "up":
            assert start_time(int(line.split()[1])) is None
    finally:
        subprocess.run(["ovs-vsctl", "del-br", "foreign0"], check=True)


def test_clean_leaves_a_living_lab_alone():
    with built(plan()) as network:
        cleaned = cleanup.clean()
        assert cleaned.alive == (network.plan.tag,)
        assert not cleaned.removed
        assert network.run("h1", ["true"]) == ""


def test_ctrl_c_in_mid_build_leaves_nothing():
    with builder() as process:
        next(line for line in process.stdout if line.startswith("starting 3 switches"))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) != 0
    assert not records()
