"""App: the Ryu app. Messages become events, actions become messages, requests become answers; no decisions here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

from controller import events, northbound, openflow
from controller.actions import Action, Alarm, Install, Log, ReadState, Save
from controller.core import Controller
from controller.framework import Framework, handshakes
from controller.job_request import Expand, RequestError
from controller.rules import Entry
from controller.telemetry import FlowCounters, GroupCounters, PortCounters
from topologies.addressing import dpid

LOG = logging.getLogger("controller")
OPENFLOW_13 = 4  # its version on the wire

POLL_XID = 0x80000000
"""Of requests for counters; those for a switch's state have 0, and the core's messages have lower ones."""

HANDSHAKE_S = 10.0
"""How long a TLS handshake may take."""

POLL_PATIENCE_S = 5.0
"""How long a switch may take to tell its counters until it is asked again."""


@dataclass(slots=True)
class _Link:
    """A switch's connection, the queue of what is to be sent on it, and the thread that sends.

    ``reading`` is what the switch has told so far of its state.
    """

    connection: int
    outbox: Any
    sender: Any
    reading: _Reading
    counting: _Counting | None = None


@dataclass(slots=True)
class _Reading:
    """Replies to ``openflow.state_requests``: they come in parts, the ports first and the rules last."""

    entries: list[Entry] = field(default_factory=list)
    down_ports: set[int] = field(default_factory=set)
    foreign: bool = False


@dataclass(slots=True)
class _Counting:
    """Replies to ``openflow.counter_requests``, asked for at ``since``: the groups come last."""

    since: float
    ports: list[PortCounters] = field(default_factory=list)
    flows: list[FlowCounters] = field(default_factory=list)
    groups: list[GroupCounters] = field(default_factory=list)


class Shell:
    """Carries events to the core and its actions out; what the app's handlers and the northbound face share."""

    def __init__(
        self, framework: Framework, core: Controller, expand: Expand, state_file: Path | None = None, token: str = ""
    ) -> None:
        """``expand``: see ``northbound.Face``; without a ``token`` every request is served."""
        self._framework, self._core, self._state_file = framework, core, state_file
        self._face = northbound.Face(core, str(framework), expand, token)
        self._links: dict[Any, _Link] = {}
        self._numbers = count(1)
        self._changed = framework.eventlet.Event()
        self._names = {dpid(core.fabric, switch): switch for switch in core.fabric.switches}

    def connected(self, datapath: Any) -> None:
        outbox = self._framework.hub.Queue()
        sender = self._framework.hub.spawn(_send, datapath, outbox)
        self._links[datapath] = link = _Link(next(self._numbers), outbox, sender, _Reading())
        self.tell(events.SwitchUp(datapath.id, link.connection))

    def disconnected(self, datapath: Any) -> None:
        link = self._links.pop(datapath, None)
        if link is not None:  # else it never came to its features
            self._framework.hub.kill(link.sender)
            self.tell(events.SwitchDown(datapath.id, link.connection))

    def answered(self, datapath: Any, xid: int) -> None:
        if datapath in self._links:
            self.tell(events.BarrierReply(datapath.id, self._links[datapath].connection, xid))

    def refused(self, datapath: Any, xid: int, reason: str) -> None:
        if datapath in self._links:
            self.tell(events.SwitchError(datapath.id, self._links[datapath].connection, xid, reason))

    def turned_away(self, peer: str, reason: str) -> None:
        self.tell(events.HandshakeFailed(peer, reason))

    def port_changed(self, datapath: Any, port: Any, alive: bool) -> None:
        if datapath in self._links and openflow.is_ordinary(datapath, port):
            self.tell(events.PortChanged(datapath.id, self._links[datapath].connection, port.port_no, alive))

    def ports_told(self, datapath: Any, ports: Iterable[Any]) -> None:
        if datapath in self._links:
            ordinary = (port for port in ports if openflow.is_ordinary(datapath, port))
            down = (port.port_no for port in ordinary if not openflow.is_alive(datapath, port))
            self._links[datapath].reading.down_ports.update(down)

    def groups_told(self, datapath: Any, stats: Iterable[Any]) -> None:
        if datapath in self._links and datapath.id in self._names:
            entries = openflow.groups(datapath, self._names[datapath.id], stats)
            self._links[datapath].reading.entries.extend(entries)

    def rules_told(self, datapath: Any, stats: Sequence[Any], more: bool) -> None:
        link = self._links.get(datapath)
        if link is None or datapath.id not in self._names:
            return
        reading = link.reading
        reading.entries.extend(openflow.rules(datapath, self._names[datapath.id], stats))
        reading.foreign = reading.foreign or openflow.has_foreign(stats)
        if not more:
            entries, down = tuple(reading.entries), frozenset(reading.down_ports)
            self.tell(events.SwitchState(datapath.id, link.connection, entries, down, reading.foreign))

    def poll(self, every_s: float) -> None:
        """Asks all switches for their counters again and again; one that has not answered yet is not asked anew."""
        while True:
            self._framework.hub.sleep(every_s)
            now = time.monotonic()
            for datapath, link in list(self._links.items()):
                if link.counting is None or now - link.counting.since > max(POLL_PATIENCE_S, every_s):
                    link.counting = _Counting(now)
                    link.outbox.put(openflow.pieces(openflow.counter_requests(datapath, POLL_XID)))

    def counters_told(self, message: Any) -> None:
        """A part of a switch's answer to ``poll``."""
        datapath, parser = message.datapath, message.datapath.ofproto_parser
        link = self._links.get(datapath)
        if link is None or link.counting is None:
            return
        counting = link.counting
        if isinstance(message, parser.OFPPortStatsReply):
            counting.ports.extend(openflow.port_counters(datapath, message.body))
        elif isinstance(message, parser.OFPFlowStatsReply):
            counting.flows.extend(openflow.flow_counters(message.body))
        else:
            counting.groups.extend(openflow.group_counters(message.body))
            if not openflow.has_more(message):
                link.counting = None
                told = events.CountersRead(
                    datapath.id, link.connection, counting.ports, counting.flows, counting.groups
                )
                self._core.handle(told, time.monotonic())  # changes nothing that anybody waits for

    def tell(self, event: events.Event) -> None:
        """Hands the event to the core, does what it answers, and wakes whoever waits for a change."""
        links = {link.connection: (datapath, link) for datapath, link in self._links.items()}
        for action in self._core.handle(event, time.monotonic()):
            self._do(action, links)
        changed, self._changed = self._changed, self._framework.eventlet.Event()
        changed.send()

    def _do(self, action: Action, links: Mapping[int, tuple[Any, _Link]]) -> None:
        match action:
            case Install():
                datapath, link = links[action.connection]
                link.outbox.put(openflow.encoded(datapath, action))
            case ReadState():
                datapath, link = links[action.connection]
                link.reading = _Reading()
                link.outbox.put(openflow.pieces(openflow.state_requests(datapath, 0)))
            case Alarm():
                self._framework.hub.spawn_after(action.delay_s, self.tell, events.Tick())
            case Save():
                self._write(action.text)
            case Log():
                LOG.log(logging.WARNING if action.error else logging.INFO, action.line)

    def _write(self, text: str) -> None:
        """Writes the state file anew beside the old one and puts it in its place: whole, or not at all."""
        if self._state_file is not None:
            beside = self._state_file.with_name(self._state_file.name + ".new")
            beside.unlink(missing_ok=True)
            beside.touch(mode=0o600, exist_ok=False)  # nobody else's file, or link
            beside.write_text(text, encoding="utf-8")
            beside.replace(self._state_file)

    def failed(self, where: str, error: Exception) -> None:
        """Logs and counts what our own code raised."""
        LOG.error("%s failed", where, exc_info=error)
        self.tell(events.HandlerFailed(f"{where}: {type(error).__name__}: {error}"))

    def answer(self, method: str, target: str, authorization: str, read: Callable[[int], bytes]) -> northbound.Answer:
        """The northbound answer, held back while the request asks for that; the body is read if need be."""
        refusal = northbound.refusal(self._face, target, authorization)
        if refusal is not None:
            return refusal
        body = read(northbound.MAX_BODY_BYTES + 1)
        try:
            self._hold(northbound.wait_of(method, target))
        except RequestError as error:
            return northbound.Answer(400, {"error": str(error)})
        answer = northbound.handle(method, target, body, self._face, time.monotonic())
        if answer.event is not None:
            self.tell(answer.event)
        return answer

    def _hold(self, wait: northbound.Wait | None) -> None:
        deadline = time.monotonic() + (wait.timeout_s if wait else 0)
        while wait and not wait.over(self._core) and (left := deadline - time.monotonic()) > 0:
            with self._framework.eventlet.Timeout(left, exception=False):
                self._changed.wait()


