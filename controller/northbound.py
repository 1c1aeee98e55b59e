"""Northbound: the REST face, pure. A request comes in, an answer goes out, with the event that it asks for.

What there is, with its bodies, is told by ``GET /v1/openapi.json`` (``openapi.py``). All bodies are JSON but that of
``/metrics``; an error is ``{"error": "..."}``. Requests are checked, routed and proved before anything changes, so a
bad one leaves the state as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from controller import metrics
from controller.core import Controller
from controller.events import JobEvent, JobPlanned, JobsReplaced, JobWithdrawn, LinkDrained
from controller.job_request import Expand, JobRequest, RequestError, job_name, job_request
from controller.openapi import document
from controller.planning import Plan, busy_of, plan
from controller.proof import ProofError
from controller.routing import RoutingError
from controller.routing.next_hops import distances, trunks
from controller.routing.situation import Situation
from controller.rules import Group, job_of
from topologies.fabric import FabricError, Port
from topologies.spelling import did_you_mean

MAX_BODY_BYTES = 64 * 2**20
"""Enough for 10,000 flows of 500 steps."""

MAX_WAIT_S = 60.0

HOT_LINKS = 8


@dataclass(frozen=True, slots=True)
class Face:
    """What requests are answered from. ``expand`` makes demands of a schedule's name; "" is no token."""

    controller: Controller
    framework: str
    expand: Expand
    token: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is text, or anything that JSON can hold."""

    status: int
    body: Any
    event: JobEvent | None = None
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"

    def content(self) -> bytes:
        return (self.body if isinstance(self.body, str) else json.dumps(self.body) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Wait:
    """The answer may be held back up to ``timeout_s``, until ``epoch`` is settled."""

    epoch: int
    timeout_s: float

    def over(self, controller: Controller) -> bool:
        """Whether the epoch is ready, was refused by a switch, or has been replaced and is ready."""
        return controller.epoch >= self.epoch and (controller.ready or bool(controller.refused))


class _MissingError(Exception):
    """Nothing of that name: says what there is."""


class _ConflictError(Exception):
    """What is asked for can't stand beside what stands."""


def refusal(face: Face, target: str, authorization: str) -> Answer | None:
    """The answer to a request without the token, before its body is read; None where it may go on."""
    if not face.token or urlsplit(target).path.rstrip("/") == "/metrics":
        return None
    if compare_digest(authorization.encode(), f"Bearer {face.token}".encode()):
        return None
    headers = (("WWW-Authenticate", "Bearer"), ("Connection", "close"))
    return Answer(
        401, {"error": "this needs the header 'Authorization: Bearer TOKEN', as in --token-file"}, None, headers
    )


def wait_of(method: str, target: str) -> Wait | None:
    """How long the answer may be held back, None where it is due at once. RequestError for a bad query."""
    url = urlsplit(target)
    if method != "GET" or url.path != "/v1/status" or not url.query:
        return None
    query = _query(target, "wait_epoch", "timeout")
    epoch = _number(query.get("wait_epoch", "0"), "wait_epoch", int)
    timeout_s = _number(query.get("timeout", "0"), "timeout", float)
    return Wait(int(epoch), min(timeout_s, MAX_WAIT_S))


def _query(target: str, *known: str) -> dict[str, str]:
    query = parse_qs(urlsplit(target).query, keep_blank_values=True)
    for name in query:
        if name not in known:
            raise RequestError(f"query: no parameter {name!r}; there {_are(known)}")
    return {name: values[-1] for name, values in query.items()}


def _are(names: Iterable[str]) -> str:
    listed = list(names)
    return f"are {', '.join(listed)}" if len(listed) > 1 else f"is {listed[0]}" if listed else "is none"


