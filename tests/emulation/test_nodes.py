"""What is built keeps Mininet's face: its objects, its commands, its prompt; shells start when they are needed."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from emulation import doctor
from emulation.lab import new_tag
from emulation.network import Network, built
from emulation.plan import Plan
from topologies import addressing
from topologies.fabric import Cable, Fabric
from topologies.leaf_spine import leaf_spine

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("nothing_left")]

ONE_SWITCH = leaf_spine(1, 1, 2, host_rate_bps=10**11, fabric_rate_bps=10**11)


def plan(fabric: Fabric = ONE_SWITCH) -> Plan:
    return Plan(fabric, new_tag(), doctor.settings(1000, mtu=9000, congestion="reno"))


def forward(made: Plan) -> None:
    """Destination rules by hand at every switch that hosts are plugged into."""
    for switch in made.switches:
        flows = "\n".join(
            f"ip,nw_dst={nic.ip},actions=output:{made.fabric.peer(nic.port).number}"
            for nic in addressing.nics(made.fabric)
            if made.fabric.peer(nic.port).node == switch
        )
        argv = ["ovs-ofctl", "-O", "OpenFlow13", "add-flows", made.bridge(switch), "-"]
        subprocess.run(argv, input=flows, text=True, check=True)


def pings(network: Network, host: str, address: str) -> bool:
    return " 0% packet loss" in network.run(host, ["ping", "-c", "1", "-W", "2", address])


def test_mininets_own_commands_work_and_no_shell_runs_before():
    with built(plan()) as network:
        net = network.mininet
        assert [host.name for host in net.hosts] == ["h1", "h2"]
        assert all(node.shell is None for node in net.hosts + net.switches)
        h1, leaf1 = net["h1"], net["leaf1"]
        assert h1.IP() == "10.0.0.1"
        assert h1.MAC() == "02:00:0a:00:00:01"
        assert h1.cmd("hostname -I; cat /sys/class/net/eth1/mtu").split() == ["10.0.0.1", "9000"]
        assert h1.popen("ip -brief link show eth1").communicate()[0].startswith(b"eth1")
        assert h1.pexec("false") == ("", "", 1)
        assert leaf1.cmd("echo $PPID").strip() == str(os.getpid()), "a switch's shell stands on the machine"
        assert "n_tables" in leaf1.dpctl("show")
        assert net["h2"].shell is None
        assert Path(f"/proc/{h1.shell.pid}/ns/net").readlink() == Path(f"/proc/{network.pid('h1')}/ns/net").readlink()


PROMPT = textwrap.dedent("""
    import sys
    from mininet.cli import CLI
    from mininet.log import setLogLevel
    from emulation.network import built
    sys.path.insert(0, sys.argv[1])
    from test_nodes import forward, plan
    setLogLevel("output")
    made = plan()
    with built(made) as network:
        forward(made)
        CLI(network.mininet)
""")


def test_the_prompt_pings_by_name():
    done = subprocess.run(
        [sys.executable, "-c", PROMPT, str(Path(__file__).parent)],
        input="nodes\nh1 ping -c1 h2\nleaf1 echo at $((6 * 7))\nexit\n",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
    )  # fmt: skip
    assert "h1 h2 leaf1 spine1" in done.stdout
    assert "1 received, 0% packet loss" in done.stdout
    assert "at 42" in done.stdout


def test_each_nic_of_a_host_is_an_interface_in_its_own_subnet():
    cables = [Cable(host, rail, 10**11) for host in ("h1", "h2") for rail in ("rail1", "rail2")]
    fabric = Fabric.cabled("rails", ["h1", "h2"], ["rail1", "rail2"], cables)
    made = plan(fabric)
    with built(made) as network:
        forward(made)
        for rail in (0, 1):
            assert pings(network, "h1", addressing.ip(fabric, "h2", rail))
        assert network.mininet["h1"].intf("eth2").IP() == "10.16.0.1"
        assert network.run("h1", ["tc", "class", "show", "dev", "eth2"]).count("htb 1:1 ") == 1


def test_two_labs_at_the_same_time_do_not_meet():
    with built(plan()) as one, built(plan()) as other:
        for network in (one, other):
            forward(network.plan)
        assert pings(one, "h1", "10.0.0.2")
        assert pings(other, "h1", "10.0.0.2")
        assert one.pid("h1") != other.pid("h1")
