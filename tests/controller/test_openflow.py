"""Entries as messages of both frameworks and back: by a real switch, which is free to tell them in its own words."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import warnings
from contextlib import contextmanager
from importlib import import_module

import pytest

from controller import openflow
from controller.actions import Install
from controller.rules import (
    AnswerArp,
    Bounce,
    Bucket,
    Group,
    Match,
    Output,
    Route,
    Rule,
    SetDscp,
    SetTag,
    ToGroup,
    cookie,
    flow_entries,
    resident_rules,
)
from controller.updates import Change, Command
from topologies.leaf_spine import leaf_spine
from topologies.traffic import FlowKey, Path


@pytest.fixture(scope="module", params=["ryu", "os_ken"])
def datapath(request):
    if request.param == "ryu" and sys.version_info >= (3, 12):
        pytest.skip("ryu runs up to Python 3.11")
    pytest.importorskip(request.param)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # eventlet's word on itself
        protocol = import_module(f"{request.param}.ofproto.ofproto_protocol")
        import_module(f"{request.param}.ofproto.ofproto_v1_3_parser")
    return protocol.ProtocolDesc(version=4)


def parsers(datapath):
    return import_module(datapath.ofproto_parser.__name__.rpartition(".")[0] + ".ofproto_parser")


def install(*entries, command=Command.ADD, purge=False):
    changes = tuple((number, Change(command, entry)) for number, entry in enumerate(entries, start=11))
    return Install(7, changes, 99, purge)


EVERY_KIND = (
    Group("s", 0x200403, (Bucket(1, (Output(1),)), Bucket(3, (SetTag(9), Output(3))))),
    Group("s", 0x300403, (Bucket(1, (Output(1),)), Bucket(3, (SetTag(9), Bounce())))),
    Rule("s", 0, Match(), (), cookie()),
    Rule("s", 10, Match(0x0800, ipv4_dst="10.0.0.3", tag=0), (SetTag(1), Output(3)), cookie()),
    Rule("s", 10, Match(0x0800, ipv4_dst="10.0.0.3", tag=1), (SetTag(0), Output(1)), cookie()),
    Rule("s", 10, Match(0x0806, arp_op=1), (AnswerArp(),), cookie()),
    Rule(
        "s", 100, Match(0x0800, 6, "10.0.0.1", "10.0.0.3", 3, 4, tag=0), (SetTag(8), ToGroup(0x200403)), cookie(1, 4, 1)
    ),
    Rule(
        "s", 100, Match(0x0800, 17, "10.0.0.1", "10.0.0.3", udp_src=3, udp_dst=4, tag=9), (Output(2),), cookie(1, 4, 2)
    ),
    Rule("s", 99, Match(0x0800, 17, udp_src=7, udp_dst=4791, tag=0), (SetDscp(46), SetTag(8), Output(2)), cookie(2, 3)),
)


def test_changes_become_messages_in_their_order_and_end_with_the_barrier(datapath):
    ofproto, header = datapath.ofproto, parsers(datapath).header
    content, read = openflow.encoded(datapath, install(*EVERY_KIND[1:3])), []
    while content:
        _, kind, length, xid = header(content)
        read.append((kind, xid))
        content = content[length:]
    assert read == [(ofproto.OFPT_GROUP_MOD, 11), (ofproto.OFPT_FLOW_MOD, 12), (ofproto.OFPT_BARRIER_REQUEST, 99)]


@pytest.mark.parametrize("bit", [None, 0, 7])
def test_the_purge_deletes_exactly_what_is_not_signed_as_ours(datapath, bit):
    *purge, _ = openflow.messages(datapath, install(purge=True))
    ours = cookie(3, 4, 5)
    told = ours if bit is None else ours ^ 1 << 56 + bit
    deleted = any(told & message.cookie_mask == message.cookie for message in purge)
    assert deleted == (bit is not None)
    assert all(message.table_id == datapath.ofproto.OFPTT_ALL for message in purge)


class Switch:
    """A bare bridge, spoken to in the framework's messages over a socket of our own."""

    def __init__(self, datapath, connection):
        self.datapath, self.connection = datapath, connection
        connection.settimeout(5)
        self.send(openflow.pieces([datapath.ofproto_parser.OFPHello(datapath)]))

    def send(self, content):
        self.connection.sendall(content)

    def receive(self):
        parse, head = parsers(self.datapath), self._exactly(8)
        version, kind, length, xid = parse.header(head)
        content = head + self._exactly(length - 8)
        return parse.msg(self.datapath, version, kind, length, xid, content)

    def _exactly(self, count):
        content = b""
        while len(content) < count:
            part = self.connection.recv(count - len(content))
            assert part, "the switch hung up"
            content += part
        return content

    def do(self, install):
        """Sends it, and returns the errors that come before the barrier's answer."""
        self.send(openflow.encoded(self.datapath, install))
        errors = []
        while (message := self.receive()).msg_type != self.datapath.ofproto.OFPT_BARRIER_REPLY:
            if message.msg_type == self.datapath.ofproto.OFPT_ERROR:
                message.datapath = self.datapath
                errors.append(openflow.error_reason(message))
        return errors

    def state(self):
        """The ports, groups and rules that it tells."""
        parser, told = self.datapath.ofproto_parser, {}
        self.send(openflow.pieces(openflow.state_requests(self.datapath, 5)))
        while parser.OFPFlowStatsReply not in told:
            message = self.receive()
            told.setdefault(type(message), []).extend(getattr(message, "body", None) or ())
        rules = openflow.rules(self.datapath, "s", told[parser.OFPFlowStatsReply])
        groups = openflow.groups(self.datapath, "s", told[parser.OFPGroupDescStatsReply])
        foreign = openflow.has_foreign(told[parser.OFPFlowStatsReply])
        return told[parser.OFPPortDescStatsReply], {*rules, *groups}, foreign