def _number(text: str, name: str, kind: Callable[[str], float]) -> float:
    try:
        number = kind(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise RequestError(f"query: {name}={text!r} must be a number from 0")
    return number


def handle(method: str, target: str, body: bytes, face: Face, now: float = 0.0) -> Answer:
    """The answer to a request; changes nothing: the caller hands ``event`` to the controller. ``now`` in seconds."""
    path = urlsplit(target).path.rstrip("/")
    route, name = _route(path)
    methods = ROUTES.get(route)
    if methods is None:
        return _refused(404, f"nothing at {unquote(path) or '/'}: there are {', '.join(ROUTES)}")
    if method not in methods:
        allowed = ", ".join(methods)
        return replace(_refused(405, f"{method} {unquote(path)}: it takes {allowed}"), headers=(("Allow", allowed),))
    if len(body) > MAX_BODY_BYTES:
        return _refused(413, f"body: more than {MAX_BODY_BYTES} bytes")
    try:
        return methods[method](_Request(target, name, body, face, now))
    except tuple(_STATUS_OF) as error:
        return _refused(_STATUS_OF[type(error)], str(error))
    except ProofError as error:
        return _refused(500, f"not installed, this is a fault of the controller: {error}")


_STATUS_OF: Mapping[type[Exception], int] = {
    RequestError: 400,
    RoutingError: 400,
    FabricError: 400,
    _MissingError: 404,
    _ConflictError: 409,
}


def _refused(status: int, error: str) -> Answer:
    return Answer(status, {"error": error})


def _route(path: str) -> tuple[str, str]:
    """The path as in ``ROUTES``, and the name in it."""
    parts = path.split("/")
    if len(parts) < 4:
        return path, ""
    return "/".join([*parts[:3], "{name}", *parts[4:]]), unquote(parts[3])


@dataclass(frozen=True, slots=True)
class _Request:
    target: str
    name: str
    body: bytes
    face: Face
    now: float

    @property
    def controller(self) -> Controller:
        return self.face.controller

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except UnicodeDecodeError as error:
            raise RequestError(f"body: not JSON: {error.reason} at byte {error.start}") from None
        except json.JSONDecodeError as error:
            raise RequestError(f"body: not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
        except RecursionError:
            raise RequestError("body: nested too deeply") from None
        except ValueError as error:  # a whole number of thousands of digits
            raise RequestError(f"body: not JSON: {error}") from None

    def only(self, key: str) -> Any:
        """The value of ``key`` in a body that has nothing else."""
        body = self.json()
        if not isinstance(body, Mapping) or list(body) != [key]:
            raise RequestError(f"body: must be an object with {key!r} and nothing else")
        return body[key]

    def job(self) -> Plan:
        jobs = self.controller.jobs
        if self.name not in jobs:
            raise _MissingError(f"no job {self.name!r}; {did_you_mean(self.name, jobs) if jobs else 'there is none'}")
        return jobs[self.name]


# Asked: what stands.


def _status(request: _Request) -> Answer:
    wait_of("GET", request.target)
    controller = request.controller
    return Answer(
        200,
        {
            "ready": controller.ready,
            "epoch": controller.epoch,
            "jobs": list(controller.jobs),
            "switches": controller.switches(),
            "links": {name: state for name, state in controller.links().items() if state != "up"},
            "errors": list(controller.errors),
            "refused": list(controller.refused),
            "handler_errors": controller.handler_errors,
            "flow_mods": controller.flow_mods,
            "settled_s": controller.settled_s,
            "framework": request.face.framework,
        },
    )


def _jobs(request: _Request) -> Answer:
    return Answer(200, [_job_body(request.controller, job) for job in request.controller.jobs.values()])


def _job(request: _Request) -> Answer:
    return Answer(200, _job_body(request.controller, request.job()))


def _job_body(controller: Controller, job: Plan) -> dict[str, Any]:
    use = controller.telemetry.jobs.get(job.number)
    return {
        **_placement(job),
        "policy": job.policy,
        "priority": job.priority,
        "flows": len(job.demands),
        "protected": sum(route.backup is not None for route in job.routes.values()),
        "entries": len(job.entries),
        "sent_bytes": use.nbytes if use else 0,
        "sent_bps": use.bps if use else 0.0,
    }


def _placement(job: Plan) -> dict[str, Any]:
    assessment = job.assessment
    return {
        "name": job.name,
        "objective": assessment.objective_s,
        "lower_bound": assessment.lower_bound_s,
        "gap": assessment.gap,
    }


def _paths(request: _Request) -> Answer:
    fabric, asked = request.controller.fabric, _query(request.target, "job").get("job")
    chosen = [replace(request, name=asked).job()] if asked is not None else request.controller.jobs.values()
    body = []
    for job in chosen:
        demanded = {demand.key for demand in job.demands}
        for key, route in job.routes.items():
            backup = list(route.backup.nodes(fabric)) if route.backup else None
            body.append(
                {
                    "job": job.name,
                    "flow": str(key),
                    "src": key.src,
                    "dst": key.dst,
                    "src_port": key.src_port,
                    "dst_port": key.dst_port,
                    "protocol": key.protocol,
                    "hops": [str(port) for port in route.path.hops],
                    "nodes": list(route.path.nodes(fabric)),
                    "backup_nodes": backup,
                    "acknowledges": key not in demanded,
                }
            )
    return Answer(200, body)


def _rules(request: _Request) -> Answer:
    names = {job.number: job.name for job in request.controller.jobs.values()}
    return Answer(200, list(_told_rules(request.controller, names)))


def _told_rules(controller: Controller, names: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    for table in controller.tables.values():
        for rule in sorted(table.rules, key=lambda rule: -rule.priority):
            yield {
                "switch": rule.switch,
                "priority": rule.priority,
                "match": rule.match.fields(),
                "actions": [str(action) for action in rule.actions],
                "cookie": f"{rule.cookie:#x}",
                "job": names.get(job_of(rule.cookie) or 0),
            }


def _groups(request: _Request) -> Answer:
    groups = (group for table in request.controller.tables.values() for group in table.groups.values())
    return Answer(200, [_group_body(group) for group in groups])


def _group_body(group: Group) -> dict[str, Any]:
    buckets = [
        {"watch_port": bucket.watch_port, "actions": [str(action) for action in bucket.actions]}
        for bucket in group.buckets
    ]
    return {"switch": group.switch, "group": group.number, "buckets": buckets}


def _links(request: _Request) -> Answer:
    fabric, states = request.controller.fabric, request.controller.links()
    return Answer(
        200,
        [
            {
                "name": link.name,
                "ends": [str(link.a), str(link.b)],
                "state": states[link.name],
                "rate_bps": link.rate_bps,
            }
            for link in fabric.links
        ],
    )


def _counters(request: _Request) -> Answer:
    controller = request.controller
    telemetry = controller.telemetry
    return Answer(
        200,
        {
            "ports": [_port_body(controller, port) for port in telemetry.ports],
            "hot": [_port_body(controller, port) for port, _ in telemetry.hot(HOT_LINKS)],
            "jobs": {
                job.name: {"packets": use.packets, "bytes": use.nbytes, "bps": use.bps}
                for job in controller.jobs.values()
                if (use := telemetry.jobs.get(job.number))
            },
            "detour_packets": dict(telemetry.detours),
        },
    )


def _port_body(controller: Controller, port: Port) -> dict[str, Any]:
    use, fabric = controller.telemetry.ports[port], controller.fabric
    return {
        "port": str(port),
        "peer": str(fabric.peer(port)),
        "link": fabric.link(port).name,
        "tx_bytes": use.total.tx_bytes,
        "rx_bytes": use.total.rx_bytes,
        "tx_packets": use.total.tx_packets,
        "rx_packets": use.total.rx_packets,
        "tx_dropped": use.total.tx_dropped,
        "rx_dropped": use.total.rx_dropped,
        "tx_bps": use.tx_bps,
        "rx_bps": use.rx_bps,
        "utilisation": use.utilisation,
    }


def _metrics(request: _Request) -> Answer:
    text = metrics.exposition(request.controller, request.face.framework, request.now)
    return Answer(200, text, content_type=metrics.CONTENT_TYPE)


def _openapi(_: _Request) -> Answer:
    return Answer(200, document())


# Done: jobs and links.


def _put_job(request: _Request) -> Answer:
    wanted = _named(request, job_request(request.controller.fabric, request.json(), request.face.expand))
    return _planned(request.controller, wanted)


def _named(request: _Request, wanted: JobRequest) -> JobRequest:
    name = job_name(request.name, "the name in the address")
    if wanted.name != name:
        raise RequestError(f"name: {wanted.name!r} is not that of the address, {name!r}")
    return wanted


def _put_policy(request: _Request) -> Answer:
    job, policy = request.job(), request.only("policy")
    if not isinstance(policy, str):
        raise RequestError("policy: must be a text")
    return _planned(request.controller, JobRequest(job.name, policy, job.demands, job.priority))


def _planned(controller: Controller, wanted: JobRequest) -> Answer:
    others = [job for name, job in controller.jobs.items() if name != wanted.name]
    epoch = controller.epoch + 1
    planned = _plan(controller, wanted, others, controller.situation(wanted.name), epoch)
    return Answer(200, {"epoch": epoch, **_placement(planned)}, JobPlanned(planned))


def _plan(controller: Controller, wanted: JobRequest, others: list[Plan], situation: Situation, epoch: int) -> Plan:
    number = controller.job_number(wanted.name, {job.number for job in others})
    before = controller.jobs.get(wanted.name)
    planned = plan(controller.fabric, wanted, number, epoch, situation, before.routes if before else {})
    for other in others:
        shared = planned.routes.keys() & other.routes.keys()
        if shared:
            flow = min(shared)
            raise _ConflictError(
                f"flow {flow} of job {wanted.name!r} is one of job {other.name!r}, too; use other ports"
            )
    return planned


def _put_jobs(request: _Request) -> Answer:
    controller, body, epoch = request.controller, request.json(), request.controller.epoch + 1
    if not isinstance(body, list):
        raise RequestError("body: must be a list of jobs")
    wanted = [
        job_request(controller.fabric, item, request.face.expand, f"jobs[{place}].") for place, item in enumerate(body)
    ]
    dead = controller.situation().dead
    planned: dict[str, Plan] = {}
    for place, one in enumerate(wanted):
        if one.name in planned:
            raise RequestError(f"jobs[{place}].name: there is a job {one.name!r} before; names differ")
        others = list(planned.values())
        situation = Situation(dead, busy_of(controller.fabric, others))
        planned[one.name] = _plan(controller, one, others, situation, epoch)
    jobs = [_placement(job) for job in planned.values()]
    return Answer(200, {"epoch": epoch, "jobs": jobs}, JobsReplaced(tuple(planned.values())))


def _delete_jobs(request: _Request) -> Answer:
    controller = request.controller
    if not controller.jobs:
        return Answer(200, {"epoch": controller.epoch})
    return Answer(200, {"epoch": controller.epoch + 1}, JobWithdrawn())


def _delete_job(request: _Request) -> Answer:
    return Answer(200, {"epoch": request.controller.epoch + 1}, JobWithdrawn(request.job().name))


def _put_link(request: _Request) -> Answer:
    controller = request.controller
    states = controller.links()
    if request.name not in states:
        raise _MissingError(f"no link {request.name!r}; {did_you_mean(request.name, states)}")
    drained = request.only("drained")
    if not isinstance(drained, bool):
        raise RequestError("drained: must be true or false")
    if drained:
        _refuse_cut(controller, request.name)
    changes = controller.changes_by(request.name, drained)
    return Answer(200, {"epoch": controller.epoch + changes}, LinkDrained(request.name, drained))


def _refuse_cut(controller: Controller, name: str) -> None:
    fabric = controller.fabric
    link = next(link for link in fabric.links if link.name == name)
    if not (fabric.is_switch(link.a.node) and fabric.is_switch(link.b.node)):
        raise _ConflictError(f"link {name} leads to a host: its flows have no other; only links between switches drain")
    if link.b.node not in distances(trunks(fabric, controller.situation().dead | {name}), [link.a.node]):
        raise _ConflictError(f"link {name} can't be drained: no other live link joins {link.a.node} and {link.b.node}")


Handler = Callable[[_Request], Answer]

ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/v1/status": {"GET": _status},
    "/v1/jobs": {"GET": _jobs, "PUT": _put_jobs, "DELETE": _delete_jobs},
    "/v1/jobs/{name}": {"GET": _job, "PUT": _put_job, "DELETE": _delete_job},
    "/v1/jobs/{name}/policy": {"PUT": _put_policy},
    "/v1/paths": {"GET": _paths},
    "/v1/rules": {"GET": _rules},
    "/v1/groups": {"GET": _groups},
    "/v1/links": {"GET": _links},
    "/v1/links/{name}": {"PUT": _put_link},
    "/v1/counters": {"GET": _counters},
    "/v1/openapi.json": {"GET": _openapi},
    "/metrics": {"GET": _metrics},
}