def _send(datapath: Any, outbox: Any) -> None:
    while True:
        datapath.send(outbox.get())


Handler = Callable[[Any, Any], None]


def _guarded(handler: Handler) -> Handler:
    """A handler that tells what it raises, so that it is logged and counted, and leaves the event loop alive."""

    @wraps(handler)
    def guard(self: Any, event: Any) -> None:
        try:
            handler(self, event)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self.shell.failed(handler.__name__, error)

    return guard


def ryu_app(framework: Framework) -> Any:  # noqa: C901 - a list of handlers, each of one line or two
    """The app's class, a subclass of the framework's."""
    base: Any = framework.app_class
    ofp_event = framework.ofp_event
    main, dead = framework.handler.MAIN_DISPATCHER, framework.handler.DEAD_DISPATCHER
    handles: Callable[..., Callable[[Handler], Handler]] = framework.handler.set_ev_cls

    class RinglabController(base):  # type: ignore[misc] # the framework has no types
        OFP_VERSIONS = (OPENFLOW_13,)

        def __init__(self, shell: Shell) -> None:
            super().__init__()
            self.shell = shell

        @handles(ofp_event.EventOFPStateChange, [main, dead])
        @_guarded
        def on_state_change(self, event: Any) -> None:
            change = self.shell.connected if event.state == main else self.shell.disconnected
            change(event.datapath)

        @handles(ofp_event.EventOFPBarrierReply, main)
        @_guarded
        def on_barrier_reply(self, event: Any) -> None:
            self.shell.answered(event.msg.datapath, event.msg.xid)

        @handles(ofp_event.EventOFPErrorMsg, main)
        @_guarded
        def on_error(self, event: Any) -> None:
            self.shell.refused(event.msg.datapath, event.msg.xid, openflow.error_reason(event.msg))

        @handles(ofp_event.EventOFPPortStatus, main)
        @_guarded
        def on_port_status(self, event: Any) -> None:
            message = event.msg
            gone = message.reason == message.datapath.ofproto.OFPPR_DELETE
            alive = not gone and openflow.is_alive(message.datapath, message.desc)
            self.shell.port_changed(message.datapath, message.desc, alive)

        @handles(ofp_event.EventOFPPortDescStatsReply, main)
        @_guarded
        def on_ports(self, event: Any) -> None:
            self.shell.ports_told(event.msg.datapath, event.msg.body)

        @handles(ofp_event.EventOFPGroupDescStatsReply, main)
        @_guarded
        def on_groups(self, event: Any) -> None:
            self.shell.groups_told(event.msg.datapath, event.msg.body)

        @handles(ofp_event.EventOFPFlowStatsReply, main)
        @_guarded
        def on_rules(self, event: Any) -> None:
            message = event.msg
            if message.xid == POLL_XID:
                self.shell.counters_told(message)
            else:
                self.shell.rules_told(message.datapath, message.body, openflow.has_more(message))

        @handles([ofp_event.EventOFPPortStatsReply, ofp_event.EventOFPGroupStatsReply], main)
        @_guarded
        def on_counters(self, event: Any) -> None:
            self.shell.counters_told(event.msg)

    return RinglabController


