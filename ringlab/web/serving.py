"""uvicorn in a thread, beside whatever the program does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from ringlab.errors import UsageError

START_S = 10.0
PATIENCE_S = 1
"""For pages that are open when the server ends: they would listen for ever."""


@contextmanager
def serving(app: ASGIApp, host: str, port: int) -> Iterator[int]:
    """Serves ``app`` while the block lasts; what it yields is the port (``port`` 0: any that is free)."""
    with _listening(host, port) as listening:
        config = uvicorn.Config(
            app, log_level="error", access_log=False, lifespan="on", timeout_graceful_shutdown=PATIENCE_S, ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            _await(server, thread)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S + START_S)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(f"can't serve at {host} port {port}: {error.strerror}; give another --port, or 0") from None


def _await(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise UsageError("the page's server did not start")
        time.sleep(0.01)
