"""A view served on loopback, and a Chromium without a screen to look at it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest

from ringlab.experiments import spec as specs
from ringlab.web.browser import MISSING, chromium
from ringlab.web.server import app
from ringlab.web.serving import serving
from ringlab.web.simulated import Simulated

TOKEN = "0123456789abcdef"

TEXT = """
name: small-film
fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G,latency=1us
placement: interleaved
collective: all_reduce
algorithm: ring
sizes: [4M, 16M]
arms: [spanning-tree, pinned]
repeats: 1
"""


@pytest.fixture
def film():
    """``film(seconds, control=True)``: simulated, from now on."""

    def make(seconds=600.0, **options):
        return Simulated(specs.loads(TEXT), seconds, **{"control": True, **options})

    return make


class Client:
    """Of one server; ``get`` and ``post`` give status, headers and body."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}/"

    def ask(self, method, path, body=None, **headers):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(
                method, path, body if body is None or isinstance(body, bytes) else json.dumps(body), named
            )
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def post(self, path, body, token=TOKEN, **headers):
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.ask("POST", path, body, **headers)

    @contextmanager
    def listening(self):
        """An iterator over (event, data, seconds) of /events."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", "/events")
            yield _events(connection.getresponse())
        finally:
            connection.close()


def _events(answer) -> Iterator[tuple[str, dict, float]]:
    kind = ""
    for line in answer:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value), time.monotonic()


@pytest.fixture
def served():
    """A context that serves a source with a token, and gives a Client."""

    @contextmanager
    def serve(source, token=TOKEN):
        with serving(app(source.hub, source, token, ["lab7"]), "127.0.0.1", 0) as port:
            yield Client(port)

    return serve


@pytest.fixture(scope="module")  # its event loop must not meet those of other tests
def browser():
    program = chromium()
    if program is None:
        pytest.skip(MISSING)
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is in the extra 'test'")
    with playwright.sync_playwright() as driver:
        # Its sandbox needs what containers and root do not have; it only ever sees our own page.
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()
