"""Job request: JSON to demands, every mistake answered with its place (``demands[3].src: no host 'h99' ...``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from topologies.addressing import host_index
from topologies.fabric import Fabric, FabricError
from topologies.ports import ANY_PORT
from topologies.spelling import did_you_mean
from topologies.traffic import Demand, FlowKey

_JOB = ("name", "policy")
_JOB_OPTIONS = ("demands", "schedule", "priority")
_SCHEDULE = ("algorithm", "ranks", "bytes")
_SCHEDULE_OPTIONS = ("channels", "itemsize")
_DEMAND = ("src", "dst", "src_port", "dst_port", "steps", "step_bytes")
_DEMAND_OPTIONS = ("protocol",)

MAX_PRIORITY = 1
"""0: everybody's; 1: served first where a link is full."""

MAX_NAME = 128
MAX_RANKS = 4096
MAX_CHANNELS = 32
MAX_BYTES = 2**50


class RequestError(ValueError):
    """A request that can't be served: says where it is wrong, and what would be right."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    name: str
    policy: str
    demands: tuple[Demand, ...]
    priority: int = 0


@dataclass(frozen=True, slots=True)
class ScheduleRequest:
    """An algorithm's name, the host of each rank, and how many bytes each rank reduces, of ``itemsize`` each."""

    algorithm: str
    ranks: tuple[str, ...]
    nbytes: int
    channels: int = 1
    itemsize: int = 4


Expand = Callable[[ScheduleRequest], Sequence[Demand]]
"""Makes demands of a schedule; ValueError where there is no such algorithm. The controller itself knows none."""


def job_request(fabric: Fabric, body: Any, expand: Expand, where: str = "") -> JobRequest:
    """The job that ``body`` (parsed JSON) asks for. RequestError names the place of the first mistake.

    ``where``: what stands before each place, as in ``jobs[2].``
    """
    _check_keys(body, _JOB, _JOB_OPTIONS, where.rstrip(".") or "body", "job")
    name, policy = job_name(body["name"], f"{where}name"), _text(body["policy"], f"{where}policy")
    priority = _number(body.get("priority", 0), f"{where}priority", 0, MAX_PRIORITY)
    if ("demands" in body) == ("schedule" in body):
        raise RequestError(f"{where.rstrip('.') or 'body'}: a job has either demands or a schedule")
    if "schedule" in body:
        demands = _scheduled(fabric, body["schedule"], expand, f"{where}schedule")
    else:
        demands = _demands(fabric, body["demands"], f"{where}demands")
    return JobRequest(name, policy, demands, priority)


def job_name(value: Any, where: str) -> str:
    """A job's name: a text that can stand in an address and in a label. RequestError for another."""
    name = _text(value, where)
    if len(name) > MAX_NAME or not name.isprintable() or "/" in name:
        raise RequestError(f"{where}: {_shown(name)} must be at most {MAX_NAME} printable characters, none of them /")
    return name


def _demands(fabric: Fabric, items: Any, where: str) -> tuple[Demand, ...]:
    if not isinstance(items, list):
        raise RequestError(f"{where}: {_shown(items)} must be a list")
    demands = []
    places: dict[FlowKey, int] = {}
    for number, item in enumerate(items):
        demand = _demand(fabric, item, f"{where}[{number}]")
        if demand.key in places:
            first = places[demand.key]
            raise RequestError(f"{where}[{number}]: flow {demand.key} is demands[{first}] already; use another port")
        places[demand.key] = number
        demands.append(demand)
    return tuple(demands)


def _scheduled(fabric: Fabric, item: Any, expand: Expand, where: str) -> tuple[Demand, ...]:
    _check_keys(item, _SCHEDULE, _SCHEDULE_OPTIONS, where, "schedule")
    ranks = item["ranks"]
    if not isinstance(ranks, list) or not 2 <= len(ranks) <= MAX_RANKS:
        raise RequestError(f"{where}.ranks: {_shown(ranks)} must be a list of 2 to {MAX_RANKS} hosts")
    hosts = tuple(_host(fabric, host, f"{where}.ranks[{rank}]") for rank, host in enumerate(ranks))
    nbytes = _number(item["bytes"], f"{where}.bytes", 1, MAX_BYTES)
    itemsize = _number(item.get("itemsize", 4), f"{where}.itemsize", 1, 16)
    if nbytes % itemsize:
        raise RequestError(f"{where}.bytes: {nbytes} must be a multiple of itemsize, {itemsize}")
    channels = _number(item.get("channels", 1), f"{where}.channels", 1, MAX_CHANNELS)
    algorithm = _text(item["algorithm"], f"{where}.algorithm")
    try:
        return tuple(expand(ScheduleRequest(algorithm, hosts, nbytes, channels, itemsize)))
    except ValueError as error:
        raise RequestError(f"{where}: {error}") from None


def _demand(fabric: Fabric, item: Any, where: str) -> Demand:
    _check_keys(item, _DEMAND, _DEMAND_OPTIONS, where, "demand")
    src, dst = (_host(fabric, item[key], f"{where}.{key}") for key in ("src", "dst"))
    if src == dst:
        raise RequestError(f"{where}: src and dst are both {src!r}; such a flow never leaves its host")
    src_port, dst_port = (_number(item[key], f"{where}.{key}", ANY_PORT, 65535) for key in ("src_port", "dst_port"))
    if (src_port == ANY_PORT) != (dst_port == ANY_PORT):
        raise RequestError(f"{where}: {ANY_PORT} stands for any port: give both ports, or {ANY_PORT} for both")
    steps, step_bytes = (_numbers(item[key], f"{where}.{key}") for key in ("steps", "step_bytes"))
    if len(steps) != len(step_bytes):
        raise RequestError(f"{where}.step_bytes: {len(step_bytes)} entries for {len(steps)} steps; one for each")
    if len(set(steps)) != len(steps):
        raise RequestError(f"{where}.steps: a step is named twice")
    protocol = item.get("protocol", "tcp")
    if protocol not in ("tcp", "udp"):
        raise RequestError(f"{where}.protocol: {_shown(protocol)} must be 'tcp' or 'udp'")
    return Demand(FlowKey(src, dst, src_port, dst_port, protocol), steps, step_bytes)


def _check_keys(item: Any, needed: tuple[str, ...], options: tuple[str, ...], where: str, noun: str) -> None:
    if not isinstance(item, Mapping):
        raise RequestError(f"{where}: {_shown(item)} must be a {noun}, an object with {', '.join(needed)}")
    for key in item:
        if key not in (*needed, *options):
            raise RequestError(f"{where}: a {noun} has no {key!r}; {did_you_mean(key, (*needed, *options))}")
    for key in needed:
        if key not in item:
            raise RequestError(f"{where}: {key!r} is missing; a {noun} has {', '.join(needed)}")


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
