"""OpenFlow: entries as OpenFlow 1.3 messages and back, and what switches tell as plain data.

The one file that knows how a tag looks on the wire: it is the second byte of the destination MAC address, as hosts'
addresses are 02:00 and the IP address. No header grows, so segmentation offload works on, and captures read well
(shadow MACs: Agarwal et al., HotSDN 2014). OpenFlow 1.3 can't set one byte of a field; Nicira's extension can.

The framework's parser comes along with each datapath, so this file imports neither ryu nor os_ken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from controller.actions import Install
from controller.rules import (
    INGRESS_COOKIE,
    INGRESS_COOKIE_MASK,
    SIGNATURE,
    Action,
    AnswerArp,
    Bounce,
    Bucket,
    Group,
    Match,
    Output,
    Rule,
    SetDscp,
    SetTag,
    ToGroup,
    job_of,
)
from controller.telemetry import FlowCounters, GroupCounters, PortCounters
from controller.updates import Change, Command

ARP_REPLY = 2
ADD_OR_MODIFY_GROUP = 0x8000
"""Open vSwitch's own command (OFPGC11_ADD_OR_MOD), as OpenFlow 1.3 refuses to add a group that stands."""

SIGNATURE_SHIFT = 56
TAG_MASK = "ff:ff:00:00:00:00"
TAG_FIRST_BIT, TAG_BITS = 32, 8
TAG_FIELD = "eth_dst_nxm"
"""By its Nicira header, as switches tell it back; so it is with ``_nxm`` below."""

TAG_OFS_NBITS = TAG_FIRST_BIT << 6 | TAG_BITS - 1
"""As Nicira's reg_load has them: the first bit, and the number of bits less one in the low 6 bits."""

NOT_COUNTED = 2**64 - 1

UNKNOWN = Bounce(), Bounce()
"""What stands for actions that are none of ours: no rule of ours has them, so such a rule is replaced or deleted."""


def encoded(datapath: Any, install: Install) -> bytes:
    """All messages of ``install`` as one piece: a framework's send queue is short and must not be waited for."""
    return pieces(messages(datapath, install))


def pieces(messages: Iterable[Any]) -> bytes:
    """The messages, one behind the other."""
    return b"".join(_bytes(message) for message in messages)


def messages(datapath: Any, install: Install) -> Iterator[Any]:
    """The purge, the changes with their xids, and the barrier."""
    if install.purge:
        for message in _purge(datapath):
            yield _numbered(message, install.barrier_xid)
    for xid, change in install.changes:
        is_group = isinstance(change.entry, Group)
        yield _numbered((_group_mod if is_group else _flow_mod)(datapath, change), xid)
    yield _numbered(datapath.ofproto_parser.OFPBarrierRequest(datapath), install.barrier_xid)


def state_requests(datapath: Any, xid: int) -> Iterator[Any]:
    """Asks for the ports, the groups and the rules, in this order, all with the same ``xid``."""
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    yield _numbered(parser.OFPPortDescStatsRequest(datapath, 0), xid)
    yield _numbered(parser.OFPGroupDescStatsRequest(datapath, 0), xid)
    yield _numbered(
        parser.OFPFlowStatsRequest(
            datapath, 0, ofproto.OFPTT_ALL, ofproto.OFPP_ANY, ofproto.OFPG_ANY, 0, 0, parser.OFPMatch()
        ),
        xid,
    )


def counter_requests(datapath: Any, xid: int) -> Iterator[Any]:
    """Asks what ports, ingress rules of flows, and groups counted, in this order, all with the same ``xid``."""
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    anywhere = ofproto.OFPTT_ALL, ofproto.OFPP_ANY, ofproto.OFPG_ANY
    ingress = INGRESS_COOKIE, INGRESS_COOKIE_MASK
    yield _numbered(parser.OFPPortStatsRequest(datapath, 0, ofproto.OFPP_ANY), xid)
    yield _numbered(parser.OFPFlowStatsRequest(datapath, 0, *anywhere, *ingress, parser.OFPMatch()), xid)
    yield _numbered(parser.OFPGroupStatsRequest(datapath, 0, ofproto.OFPG_ALL), xid)


def _purge(datapath: Any) -> Iterator[Any]:
    """Deletes every rule not signed as ours: one message for each bit, as a mask can only ask for equal bits."""
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    for bit in range(SIGNATURE_SHIFT, 64):
        mask = 1 << bit
        yield parser.OFPFlowMod(
            datapath,
            cookie=~(SIGNATURE << SIGNATURE_SHIFT) & mask,
            cookie_mask=mask,
            table_id=ofproto.OFPTT_ALL,
            command=ofproto.OFPFC_DELETE,
            out_port=ofproto.OFPP_ANY,
            out_group=ofproto.OFPG_ANY,
            match=parser.OFPMatch(),
        )


