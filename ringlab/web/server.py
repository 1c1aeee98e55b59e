"""The live view's server: Starlette, thin. What it says is ``state``'s, who may ask is ``guard``'s.

    GET  /             the page           GET  /state.json   everything, once
    GET  /page.js      its program        GET  /events       server-sent events: everything, then what changes
    GET  /page.css     its look           POST /link         {"link": "leaf1-spine1", "down": true}
                                          POST /policy       {"policy": "ecmp:seed=2"}

While nobody has the page open, nobody looks at the run: the source is asked only for those who listen.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from html import escape
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ringlab.web import guard
from ringlab.web.hub import Hub
from ringlab.web.source import RefusedError, Source
from ringlab.web.state import delta, snapshot
from topologies.drawing import draw

TICK_S = 0.25
"""Between two looks at the run; a page is told of each."""

MAX_LISTENERS = 16
"""Each costs a little, and the run shares this machine."""

MAX_BODY_BYTES = 4096

STATIC = files("ringlab.web") / "static"


class Ticker:
    """Looks at the run for all who listen, together."""

    def __init__(self, hub: Hub, source: Source) -> None:
        self._hub, self._source = hub, source
        self._changed = asyncio.Event()
        self.listeners = 0
        self.latest = snapshot(hub.view)

    async def run(self) -> None:
        """Until it is cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            due_s = clock() + TICK_S
            if self.listeners:
                await self.look()
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()
            await asyncio.sleep(max(0.0, due_s - clock()))

    async def look(self) -> None:
        self.latest = await asyncio.to_thread(self._looked)

    def _looked(self) -> dict[str, Any]:
        self._source.sample()
        return snapshot(self._hub.view)

    async def listen(self) -> AsyncIterator[str]:
        """Server-sent events; who is slow misses none, but gets them together."""
        self.listeners += 1
        try:
            await self.look()
            seen = self.latest
            yield _event("all", seen)
            while True:
                await self._changed.wait()
                change, seen = delta(seen, self.latest), self.latest
                yield _event("change", change)
        finally:
            self.listeners -= 1


def app(hub: Hub, source: Source, token: str | None = None, names: Collection[str] = ()) -> ASGIApp:
    """The application; without a ``token`` it changes nothing for anybody. ``names`` are those that we go by."""
    ticker = Ticker(hub, source)
    page = _page(hub)

    async def shown(_: Request) -> Response:
        return Response(page, media_type="text/html")

    async def events(_: Request) -> Response:
        if ticker.listeners >= MAX_LISTENERS:
            return _refused(503, f"{MAX_LISTENERS} pages are open already; close one")
        return StreamingResponse(ticker.listen(), media_type="text/event-stream")

    async def state(_: Request) -> Response:
        await ticker.look()
        return JSONResponse(ticker.latest)

    async def link(request: Request) -> Response:
        asked = await _asked(request, {"link": str, "down": bool})
        await asyncio.to_thread(source.set_link, asked["link"], down=asked["down"])
        return JSONResponse({})

    async def policy(request: Request) -> Response:
        asked = await _asked(request, {"policy": str})
        await asyncio.to_thread(source.set_policy, asked["policy"])
        return JSONResponse({})

    async def refused(_: Request, error: Exception) -> Response:
        return _refused(409, str(error))

    @asynccontextmanager
    async def ticking(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(ticker.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    routes = [
        Route("/", shown),
        *(Route(f"/{name}", _file(name, kind)) for name, kind in FILES.items()),
        Route("/events", events),
        Route("/state.json", state),
        Route("/link", link, methods=["POST"]),
        Route("/policy", policy, methods=["POST"]),
    ]
    inner = Starlette(routes=routes, exception_handlers={RefusedError: refused}, lifespan=ticking)
    return Guarded(inner, guard.headers(page), token, names)


FILES = {"page.js": "text/javascript", "page.css": "text/css", "icon.svg": "image/svg+xml"}


class Guarded:
    """Refuses what ``guard`` does not allow, and puts its headers on every answer."""

    def __init__(self, inner: ASGIApp, headers: Mapping[str, str], token: str | None, names: Collection[str]) -> None:
        self._inner, self._token, self._names = inner, token, names
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        wrong = self._wrong(Request(scope)) if scope["type"] == "http" else None
        await (wrong or self._inner)(scope, receive, answer)

    def _wrong(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if not guard.is_our_name(host, self._names):
            return _refused(403, f"this server does not go by the name {host!r}; use its address, or --name")
        if request.method in {"GET", "HEAD"}:
            return None
        if self._token is None:
            return _refused(403, "this view is read-only; start it with --control")
        if not guard.is_same_site(request.headers.get("origin"), host):
            return _refused(403, "this comes from the page of another site")
        if not guard.may_change(request.headers.get("authorization", ""), self._token):
            return _refused(403, "the token is missing or wrong: use the address that --control printed")
        return None


def _file(name: str, kind: str) -> Any:
    content = (STATIC / name).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(content, media_type=kind)

    return answer


def _page(hub: Hub) -> str:
    view = hub.view
    drawing = draw(view.fabric, live=True)
    text = (STATIC / "page.html").read_text(encoding="utf-8")
    return text.replace("{{name}}", escape(view.name)).replace("{{drawing}}", drawing)


async def _asked(request: Request, wanted: Mapping[str, type]) -> dict[str, Any]:
    """The body, where it is an object with just these values."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise RefusedError(f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        found = json.loads(body)
    except ValueError:
        raise RefusedError("the body is not JSON") from None
    if not isinstance(found, dict) or {key: type(value) for key, value in found.items()} != wanted:
        fields = ", ".join(f"{name} ({kind.__name__})" for name, kind in wanted.items())
        raise RefusedError(f"the body must be an object with {fields} and nothing else")
    return found


def _event(kind: str, data: object) -> str:
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'), allow_nan=False)}\n\n"


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status)
