"""OpenFlow: actions as OpenFlow 1.3 messages, and the framework's messages as events' reasons.

The framework's parser comes along with each datapath, so this file imports neither ryu nor os_ken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controller.actions import Install
from controller.core import STAMP_BITS
from controller.rules import Change, Command, Rule

STAMP_SHIFT = 64 - STAMP_BITS
ARP_REPLY = 2


def encoded(datapath: Any, install: Install) -> bytes:
    """All messages of ``install`` as one piece: a framework's send queue is short and must not be waited for."""
    return b"".join(_bytes(message) for message in messages(datapath, install))


def messages(datapath: Any, install: Install) -> Iterator[Any]:
    """The flow-mods with their xids, the purge, and the barrier."""
    for xid, change in install.changes:
        yield _numbered(flow_mod(datapath, change, install.stamp), xid)
    if install.purge:
        for message in _purge(datapath, install.stamp):
            yield _numbered(message, install.barrier_xid)
    yield _numbered(datapath.ofproto_parser.OFPBarrierRequest(datapath), install.barrier_xid)


def flow_mod(datapath: Any, change: Change, stamp: int) -> Any:
    ofproto, parser, rule = datapath.ofproto, datapath.ofproto_parser, change.rule
    adds = change.command is Command.ADD
    return parser.OFPFlowMod(
        datapath,
        cookie=stamp << STAMP_SHIFT | rule.cookie,
        command=ofproto.OFPFC_ADD if adds else ofproto.OFPFC_DELETE_STRICT,
        priority=rule.priority,
        match=parser.OFPMatch(**rule.match.fields()),
        out_port=ofproto.OFPP_ANY,
        out_group=ofproto.OFPG_ANY,
        instructions=_instructions(datapath, rule) if adds else [],
    )


def _instructions(datapath: Any, rule: Rule) -> list[Any]:
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    if rule.answers_arp:
        actions = _arp_answer(datapath)
    elif rule.out_port is None:
        return []  # an entry without instructions drops
    else:
        actions = [parser.OFPActionOutput(rule.out_port)]
    return [parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, actions)]


def _arp_answer(datapath: Any) -> list[Any]:
    """An ARP request becomes its answer and goes back: who asks is asked for, and a MAC address is 02:00 and the IP.

    OpenFlow 1.3 cannot copy fields; Nicira's extension can, and both frameworks speak it.
    """
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    move = parser.NXActionRegMove
    mac_of_asked = [
        action
        for field in ("eth_src", "arp_sha")
        for action in (
            parser.OFPActionSetField(**{field: "02:00:00:00:00:00"}),
            move(src_field="arp_tpa", dst_field=field, n_bits=32),
        )
    ]
    return [
        parser.OFPActionSetField(arp_op=ARP_REPLY),
        move(src_field="eth_src", dst_field="eth_dst", n_bits=48),
        move(src_field="arp_sha", dst_field="arp_tha", n_bits=48),
        *mac_of_asked,
        move(src_field="arp_tpa", dst_field="reg0", n_bits=32),
        move(src_field="arp_spa", dst_field="arp_tpa", n_bits=32),
        move(src_field="reg0", dst_field="arp_spa", n_bits=32),
        parser.OFPActionOutput(ofproto.OFPP_IN_PORT),
    ]


def _purge(datapath: Any, stamp: int) -> Iterator[Any]:
    """Deletes every rule whose stamp differs: one message for each bit, as a mask can only ask for equal bits."""
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    for bit in range(STAMP_SHIFT, 64):
        mask = 1 << bit
        yield parser.OFPFlowMod(
            datapath,
            cookie=~(stamp << STAMP_SHIFT) & mask,
            cookie_mask=mask,
            table_id=ofproto.OFPTT_ALL,
            command=ofproto.OFPFC_DELETE,
            out_port=ofproto.OFPP_ANY,
            out_group=ofproto.OFPG_ANY,
            match=parser.OFPMatch(),
        )


def _numbered(message: Any, xid: int) -> Any:
    message.set_xid(xid)
    return message


def _bytes(message: Any) -> bytes:
    message.serialize()
    return bytes(message.buf)


def error_reason(message: Any) -> str:
    """An error message's type and code by their names: ``OFPET_FLOW_MOD_FAILED(5) OFPFMFC_TABLE_FULL(1)``."""
    ofproto = message.datapath.ofproto
    kind = ofproto.ofp_error_type_to_str(message.type)
    code = ofproto.ofp_error_code_to_str(message.type, message.code)
    return f"{kind} {code}"