# Entries to messages.


def _flow_mod(datapath: Any, change: Change) -> Any:
    ofproto, parser, rule = datapath.ofproto, datapath.ofproto_parser, change.entry
    assert isinstance(rule, Rule)
    adds = change.command is Command.ADD
    instructions = []  # an entry without instructions drops
    if adds and rule.actions:
        actions = [one for action in rule.actions for one in _actions(datapath, action)]
        instructions = [parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, actions)]
    return parser.OFPFlowMod(
        datapath,
        cookie=rule.cookie,
        command=ofproto.OFPFC_ADD if adds else ofproto.OFPFC_DELETE_STRICT,
        priority=rule.priority,
        match=_match(datapath, rule.match),
        out_port=ofproto.OFPP_ANY,
        out_group=ofproto.OFPG_ANY,
        instructions=instructions,
    )


def _match(datapath: Any, match: Match) -> Any:
    fields: dict[str, Any] = match.fields()
    tag = fields.pop("tag", None)
    if tag is not None:
        fields["eth_dst"] = f"02:{tag:02x}:00:00:00:00", TAG_MASK
    return datapath.ofproto_parser.OFPMatch(**fields)


def _group_mod(datapath: Any, change: Change) -> Any:
    ofproto, parser, group = datapath.ofproto, datapath.ofproto_parser, change.entry
    assert isinstance(group, Group)
    adds = change.command is Command.ADD
    buckets = [_bucket(datapath, bucket) for bucket in group.buckets] if adds else []
    command = ADD_OR_MODIFY_GROUP if adds else ofproto.OFPGC_DELETE
    return parser.OFPGroupMod(datapath, command, ofproto.OFPGT_FF, group.number, buckets)


def _bucket(datapath: Any, bucket: Bucket) -> Any:
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    actions = [one for action in bucket.actions for one in _actions(datapath, action)]
    return parser.OFPBucket(weight=0, watch_port=bucket.watch_port, watch_group=ofproto.OFPG_ANY, actions=actions)


def _actions(datapath: Any, action: Action) -> list[Any]:
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    match action:
        case Output(port):
            return [parser.OFPActionOutput(port)]
        case Bounce():
            return [parser.OFPActionOutput(ofproto.OFPP_IN_PORT)]
        case SetTag(tag):
            return [parser.NXActionRegLoad(ofs_nbits=TAG_OFS_NBITS, dst=TAG_FIELD, value=tag)]
        case SetDscp(dscp):
            return [parser.OFPActionSetField(ip_dscp=dscp)]
        case ToGroup(group):
            return [parser.OFPActionGroup(group)]
        case AnswerArp():
            return _arp_answer(datapath)


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
            move(src_field="arp_tpa_nxm", dst_field=f"{field}_nxm", n_bits=32),
        )
    ]
    return [
        parser.OFPActionSetField(arp_op=ARP_REPLY),
        move(src_field="eth_src_nxm", dst_field="eth_dst_nxm", n_bits=48),
        move(src_field="arp_sha_nxm", dst_field="arp_tha_nxm", n_bits=48),
        *mac_of_asked,
        move(src_field="arp_tpa_nxm", dst_field="reg0", n_bits=32),
        move(src_field="arp_spa_nxm", dst_field="arp_tpa_nxm", n_bits=32),
        move(src_field="reg0", dst_field="arp_spa_nxm", n_bits=32),
        parser.OFPActionOutput(ofproto.OFPP_IN_PORT),
    ]


def _numbered(message: Any, xid: int) -> Any:
    message.set_xid(xid)
    return message


def _bytes(message: Any) -> bytes:
    message.serialize()
    return bytes(message.buf)


# Messages to entries.


def rules(datapath: Any, switch: str, stats: Iterable[Any]) -> Iterator[Rule]:
    """The rules of a flow-stats reply's ``body`` that are signed as ours; see ``has_foreign``."""
    for one in stats:
        if job_of(one.cookie) is not None:
            actions = _rule_actions(datapath, one.instructions)
            yield Rule(switch, one.priority, _match_of(one.match), actions, one.cookie)


def has_foreign(stats: Iterable[Any]) -> bool:
    """Whether a flow-stats reply's ``body`` holds rules of others: they are purged, as ours might never be met."""
    return any(job_of(one.cookie) is None for one in stats)


