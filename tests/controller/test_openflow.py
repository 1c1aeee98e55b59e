"""Messages of both frameworks, read back from their bytes."""

from __future__ import annotations

import warnings
from importlib import import_module

import pytest

from controller.actions import Install
from controller.openflow import encoded, messages
from controller.rules import Change, Command, Match, Rule

EXACT = Match(0x0800, 6, "10.0.0.1", "10.0.0.3", 30000, 20000)
STAMP = 0xABCDEF


@pytest.fixture(scope="module", params=["ryu", "os_ken"])
def datapath(request):
    pytest.importorskip(request.param)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # eventlet's word on itself
        protocol = import_module(f"{request.param}.ofproto.ofproto_protocol")
    return protocol.ProtocolDesc(version=4)


def read_back(datapath, install):
    header = import_module(datapath.ofproto_parser.__name__.rpartition(".")[0] + ".ofproto_parser").header
    content, read = encoded(datapath, install), []
    while content:
        _, kind, length, xid = header(content)
        read.append((kind, xid, content[:length]))
        content = content[length:]
    return read


def test_rules_become_flow_mods_and_end_with_the_barrier(datapath):
    ofproto = datapath.ofproto
    add = Change(Command.ADD, Rule("leaf1", 100, EXACT, 3, cookie=0x1000002))
    drop = Change(Command.ADD, Rule("leaf1", 0, Match(), None))
    delete = Change(Command.DELETE, Rule("leaf1", 100, EXACT, 4))
    install = Install(7, STAMP, ((11, add), (12, drop), (13, delete)), purge=False, barrier_xid=14)
    one, two, three, barrier = messages(datapath, install)
    assert [message.command for message in (one, two, three)] == [
        ofproto.OFPFC_ADD,
        ofproto.OFPFC_ADD,
        ofproto.OFPFC_DELETE_STRICT,
    ]
    assert one.cookie == 0xABCDEF << 40 | 0x1000002
    assert (one.priority, one.idle_timeout, one.hard_timeout, one.table_id) == (100, 0, 0, 0)
    assert dict(one.match.items()) == EXACT.fields()
    assert [(action.port, action.max_len != 0) for action in one.instructions[0].actions] == [(3, True)]
    assert two.instructions == []
    assert dict(two.match.items()) == {}
    assert three.instructions == []
    assert (three.out_port, three.out_group) == (ofproto.OFPP_ANY, ofproto.OFPG_ANY)
    assert barrier.xid == 14
    flow_mod, request = ofproto.OFPT_FLOW_MOD, ofproto.OFPT_BARRIER_REQUEST
    sent = read_back(datapath, install)
    assert [(kind, xid) for kind, xid, _ in sent] == [(flow_mod, 11), (flow_mod, 12), (flow_mod, 13), (request, 14)]


@pytest.mark.parametrize("stamp", [1, STAMP, 0xFFFFFF, 0x800000])
def test_the_purge_deletes_exactly_what_carries_another_stamp(datapath, stamp):
    *purge, _ = messages(datapath, Install(7, stamp, (), purge=True, barrier_xid=1))
    assert len(purge) == 24
    for message in purge:
        assert message.command == datapath.ofproto.OFPFC_DELETE
        assert message.table_id == datapath.ofproto.OFPTT_ALL
    low = 0x1234567890
    for other in (0, stamp, stamp ^ 1, stamp ^ 0x800000, stamp ^ 0xFFFFFF, 0x123456):
        cookie = other << 40 | low
        deleted = any(cookie & message.cookie_mask == message.cookie for message in purge)
        assert deleted == (other != stamp)
