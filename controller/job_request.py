"""Job request: JSON to demands, every mistake answered with its place (``demands[3].src: no host 'h99' ...``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from topologies.addressing import host_index
from topologies.fabric import Fabric, FabricError
from topologies.spelling import did_you_mean
from topologies.traffic import Demand, FlowKey

_JOB = ("name", "policy", "demands")
_DEMAND = ("src", "dst", "src_port", "dst_port", "steps", "step_bytes")


class RequestError(ValueError):
    """A request that can't be served: says where it is wrong, and what would be right."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    name: str
    policy: str
    demands: tuple[Demand, ...]


def job_request(fabric: Fabric, body: Any) -> JobRequest:
    """The job that ``body`` (parsed JSON) asks for. RequestError names the place of the first mistake."""
    _check_keys(body, _JOB, "body", "job")
    name, policy = (_text(body[key], key) for key in ("name", "policy"))
    if not isinstance(body["demands"], list):
        raise RequestError(f"demands: {_shown(body['demands'])} must be a list")
    demands = []
    places: dict[FlowKey, int] = {}
    for number, item in enumerate(body["demands"]):
        demand = _demand(fabric, item, f"demands[{number}]")
        if demand.key in places:
            first = places[demand.key]
            raise RequestError(f"demands[{number}]: flow {demand.key} is demands[{first}] already; use another port")
        places[demand.key] = number
        demands.append(demand)
    return JobRequest(name, policy, tuple(demands))


def _demand(fabric: Fabric, item: Any, where: str) -> Demand:
    _check_keys(item, _DEMAND, where, "demand")
    src, dst = (_host(fabric, item[key], f"{where}.{key}") for key in ("src", "dst"))
    if src == dst:
        raise RequestError(f"{where}: src and dst are both {src!r}; such a flow never leaves its host")
    src_port, dst_port = (_number(item[key], f"{where}.{key}", 1, 65535) for key in ("src_port", "dst_port"))
    steps, step_bytes = (_numbers(item[key], f"{where}.{key}") for key in ("steps", "step_bytes"))
    if len(steps) != len(step_bytes):
        raise RequestError(f"{where}.step_bytes: {len(step_bytes)} entries for {len(steps)} steps; one for each")
    if len(set(steps)) != len(steps):
        raise RequestError(f"{where}.steps: a step is named twice")
    return Demand(FlowKey(src, dst, src_port, dst_port), steps, step_bytes)


def _check_keys(item: Any, known: tuple[str, ...], where: str, noun: str) -> None:
    if not isinstance(item, Mapping):
        raise RequestError(f"{where}: {_shown(item)} must be a {noun}, an object with {', '.join(known)}")
    for key in item:
        if key not in known:
            raise RequestError(f"{where}: a {noun} has no {key!r}; {did_you_mean(key, known)}")
    for key in known:
        if key not in item:
            raise RequestError(f"{where}: {key!r} is missing; a {noun} has {', '.join(known)}")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise RequestError(f"{where}: {_shown(value)} must be a text")
    return value


def _host(fabric: Fabric, value: Any, where: str) -> str:
    host = _text(value, where)
    if host not in fabric.graph or fabric.is_switch(host):
        try:
            host_index(fabric, host)
        except FabricError as error:
            raise RequestError(f"{where}: {error}") from None
    return host


def _number(value: Any, where: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise RequestError(f"{where}: {_shown(value)} must be a whole number from {least} to {most}")
    return value


def _numbers(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise RequestError(f"{where}: {_shown(value)} must be a list of whole numbers")
    for place, number in enumerate(value):
        _number(number, f"{where}[{place}]", 0, 2**63 - 1)
    return tuple(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