def groups(datapath: Any, switch: str, stats: Iterable[Any]) -> Iterator[Group]:
    """The groups of a group-description reply's ``body``."""
    for one in stats:
        buckets = (Bucket(bucket.watch_port, _actions_of(datapath, bucket.actions)) for bucket in one.buckets)
        fast = one.type == datapath.ofproto.OFPGT_FF
        yield Group(switch, one.group_id, tuple(buckets) if fast else ())


def port_counters(datapath: Any, stats: Iterable[Any]) -> Iterator[PortCounters]:
    """The counters of a port-stats reply's ``body``; what a switch can't count is 0."""
    for one in stats:
        if is_ordinary(datapath, one):
            counts = (getattr(one, name) for name in PortCounters.__dataclass_fields__ if name != "port")
            yield PortCounters(one.port_no, *(0 if count == NOT_COUNTED else count for count in counts))


def flow_counters(stats: Iterable[Any]) -> Iterator[FlowCounters]:
    """The counters of a flow-stats reply's ``body``."""
    return (FlowCounters(one.cookie, one.packet_count, one.byte_count) for one in stats)


def group_counters(stats: Iterable[Any]) -> Iterator[GroupCounters]:
    """The counters of a group-stats reply's ``body``."""
    for one in stats:
        yield GroupCounters(one.group_id, tuple(bucket.packet_count for bucket in one.bucket_stats))


def _match_of(match: Any) -> Match:
    fields = dict(match.items())
    tag = fields.pop("eth_dst", None)
    known = {name: value for name, value in fields.items() if name in Match.__dataclass_fields__}
    if isinstance(tag, tuple) and tag[1] == TAG_MASK:
        known["tag"] = int(tag[0].split(":")[1], 16)
    return Match(**known)


def _rule_actions(datapath: Any, instructions: Iterable[Any]) -> tuple[Action, ...]:
    found: list[Any] = []
    for instruction in instructions:
        if instruction.type != datapath.ofproto.OFPIT_APPLY_ACTIONS:
            return UNKNOWN
        found += instruction.actions
    return _actions_of(datapath, found)


def _actions_of(datapath: Any, actions: list[Any]) -> tuple[Action, ...]:
    if len(actions) > 1 and _same(actions, _arp_answer(datapath)):
        return (AnswerArp(),)
    read = [_action_of(datapath, action) for action in actions]
    return UNKNOWN if None in read else tuple(one for one in read if one is not None)


def _same(actions: list[Any], others: list[Any]) -> bool:
    """Whether both are the same on the wire."""
    return [_action_bytes(action) for action in actions] == [_action_bytes(other) for other in others]


def _action_bytes(action: Any) -> bytes:
    buffer = bytearray()
    action.serialize(buffer, 0)
    return bytes(buffer)


def _action_of(datapath: Any, action: Any) -> Action | None:
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    if isinstance(action, parser.OFPActionOutput):
        return Bounce() if action.port == ofproto.OFPP_IN_PORT else Output(action.port)
    if isinstance(action, parser.OFPActionGroup):
        return ToGroup(action.group_id)
    if isinstance(action, parser.NXActionRegLoad):
        is_tag = action.dst == TAG_FIELD and action.ofs_nbits == TAG_OFS_NBITS
        return SetTag(action.value) if is_tag else None
    if isinstance(action, parser.OFPActionSetField) and action.key == "ip_dscp":
        return SetDscp(action.value)
    return None


def is_alive(datapath: Any, port: Any) -> bool:
    """Whether a port of a description or a status message can carry packets; BFD takes its LIVE bit, too."""
    ofproto = datapath.ofproto
    down = port.config & ofproto.OFPPC_PORT_DOWN or port.state & ofproto.OFPPS_LINK_DOWN
    return not down and bool(port.state & ofproto.OFPPS_LIVE)


def is_ordinary(datapath: Any, port: Any) -> bool:
    """Whether it is a port with a number of its own, and not the switch itself."""
    return bool(port.port_no <= datapath.ofproto.OFPP_MAX)


def has_more(message: Any) -> bool:
    """Whether a multipart reply is not the last of its kind."""
    return bool(message.flags & message.datapath.ofproto.OFPMPF_REPLY_MORE)


def error_reason(message: Any) -> str:
    """An error message's type and code by their names: ``OFPET_FLOW_MOD_FAILED(5) OFPFMFC_TABLE_FULL(1)``."""
    ofproto = message.datapath.ofproto
    kind = ofproto.ofp_error_type_to_str(message.type)
    code = ofproto.ofp_error_code_to_str(message.type, message.code)
    return f"{kind} {code}"
