"""Saved: what a controller must remember to go on as if it had never ended, as JSON. Pure.

Rules and groups are not saved: they follow from routes and versions. So a controller that starts again wants what the
switches have, changes nothing, and no packet is lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.planning import Plan
from controller.routing.placement import assess
from controller.rules import RESIDENT_VERSIONS, Route, flow_entries
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path

FORMAT = 1


class SavedError(ValueError):
    """A state that can't be gone on from: it is damaged, or another fabric's."""


@dataclass(frozen=True, slots=True)
class Saved:
    """Jobs with their routes, the epoch, the resident rules' version and the links that routes avoid."""

    jobs: Mapping[str, Plan] = field(default_factory=dict)
    epoch: int = 0
    resident_version: int = RESIDENT_VERSIONS[0]
    avoided: frozenset[str] = frozenset()
    drained: frozenset[str] = frozenset()


def written(fabric: Fabric, state: Saved) -> str:
    """The state as text; ``read`` gives an equal one."""
    return json.dumps(
        {
            "format": FORMAT,
            "fabric": fabric.name,
            "epoch": state.epoch,
            "resident_version": state.resident_version,
            "avoided": sorted(state.avoided),
            "drained": sorted(state.drained),
            "jobs": [_job(job) for job in state.jobs.values()],
        }
    )


def _job(job: Plan) -> dict[str, Any]:
    return {
        "name": job.name,
        "number": job.number,
        "policy": job.policy,
        "priority": job.priority,
        "demands": [[_key(one.key), one.steps, one.step_bytes] for one in job.demands],
        "routes": [
            [_key(key), _hops(route.path), _hops(route.backup) if route.backup else None, route.version]
            for key, route in job.routes.items()
        ],
    }


def _key(key: FlowKey) -> list[Any]:
    return [key.src, key.dst, key.src_port, key.dst_port, key.protocol]


def _hops(path: Path) -> list[list[Any]]:
    return [[port.node, port.number] for port in path.hops]


def read(fabric: Fabric, text: str) -> Saved:
    """The state that ``text`` holds. SavedError where it is damaged, or was written for another fabric."""
    try:
        body = json.loads(text)
        if body["format"] != FORMAT:
            raise SavedError(f"state: format {body['format']} is not {FORMAT}; remove the file to start anew")
        if body["fabric"] != fabric.name:
            raise SavedError(f"state: of fabric {body['fabric']!r}, not {fabric.name!r}; give another file")
        return _saved(fabric, body)
    except SavedError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError) as error:
        what = f"{type(error).__name__}: {error}"
        raise SavedError(f"state: can't be read ({what}); remove the file to start anew") from None


def _saved(fabric: Fabric, body: Mapping[str, Any]) -> Saved:
    avoided, drained = frozenset(body["avoided"]), frozenset(body["drained"])
    strange = (avoided | drained) - {link.name for link in fabric.links}
    if strange:
        raise SavedError(f"state: fabric {fabric.name!r} has no link {min(strange)!r}; remove the file to start anew")
    version = body["resident_version"]
    if version not in RESIDENT_VERSIONS:
        raise SavedError(f"state: resident version {version} is unknown; remove the file to start anew")
    jobs = {job["name"]: _plan(fabric, job) for job in body["jobs"]}
    return Saved(jobs, int(body["epoch"]), version, avoided, drained)


def _plan(fabric: Fabric, job: Mapping[str, Any]) -> Plan:
    demands = tuple(Demand(FlowKey(*key), tuple(steps), tuple(step_bytes)) for key, steps, step_bytes in job["demands"])
    routes = {
        FlowKey(*key): Route(_path(fabric, path), _path(fabric, backup) if backup else None, int(version))
        for key, path, backup, version in job["routes"]
    }
    return Plan(
        name=job["name"],
        number=job["number"],
        policy=job["policy"],
        demands=demands,
        priority=job["priority"],
        routes=routes,
        entries=tuple(flow_entries(fabric, routes, job["number"], job["priority"])),
        assessment=assess(fabric, demands, {demand.key: routes[demand.key].path for demand in demands}),
    )


def _path(fabric: Fabric, hops: list[list[Any]]) -> Path:
    path = Path(tuple(Port(node, number) for node, number in hops))
    for port in path.hops:
        if port not in fabric.ports(port.node):
            raise SavedError(f"state: fabric {fabric.name!r} has no port {port}; remove the file to start anew")
    return path
