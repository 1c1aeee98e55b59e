"""Framework: the one place that picks ryu or os_ken, and makes it run here.

Ryu 4.34 runs up to Python 3.11; os_ken, its maintained fork, also later. Both run on eventlet here: os_ken's native
hub ends an app's event loop at the first exception in a handler, without a line in the log. Three cures come before
any import of theirs: eventlet's deprecation warning is ours to know and not the user's; eventlet's own DNS resolver
stays out (start-up time); and ``eventlet.wsgi.ALREADY_HANDLED``, gone from newer eventlets, is put back for ryu.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

NAMES = ("ryu", "os_ken")
_DISTRIBUTIONS = {"ryu": "ryu", "os_ken": "os-ken"}
_APP_CLASSES = {"ryu": "RyuApp", "os_ken": "OSKenApp"}


class FrameworkError(Exception):
    """Neither framework can be had here: says what to install."""


@dataclass(frozen=True, slots=True)
class Framework:
    """The parts of ryu or os_ken that ``app.py`` is made of."""

    name: str
    version: str
    hub: Any
    eventlet: Any
    app_class: Any
    app_manager: Any
    handler: Any
    ofp_event: Any
    ofp_handler: Any
    datapath_factory: Any

    def tls_context(self) -> Any:
        """For a server; eventlet's own class, whose sockets wait without holding up others."""
        ssl = import_module("ssl")  # eventlet has patched it
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def shake_hands(self, connection: Any, timeout_s: float) -> None:
        """The TLS handshake, where ``connection`` is of a socket ``with_tls``. OSError if it fails."""
        if hasattr(connection, "do_handshake"):
            connection.settimeout(timeout_s)
            connection.do_handshake()

    def with_tls(self, listening: Any, context: Any) -> Any:
        """A socket whose connections shake hands when they are first used, so that a slow peer holds up nobody."""
        green = import_module("eventlet.green.ssl")
        return green.GreenSSLSocket(listening, server_side=True, do_handshake_on_connect=False, _context=context)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def pick(name: str = "auto") -> str:
    """The framework to use. FrameworkError if it isn't installed or doesn't run on this Python."""
    if name == "auto":
        name = "ryu" if sys.version_info < (3, 12) and find_spec("ryu") else "os_ken"
    if find_spec(name) is None:
        raise FrameworkError(f"{name} is not installed: pip install {_DISTRIBUTIONS[name]}")
    if name == "ryu" and sys.version_info >= (3, 12):
        raise FrameworkError("ryu 4.34 does not run on Python 3.12 and later: use --framework os_ken")
    return name


def load(name: str = "auto") -> Framework:
    """Patches this process for eventlet and imports the framework. Call it once, before other imports."""
    name = pick(name)
    os.environ["OSKEN_HUB_TYPE"] = os.environ["RYU_HUB_TYPE"] = "eventlet"
    os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _imported(name)


def _imported(name: str) -> Framework:
    eventlet = import_module("eventlet")
    wsgi = import_module("eventlet.wsgi")
    if not hasattr(wsgi, "ALREADY_HANDLED"):
        wsgi.ALREADY_HANDLED = b""  # type: ignore[attr-defined] # ryu.app.wsgi imports it
    hub = import_module(f"{name}.lib.hub")
    hub.patch()
    app_manager = import_module(f"{name}.base.app_manager")
    return Framework(
        name,
        version(_DISTRIBUTIONS[name]),
        hub,
        eventlet,
        getattr(app_manager, _APP_CLASSES[name]),
        app_manager.AppManager.get_instance(),
        import_module(f"{name}.controller.handler"),
        import_module(f"{name}.controller.ofp_event"),
        import_module(f"{name}.controller.ofp_handler").OFPHandler,
        import_module(f"{name}.controller.controller").datapath_connection_factory,
    )


def handshakes(framework: Framework, turned_away: Callable[[str, str], None]) -> Any:
    """The class of the framework's handshake app, without its own listening socket.

    ``turned_away(peer, reason)`` is told of every switch that has no OpenFlow version in common with us.
    """
    base: Any = framework.ofp_handler

    class Handshakes(base):  # type: ignore[misc] # the framework has no types
        def start(self) -> None:
            framework.app_class.start(self)

        def _hello_failed(self, datapath: Any, reason: str) -> None:
            super()._hello_failed(datapath, reason)
            turned_away(":".join(map(str, datapath.address)), reason)

    return Handshakes
