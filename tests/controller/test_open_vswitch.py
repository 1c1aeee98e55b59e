"""The controller and real switches: Open vSwitch bridges in the userspace datapath, joined by patch ports."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import cycle
from string import ascii_lowercase

import pytest

from controller.client import ControllerClient, ControllerError
from controller.process import running_controller
from controller.rules import resident_rules
from topologies.addressing import dpid, ip, mac
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("ovs-vsctl"), reason="needs Open vSwitch"),
]

TAG = f"ctl{os.getpid()}"
LETTERS = cycle(ascii_lowercase)
READY_S = 20


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def eventually(condition, timeout_s=10.0):
    """Waits until ``condition()`` is true, and returns what it is."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
    return value


class Bridges:
    """A bridge for every switch of a fabric; hosts are internal ports, named after their addresses' last part."""

    def __init__(self, fabric):
        self.fabric = fabric
        self.tag = TAG + next(LETTERS)
        self.names = {switch: f"{self.tag}-{number}" for number, switch in enumerate(fabric.switches)}
        self.strangers = []

    def device(self, host):
        return f"{self.tag}h{self.fabric.hosts.index(host)}"

    def create(self, openflow):
        command = ["ovs-vsctl"]
        for switch in self.fabric.switches:
            command += self._bridge(self.names[switch], dpid(self.fabric, switch), openflow)
            for port in self.fabric.ports(switch):
                command += self._port(port)
        run(*command)

    def _bridge(self, name, number, openflow, protocol="OpenFlow13"):
        return [
            *("--", "add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev", "fail_mode=secure"),
            *(f"protocols={protocol}", "external_ids:ringlab=test", f"other_config:datapath-id={number:016x}"),
            *("other_config:disable-in-band=true", "--", "set-controller", name, f"tcp:{openflow}"),
            *("--", "set", "Controller", name, "max_backoff=1000"),
        ]

    def _port(self, port):
        peer = self.fabric.peer(port)
        if self.fabric.is_switch(peer.node):
            name, kind = self._end(port), ["type=patch", f"options:peer={self._end(peer)}"]
        else:
            name, kind = self.device(peer.node), ["type=internal"]
        bridge = self.names[port.node]
        return ["--", "add-port", bridge, name, "--", "set", "Interface", name, *kind, f"ofport_request={port.number}"]

    def _end(self, port):
        return f"{self.names[port.node]}-p{port.number}"

    def add_stranger(self, openflow, number, protocol="OpenFlow13"):
        name = f"{self.tag}-x{number}"
        self.strangers.append(name)
        run("ovs-vsctl", *self._bridge(name, number, openflow, protocol))

    def remove(self):
        command = ["ovs-vsctl"]
        for name in [*self.names.values(), *self.strangers]:
            command += ["--", "--if-exists", "del-br", name]
        run(*command)

    def flows(self, switch):
        """Each entry as Open vSwitch prints it, without cookie and counters."""
        text = run("ovs-ofctl", "-O", "OpenFlow13", "--no-stats", "dump-flows", self.names[switch])
        return sorted(re.sub(r"cookie=\w+, ", "", line.strip()) for line in text.splitlines() if "actions=" in line)

    def trace(self, key, proto="tcp"):
        """The ports that Open vSwitch says a packet of the flow leaves by."""
        fabric, start = self.fabric, self.fabric.attachment(key.src)
        ports = f",tp_src={key.src_port},tp_dst={key.dst_port}" if proto == "tcp" else ""
        flow = f"in_port={start.number},{proto},dl_src={mac(fabric, key.src)},dl_dst={mac(fabric, key.dst)}"
        flow += f",nw_src={ip(fabric, key.src)},nw_dst={ip(fabric, key.dst)}{ports}"
        switches = {name: switch for switch, name in self.names.items()}
        hops, bridge = [], None
        for line in run("ovs-appctl", "ofproto/trace", self.names[start.node], flow).splitlines():
            if found := re.match(r'\s*bridge\("(.+)"\)', line):
                bridge = switches[found[1]]
            elif found := re.match(r"\s*output:(\d+)", line):
                hops.append(Port(bridge, int(found[1])))
        return tuple(hops)


@contextmanager
def controlled(fabric, framework, **options):
    """The fabric's bridges under a running controller; nothing is left behind."""
    bridges = Bridges(fabric)
    with running_controller(fabric, framework=framework, **options) as controller:
        try:
            bridges.create(controller.openflow)
            controller.client.wait_ready(READY_S)
            yield bridges, controller
        finally:
            bridges.remove()