@contextmanager
def bare_switch(datapath):
    name = f"of{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        target = "tcp:{}:{}".format(*listening.getsockname())
        bridge = ["add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev", "fail_mode=secure"]
        bridge += ["protocols=OpenFlow13", "external_ids:ringlab=test", "other_config:disable-in-band=true"]
        try:
            subprocess.run(["ovs-vsctl", *bridge, "--", "set-controller", name, target], check=True, timeout=20)
            connection, _ = listening.accept()
            with connection:
                yield name, Switch(datapath, connection)
        finally:
            subprocess.run(["ovs-vsctl", "--if-exists", "del-br", name], check=True, timeout=20)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ovs-vsctl"), reason="needs root and Open vSwitch")
def test_a_switch_tells_entries_back_as_they_were_sent(datapath, nothing_left):
    fabric = leaf_spine(2, 2, 2)
    key = FlowKey("h1", "h3", 30000, 20000)
    by_spine1, by_spine2 = (way(fabric, key, spine) for spine in ("spine1", "spine2"))
    planned = [one for one in flow_entries(fabric, {key: Route(by_spine1, by_spine2, 4)}, 1) if one.switch == "leaf1"]
    with bare_switch(datapath) as (name, switch):
        assert switch.do(install(*EVERY_KIND)) == []
        assert switch.state()[1:] == (set(EVERY_KIND), False)
        assert switch.do(install(*EVERY_KIND)) == []  # in the place of the equal ones, groups too
        changed = Group("s", 0x200403, (Bucket(3, (Output(3),)), Bucket(1, (SetTag(9), Output(1)))))
        assert switch.do(install(changed)) == []
        assert changed in switch.state()[1]
        flow = ["ovs-ofctl", "-O", "OpenFlow13", "add-flow", name, "cookie=0x123,priority=300,in_port=1,actions=drop"]
        subprocess.run(flow, check=True, timeout=20)
        assert switch.state()[2]
        assert switch.do(install(purge=True)) == []
        assert switch.state()[2] is False
        assert switch.do(install(*reversed(EVERY_KIND), command=Command.DELETE)) == []
        assert switch.state()[1] == set()
        for entries in ([*planned, *resident_rules(fabric)],):
            assert switch.do(install(*(one for one in entries if one.switch == "leaf1"))) == []
        told = {str(entry).partition(" ")[2] for entry in switch.state()[1]}
        assert told == {str(one).partition(" ")[2] for one in entries if one.switch == "leaf1"}


def way(fabric, key, spine):
    """The path of the flow by way of ``spine``."""
    source, target = fabric.attachment(key.src).node, fabric.attachment(key.dst).node
    up = next(port for port in fabric.ports(source) if fabric.peer(port).node == spine)
    down = next(port for port in fabric.ports(spine) if fabric.peer(port).node == target)
    return Path((fabric.nic(key.src), up, down, fabric.attachment(key.dst)))
