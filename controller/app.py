"""App: the Ryu app. Messages become events, actions become messages, requests become answers; no decisions here."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable
from functools import wraps
from http import HTTPStatus
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import quote

from controller import events, northbound, openflow
from controller.actions import Alarm, Install
from controller.core import Controller
from controller.framework import Framework, handshakes
from controller.job_request import RequestError

LOG = logging.getLogger("controller")
OPENFLOW_13 = 4  # its version on the wire


class _Link(NamedTuple):
    """A switch's connection, the queue of what is to be sent on it, and the thread that sends."""

    connection: int
    outbox: Any
    sender: Any


class Shell:
    """Carries events to the core and its actions out; what the app's handlers and the northbound face share."""

    def __init__(self, framework: Framework, core: Controller, first_connection: int) -> None:
        self._framework, self._core = framework, core
        self._links: dict[Any, _Link] = {}
        self._numbers = count(first_connection)
        self._changed = framework.eventlet.Event()

    def connected(self, datapath: Any) -> None:
        outbox = self._framework.hub.Queue()
        sender = self._framework.hub.spawn(_send, datapath, outbox)
        self._links[datapath] = link = _Link(next(self._numbers), outbox, sender)
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

    def tell(self, event: events.Event) -> None:
        """Hands the event to the core, does what it answers, and wakes whoever waits for a change."""
        links = {link.connection: (datapath, link) for datapath, link in self._links.items()}
        for action in self._core.handle(event, time.monotonic()):
            if isinstance(action, Install):
                datapath, link = links[action.connection]
                link.outbox.put(openflow.encoded(datapath, action))
            elif isinstance(action, Alarm):
                self._framework.hub.spawn_after(action.delay_s, self.tell, events.Tick())
            else:
                LOG.log(logging.WARNING if action.error else logging.INFO, action.line)
        changed, self._changed = self._changed, self._framework.eventlet.Event()
        changed.send()

    def failed(self, where: str, error: Exception) -> None:
        """Logs and counts what our own code raised."""
        LOG.error("%s failed", where, exc_info=error)
        self.tell(events.HandlerFailed(f"{where}: {type(error).__name__}: {error}"))

    def answer(self, method: str, target: str, body: bytes) -> northbound.Answer:
        """The northbound answer, held back while the request asks for that."""
        try:
            self._hold(northbound.wait_of(method, target))
        except RequestError as error:
            return northbound.Answer(400, {"error": str(error)})
        answer = northbound.handle(method, target, body, self._core, str(self._framework))
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


def ryu_app(framework: Framework) -> Any:
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

    return RinglabController


def serve(framework: Framework, shell: Shell, openflow_socket: Any, northbound_socket: Any) -> None:
    """Starts to serve both listening sockets, in threads of the framework's hub."""
    manager = framework.app_manager
    parts = (
        manager.instantiate(handshakes(framework, shell.turned_away)),
        manager.instantiate(ryu_app(framework), shell),
    )
    for part in parts:
        part.start()
    framework.hub.spawn(_accept, framework, openflow_socket)
    framework.hub.spawn(framework.eventlet.wsgi.server, northbound_socket, _site(shell), log=LOG, log_output=False)


def _accept(framework: Framework, listening: Any) -> None:
    while True:
        try:
            connection, address = listening.accept()
        except OSError as error:  # out of files; a switch tries again
            LOG.warning("a switch could not connect: %s", error)
            framework.hub.sleep(0.1)
        else:
            framework.hub.spawn(framework.datapath_factory, connection, address)


def _site(shell: Shell) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """The northbound face as a WSGI application."""

    def site(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        target = f"{quote(environ['PATH_INFO'])}?{environ.get('QUERY_STRING', '')}"
        try:
            body = environ["wsgi.input"].read(northbound.MAX_BODY_BYTES + 1)
            answer = shell.answer(environ["REQUEST_METHOD"], target, body)
        except Exception as error:  # noqa: BLE001 - answered, logged and counted
            shell.failed("northbound", error)
            answer = northbound.Answer(500, {"error": f"fault of the controller: {type(error).__name__}: {error}"})
        content = json.dumps(answer.body).encode() + b"\n"
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content))), *answer.headers]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [content]

    return site