@pytest.fixture(scope="module", params=["ryu", "os_ken"])
def framework(request):
    pytest.importorskip(request.param) if sys.version_info < (3, 12) or request.param != "ryu" else pytest.skip(
        "no ryu"
    )
    return request.param


@pytest.fixture(scope="module")
def lab(framework):
    with controlled(leaf_spine(2, 2, 2), framework) as both:
        yield both


DEMANDS = [
    Demand(FlowKey(src, dst, 30000 + channel, 20000), (0,), (1000,))
    for src, dst in [("h1", "h3"), ("h2", "h4"), ("h3", "h2"), ("h4", "h1"), ("h1", "h2")]
    for channel in range(2)
]


def assert_switches_do_what_is_planned(bridges, client):
    paths = client.paths()
    for key, path in paths.items():
        assert bridges.trace(key) == path.hops[1:], str(key)
    for switch in bridges.fabric.switches:
        told = [rule for rule in client.rules() if rule["switch"] == switch]
        assert len(bridges.flows(switch)) == len(told)


@pytest.mark.parametrize("policy", ["spanning-tree", "shortest", "ecmp:seed=1", "ecmp:seed=2", "pinned"])
def test_packets_go_the_planned_way_policy_after_policy(lab, framework, policy):
    bridges, controller = lab
    assert controller.framework.startswith(framework)
    taken = controller.client.announce("any", policy, DEMANDS)
    status = controller.client.wait_ready(READY_S)
    assert status["epoch"] == taken.epoch
    assert (status["jobs"], status["errors"], status["handler_errors"]) == (["any"], [], 0)
    assert set(status["switches"].values()) == {"ready"}
    assert len(controller.client.paths()) == 2 * len(DEMANDS)
    assert_switches_do_what_is_planned(bridges, controller.client)


def test_everything_else_takes_the_tree_and_withdrawing_leaves_the_resident_rules(lab):
    bridges, controller = lab
    controller.client.withdraw()
    assert controller.client.wait_ready(READY_S)["jobs"] == []
    resident = {switch: bridges.flows(switch) for switch in bridges.fabric.switches}
    assert sum(map(len, resident.values())) == len(resident_rules(bridges.fabric))
    assert sorted(line for line in resident["spine1"]) == [
        "priority=0 actions=drop",
        *(
            f"priority=10,ip,dl_dst=02:01:00:00:00:00/ff:ff:00:00:00:00,nw_dst=10.0.0.{host} actions=output:{port}"
            for host, port in [(1, 1), (2, 1), (3, 2), (4, 2)]
        ),
    ]
    ping = (Port("leaf1", 3), Port("spine1", 2), Port("leaf2", 1))
    assert bridges.trace(FlowKey("h1", "h3", 0, 0), proto="icmp") == ping
    assert bridges.trace(FlowKey("h1", "h3", 1, 2)) == ping
    controller.client.announce("any", "pinned", DEMANDS)
    controller.client.wait_ready(READY_S)
    assert bridges.trace(FlowKey("h1", "h3", 0, 0), proto="icmp") == ping
    controller.client.withdraw()
    controller.client.wait_ready(READY_S)
    assert {switch: bridges.flows(switch) for switch in bridges.fabric.switches} == resident


def test_a_switch_that_comes_back_is_put_right_without_losing_what_is(lab):
    bridges, controller = lab
    controller.client.announce("any", "pinned", DEMANDS)
    controller.client.wait_ready(READY_S)
    before, name = bridges.flows("leaf1"), bridges.names["leaf1"]
    run("ovs-vsctl", "set-controller", name, "tcp:127.0.0.1:1")  # nobody listens there
    eventually(lambda: controller.client.status()["switches"]["leaf1"] == "missing")
    with pytest.raises(ControllerError, match=r"not ready after 0\.1 s: switch leaf1 is missing"):
        controller.client.wait_ready(0.1)
    assert bridges.flows("leaf1") == before  # fail mode secure keeps them
    kept = next(line for line in before if "tp_src=30000" in line).split(" actions")[0].removeprefix("priority=100,")
    run("ovs-ofctl", "-O", "OpenFlow13", "--strict", "del-flows", name, f"priority=100,{kept}")
    run("ovs-ofctl", "-O", "OpenFlow13", "add-flow", name, "priority=300,ip,nw_dst=10.0.0.3,actions=drop")
    run("ovs-ofctl", "-O", "OpenFlow13", "add-flow", name, "cookie=0x1230000000001,priority=301,arp,actions=output:1")
    run("ovs-vsctl", "set-controller", name, f"tcp:{controller.openflow}")
    eventually(lambda: controller.client.status()["ready"])
    assert bridges.flows("leaf1") == before


