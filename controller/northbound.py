"""Northbound: the REST face, pure. A request comes in, an answer goes out, with the event that it asks for.

``GET /v1/status`` (``?wait_epoch=N&timeout=S`` answers when epoch N is settled, or after S seconds) · ``PUT /v1/job``
· ``DELETE /v1/job`` · ``GET /v1/paths`` · ``GET /v1/rules``. All bodies are JSON; an error is ``{"error": "..."}``.
Requests are checked, routed and proved before anything changes, so a bad one leaves the state as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from controller.core import Controller
from controller.events import JobPlanned, JobWithdrawn
from controller.job_request import RequestError, job_request
from controller.planning import plan
from controller.routing import RoutingError
from controller.tables import ProofError
from topologies.fabric import FabricError

MAX_BODY_BYTES = 64 * 2**20
"""Enough for 10,000 flows of 500 steps."""

MAX_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    event: JobPlanned | JobWithdrawn | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """The answer may be held back up to ``timeout_s``, until ``epoch`` is settled."""

    epoch: int
    timeout_s: float

    def over(self, controller: Controller) -> bool:
        """Whether the epoch is ready, was refused by a switch, or has been replaced and is ready."""
        return controller.epoch >= self.epoch and (controller.ready or bool(controller.refused))


def wait_of(method: str, target: str) -> Wait | None:
    """How long the answer may be held back, None where it is due at once. RequestError for a bad query."""
    url = urlsplit(target)
    if method != "GET" or url.path != "/v1/status" or not url.query:
        return None
    query = parse_qs(url.query, keep_blank_values=True)
    for name in query:
        if name not in ("wait_epoch", "timeout"):
            raise RequestError(f"query: no parameter {name!r}; there are wait_epoch and timeout")
    epoch = _number(query.get("wait_epoch", ["0"])[-1], "wait_epoch", int)
    timeout_s = _number(query.get("timeout", ["0"])[-1], "timeout", float)
    return Wait(int(epoch), min(timeout_s, MAX_WAIT_S))


def _number(text: str, name: str, kind: Callable[[str], float]) -> float:
    try:
        number = kind(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise RequestError(f"query: {name}={text!r} must be a number from 0")
    return number


def handle(method: str, target: str, body: bytes, controller: Controller, framework: str) -> Answer:
    """The answer to a request; changes nothing: the caller hands ``event`` to the controller."""
    path = urlsplit(target).path.rstrip("/")
    methods = _ROUTES.get(path)
    if methods is None:
        return Answer(404, {"error": f"nothing at {path or '/'}: there are {', '.join(_ROUTES)}"})
    if method not in methods:
        allowed = ", ".join(methods)
        return Answer(405, {"error": f"{method} {path}: it takes {allowed}"}, headers=(("Allow", allowed),))
    if len(body) > MAX_BODY_BYTES:
        return Answer(413, {"error": f"body: more than {MAX_BODY_BYTES} bytes"})
    try:
        return methods[method](_Request(target, body, controller, framework))
    except (RequestError, RoutingError, FabricError) as error:
        return Answer(400, {"error": str(error)})
    except ProofError as error:
        return Answer(500, {"error": f"not installed, this is a fault of the controller: {error}"})


@dataclass(frozen=True, slots=True)
class _Request:
    target: str
    body: bytes
    controller: Controller
    framework: str


def _status(request: _Request) -> Answer:
    wait_of("GET", request.target)
    controller = request.controller
    return Answer(
        200,
        {
            "ready": controller.ready,
            "epoch": controller.epoch,
            "policy": controller.job.policy if controller.job else None,
            "job": controller.job.name if controller.job else None,
            "switches": controller.switches(),
            "errors": list(controller.errors),
            "refused": list(controller.refused),
            "handler_errors": controller.handler_errors,
            "settled_s": controller.settled_s,
            "framework": request.framework,
        },
    )


def _put_job(request: _Request) -> Answer:
    controller = request.controller
    wanted = job_request(controller.fabric, _json(request.body))
    epoch = controller.epoch + 1
    planned = plan(controller.fabric, wanted.name, wanted.policy, wanted.demands, epoch)
    assessment = planned.assessment
    body = {
        "epoch": epoch,
        "objective": assessment.objective_s,
        "lower_bound": assessment.lower_bound_s,
        "gap": assessment.gap,
    }
    return Answer(200, body, JobPlanned(planned))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except UnicodeDecodeError as error:
        raise RequestError(f"body: not JSON: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise RequestError(f"body: not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise RequestError("body: nested too deeply") from None


def _delete_job(request: _Request) -> Answer:
    controller = request.controller
    if controller.job is None:
        return Answer(200, {"epoch": controller.epoch})
    return Answer(200, {"epoch": controller.epoch + 1}, JobWithdrawn())


def _paths(request: _Request) -> Answer:
    job, fabric = request.controller.job, request.controller.fabric
    demanded = {demand.key for demand in job.demands} if job else set()
    return Answer(
        200,
        [
            {
                "flow": str(key),
                "src": key.src,
                "dst": key.dst,
                "src_port": key.src_port,
                "dst_port": key.dst_port,
                "hops": [str(port) for port in path.hops],
                "nodes": list(path.nodes(fabric)),
                "acknowledges": key not in demanded,
            }
            for key, path in (job.paths.items() if job else ())
        ],
    )


def _rules(request: _Request) -> Answer:
    return Answer(
        200,
        [
            {
                "switch": rule.switch,
                "priority": rule.priority,
                "match": rule.match.fields(),
                "out_port": rule.out_port,
                "cookie": f"{rule.cookie:#x}",
            }
            for table in request.controller.tables.values()
            for rule in sorted(table, key=lambda rule: -rule.priority)
        ],
    )


_ROUTES: Mapping[str, Mapping[str, Callable[[_Request], Answer]]] = {
    "/v1/status": {"GET": _status},
    "/v1/job": {"PUT": _put_job, "DELETE": _delete_job},
    "/v1/paths": {"GET": _paths},
    "/v1/rules": {"GET": _rules},
}