def serve(framework: Framework, shell: Shell, openflow_socket: Any, northbound_socket: Any, poll_s: float) -> None:
    """Starts to serve both listening sockets, in threads of the framework's hub; counters are read each ``poll_s``."""
    manager = framework.app_manager
    parts = (
        manager.instantiate(handshakes(framework, shell.turned_away)),
        manager.instantiate(ryu_app(framework), shell),
    )
    for part in parts:
        part.start()
    framework.hub.spawn(_accept, framework, openflow_socket)
    if poll_s:
        framework.hub.spawn(shell.poll, poll_s)
    framework.hub.spawn(framework.eventlet.wsgi.server, northbound_socket, _site(shell), log=LOG, log_output=False)


def _accept(framework: Framework, listening: Any) -> None:
    while True:
        try:
            connection, address = listening.accept()
        except OSError as error:  # out of files; a switch tries again
            LOG.warning("a switch could not connect: %s", error)
            framework.hub.sleep(0.1)
        else:
            framework.hub.spawn(_talk, framework, connection, address)


def _talk(framework: Framework, connection: Any, address: Any) -> None:
    """A switch's connection from its first byte to its last; by TLS, the handshake is before all else."""
    try:
        framework.shake_hands(connection, HANDSHAKE_S)
    except OSError as error:  # ssl.SSLError is one
        LOG.warning("a switch at %s did not pass the TLS handshake: %s", address[0], error)
        connection.close()
    else:
        framework.datapath_factory(connection, address)


def _site(shell: Shell) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """The northbound face as a WSGI application."""

    def site(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # WSGI gives the path's bytes as Latin-1, and gives them unquoted.
        target = f"{quote(environ['PATH_INFO'].encode('latin-1'))}?{environ.get('QUERY_STRING', '')}"
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        try:
            answer = shell.answer(environ["REQUEST_METHOD"], target, authorization, environ["wsgi.input"].read)
        except Exception as error:  # noqa: BLE001 - answered, logged and counted
            shell.failed("northbound", error)
            answer = northbound.Answer(500, {"error": f"fault of the controller: {type(error).__name__}: {error}"})
        content = answer.content()
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(content))), *answer.headers]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [content]

    return site