def test_a_new_controller_takes_over_running_switches(framework):
    fabric = ring(4, 1)
    demands = [Demand(FlowKey("h1", "h4", 30000, 20000), (0,), (1,))]
    with controlled(fabric, framework) as (bridges, first):
        first.client.announce("any", "shortest", demands)
        first.client.wait_ready(READY_S)
        assert_switches_do_what_is_planned(bridges, first.client)
        with running_controller(fabric, framework=framework) as second:
            for name in bridges.names.values():
                run("ovs-vsctl", "set-controller", name, f"tcp:{second.openflow}")
            second.client.wait_ready(READY_S)
            assert_switches_do_what_is_planned(bridges, second.client)  # the first one's flows are gone
            assert sum(len(bridges.flows(switch)) for switch in fabric.switches) == len(second.client.rules())


def test_strangers_are_named_and_left_alone(lab):
    bridges, controller = lab
    bridges.add_stranger(controller.openflow, 0x99)
    bridges.add_stranger(controller.openflow, 0x98, protocol="OpenFlow10")
    errors = eventually(lambda: len(errors := controller.client.status()["errors"]) >= 2 and errors)
    assert any(line == "stranger: a switch with datapath id 153 connected; ignored" for line in errors)
    assert any(re.match(r"a switch at 127.0.0.1:\d+ does not speak OpenFlow 1.3: ", line) for line in errors)
    assert controller.client.status()["ready"]
    assert run("ovs-ofctl", "-O", "OpenFlow13", "dump-flows", bridges.strangers[0]).count("actions=") == 0


def test_a_full_table_is_told_with_switch_and_rule(framework):
    fabric = leaf_spine(2, 2, 2)
    with controlled(fabric, framework) as (bridges, controller):
        spine = bridges.names["spine1"]
        run(
            *("ovs-vsctl", "--", "--id=@table", "create", "Flow_Table", "flow_limit=6", "overflow_policy=refuse"),
            *("--", "set", "Bridge", spine, "flow_tables:0=@table"),
        )
        controller.client.announce("any", "shortest", DEMANDS)
        with pytest.raises(ControllerError, match=r"switch spine1 refused to add rule \(spine1 .*OFPFMFC_TABLE_FULL"):
            controller.client.wait_ready(READY_S)
        status = controller.client.status()
        assert not status["ready"]
        assert status["switches"]["spine1"] == "installing"
        run("ovs-vsctl", "clear", "Bridge", spine, "flow_tables")
        controller.client.announce("any", "shortest", DEMANDS)
        controller.client.wait_ready(READY_S)
        assert_switches_do_what_is_planned(bridges, controller.client)


SERVER = """
import socket
listening = socket.create_server(("{ip}", 20000))
print("listening", flush=True)
connection, _ = listening.accept()
while data := connection.recv(100):
    connection.sendall(data)
"""

CLIENT = """
import socket, sys, time
connection = socket.create_connection(("{ip}", 20000), timeout=10, source_address=("{own}", 30000))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print("connected", flush=True)
import select
worst = count = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    start = time.monotonic()
    connection.sendall(b"x")
    assert connection.recv(100) == b"x"
    worst, count = max(worst, time.monotonic() - start), count + 1
print(count, worst)
"""


@contextmanager
def host_namespaces(bridges, hosts):
    """The hosts' ports in network namespaces of their own, with addresses and permanent neighbours."""
    fabric, spaces = bridges.fabric, {host: f"{bridges.tag}-{host}" for host in hosts}
    try:
        for host, space in spaces.items():
            device = bridges.device(host)
            run("ip", "netns", "add", space)
            run("ip", "link", "set", device, "netns", space)
            run("ip", "-n", space, "link", "set", device, "address", mac(fabric, host), "up")
            run("ip", "-n", space, "addr", "add", f"{ip(fabric, host)}/8", "dev", device)
            run("ip", "netns", "exec", space, "ethtool", "-K", device, "tx", "off")
            for other in hosts:
                if other != host:
                    neighbour = ["neigh", "add", ip(fabric, other), "lladdr", mac(fabric, other), "dev", device]
                    run("ip", "-n", space, *neighbour, "nud", "permanent")
        yield spaces
    finally:
        for space in spaces.values():
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


def in_space(space, program):
    command = ["ip", "netns", "exec", space, sys.executable, "-c", program]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_connection_lives_on_while_policies_change(framework):
    fabric = leaf_spine(2, 2, 2)
    key = FlowKey("h1", "h3", 30000, 20000)
    server_program = SERVER.format(ip=ip(fabric, "h3"))
    client_program = CLIENT.format(ip=ip(fabric, "h3"), own=ip(fabric, "h1"))
    with controlled(fabric, framework) as (bridges, controller), host_namespaces(bridges, ["h1", "h3"]) as spaces:
        with in_space(spaces["h3"], server_program) as server:
            try:
                assert server.stdout.readline() == "listening\n"
                with in_space(spaces["h1"], client_program) as talker:
                    try:
                        assert talker.stdout.readline() == "connected\n"
                        spines = set()
                        for policy in ("shortest", "ecmp:seed=1", "pinned", "ecmp:seed=2", "ecmp:seed=5", "shortest"):
                            controller.client.announce("any", policy, [Demand(key, (0,), (1,))])
                            controller.client.wait_ready(READY_S)
                            spines.add(controller.client.paths()[key].nodes(fabric)[2])
                        controller.client.withdraw()
                        controller.client.wait_ready(READY_S)
                        count, worst_s = talker.communicate("stop\n", timeout=20)[0].split()
                    finally:
                        talker.kill()
            finally:
                server.kill()
        assert spines == {"spine1", "spine2"}
        assert int(count) > 100
        assert float(worst_s) < 0.19  # below a retransmission timeout (200 ms): no packet was lost
        assert sum(len(bridges.flows(switch)) for switch in fabric.switches) == len(resident_rules(fabric))


ECHO = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as served:
    served.bind(("{ip}", 20000))
    print("listening", flush=True)
    while True:
        served.sendto(*served.recvfrom(100))
"""

STREAM = """
import select, socket, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.bind(("{own}", 30000))
    asking.connect(("{ip}", 20000))
    asking.setblocking(False)
    sent, back = 0, set()
    def take(wait_s):
        while select.select([asking], [], [], wait_s)[0]:
            back.add(asking.recv(100))
    while not select.select([sys.stdin], [], [], 0.001)[0]:
        asking.send(b"%d" % sent)
        sent += 1
        take(0)
    take(0.5)
    print(sent, len(back))
"""


@contextmanager
def stream(bridges, spaces, source, target):
    """Datagrams from host to host and back, a thousand a second; yields a function that ends it: (sent, came back)."""
    addresses = {"ip": ip(bridges.fabric, target), "own": ip(bridges.fabric, source)}
    with in_space(spaces[target], ECHO.format(**addresses)) as server:
        try:
            assert server.stdout.readline() == "listening\n"
            with in_space(spaces[source], STREAM.format(**addresses)) as talker:
                try:
                    yield lambda: tuple(map(int, talker.communicate("stop\n", timeout=20)[0].split()))
                finally:
                    talker.kill()
        finally:
            server.kill()


def entering(bridges, switch):
    """Packets that the ingress rules of flows counted."""
    text = run("ovs-ofctl", "-O", "OpenFlow13", "dump-flows", bridges.names[switch], "udp")
    lines = [line for line in text.splitlines() if "priority=100" in line and "02:00:00:00:00:00" in line]
    return sum(int(re.search(r"n_packets=(\d+)", line)[1]) for line in lines)


def more_packets(bridges, switch, number=300):
    before = entering(bridges, switch)
    eventually(lambda: entering(bridges, switch) >= before + number)


def test_a_controller_that_is_killed_and_starts_again_loses_no_packet_and_changes_nothing(framework):
    fabric = leaf_spine(2, 2, 2)
    key = FlowKey("h1", "h3", 30000, 20000, "udp")
    with controlled(fabric, framework) as (bridges, controller), host_namespaces(bridges, ["h1", "h3"]) as spaces:
        client = controller.client
        client.announce("any", "pinned", [Demand(key, (0,), (1,))])
        client.wait_ready(READY_S)
        before = {switch: bridges.flows(switch) for switch in fabric.switches}
        with stream(bridges, spaces, "h1", "h3") as end:
            more_packets(bridges, "leaf1")
            controller.kill()
            more_packets(bridges, "leaf1")  # without a controller the fabric goes on
            controller.restart()
            status = client.wait_ready(READY_S)
            assert (status["jobs"], status["flow_mods"], status["errors"]) == (["any"], 0, [])
            more_packets(bridges, "leaf1")
            told = eventually(lambda: client.counters()["jobs"].get("any"))
            assert told["packets"] > 300
            sent, back = end()
        assert (sent, back) == (sent, sent)
        assert {switch: bridges.flows(switch) for switch in fabric.switches} == before


def test_a_drained_link_is_left_and_taken_up_again_without_losing_a_packet(framework):
    fabric = leaf_spine(2, 2, 2)
    keys = [FlowKey("h1", "h3", 30000, 20000, "udp"), FlowKey("h2", "h4", 30000, 20000, "udp")]
    with controlled(fabric, framework) as (bridges, controller), host_namespaces(bridges, ["h1", "h3"]) as spaces:
        client = controller.client
        client.announce("any", "pinned", [Demand(key, (0,), (1,)) for key in keys])
        client.wait_ready(READY_S)
        link = fabric.link(client.paths()[keys[0]].hops[1]).name
        with stream(bridges, spaces, "h1", "h3") as end:
            more_packets(bridges, "leaf1")
            client.drain(link)
            client.wait_ready(READY_S)
            assert client.links()[link] == "drained"
            assert all(fabric.link(hop).name != link for path in client.paths().values() for hop in path.hops)
            more_packets(bridges, "leaf1")
            client.restore(link)
            client.wait_ready(READY_S)
            assert len({path.hops[2].node for path in client.paths().values()}) > 1
            more_packets(bridges, "leaf1")
            sent, back = end()
        assert (sent, back) == (sent, sent)


def test_several_jobs_come_and_go_by_themselves(lab):
    bridges, controller = lab
    client = controller.client
    client.withdraw()
    client.wait_ready(READY_S)
    resident = {switch: bridges.flows(switch) for switch in bridges.fabric.switches}
    client.add("one", "pinned", DEMANDS[:4])
    client.wait_ready(READY_S)
    alone = {switch: bridges.flows(switch) for switch in bridges.fabric.switches}
    client.add("two", "ecmp:seed=1", DEMANDS[4:], priority=1)
    client.wait_ready(READY_S)
    assert_switches_do_what_is_planned(bridges, client)
    marked = [
        line for switch in bridges.fabric.switches for line in bridges.flows(switch) if "set_field:46->ip_dscp" in line
    ]
    assert len(marked) == 2 * len(DEMANDS[4:])  # each flow and its acknowledgements, where they enter
    client.withdraw("two")
    client.wait_ready(READY_S)
    assert {switch: bridges.flows(switch) for switch in bridges.fabric.switches} == alone
    client.withdraw("one")
    client.wait_ready(READY_S)
    assert {switch: bridges.flows(switch) for switch in bridges.fabric.switches} == resident


def pki(folder):
    """An authority, and certificates of the controller and of switches, made with openssl."""
    authority = ["-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca-key.pem"]
    for name, signer in [("ca", []), ("controller", authority), ("switch", authority)]:
        run(
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", f"{folder}/{name}-key.pem", "-out", f"{folder}/{name}.pem", "-days", "2"),
            *("-subj", f"/CN={name}", *(["-addext", "subjectAltName=IP:127.0.0.1"] if signer else []), *signer),
        )


def test_tls_to_switches_and_to_programs_and_the_token(framework, tmp_path):
    pki(tmp_path)
    (tmp_path / "token").write_text("s3cret\n")
    options = [
        *("--openflow-cert", f"{tmp_path}/controller.pem", "--openflow-key", f"{tmp_path}/controller-key.pem"),
        *("--openflow-ca", f"{tmp_path}/ca.pem", "--token-file", f"{tmp_path}/token"),
        *("--tls-cert", f"{tmp_path}/controller.pem", "--tls-key", f"{tmp_path}/controller-key.pem"),
    ]
    fabric = leaf_spine(2, 1, 1)
    trust = ssl.create_default_context(cafile=f"{tmp_path}/ca.pem")
    with running_controller(fabric, framework=framework, options=options) as controller:
        with pytest.raises(ControllerError, match="no answer"):
            controller.client.status()  # not by TLS
        address = controller.client.address
        with pytest.raises(ControllerError, match="Authorization: Bearer TOKEN"):
            ControllerClient(address, tls=trust).status()
        client = ControllerClient(address, token="s3cret", tls=trust)
        client.announce("any", "pinned", [Demand(FlowKey("h1", "h2", 30000, 20000), (0,), (1,))])
        bridges = Bridges(fabric)
        try:
            bridges.create(controller.openflow)  # by tcp: turned away
            run("ovs-vsctl", "set-ssl", f"{tmp_path}/switch-key.pem", f"{tmp_path}/switch.pem", f"{tmp_path}/ca.pem")
            assert set(client.status()["switches"].values()) == {"missing"}
            for name in bridges.names.values():
                run("ovs-vsctl", "set-controller", name, f"ssl:{controller.openflow}")
            client.wait_ready(READY_S)
        finally:
            bridges.remove()
            run("ovs-vsctl", "del-ssl")
