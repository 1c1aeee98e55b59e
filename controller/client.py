"""Client: what a program says to the controller, over its northbound face. Blocking, standard library only."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLContext
from typing import Any
from urllib.parse import quote

from topologies.fabric import Port
from topologies.traffic import Demand, FlowKey, Path

LONG_POLL_S = 10.0
"""How long one request for readiness is held back by the controller."""

PATIENCE_S = 30.0
"""How long an answer may take beyond that: routing thousands of flows takes a while."""


class ControllerError(Exception):
    """The controller can't be reached, refused a request, or did not get ready: one line that says which and why."""


class ControllerStartError(ControllerError):
    """The controller's process did not come up: a taken port, a missing framework; in its own words."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A job that was taken: its epoch, and its placement as in ``routing.placement.Assessment`` (seconds)."""

    epoch: int
    objective_s: float
    lower_bound_s: float
    gap: float


class ControllerClient:
    def __init__(self, address: str, token: str = "", tls: SSLContext | None = None) -> None:
        """``address`` is ``ip:port`` of the northbound face; ``token`` and ``tls`` where it asks for them."""
        self.address = address
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._tls = tls
        self._epoch = 0

    def status(self) -> dict[str, Any]:
        """The status object: ready, epoch, jobs, switches, errors, refused, handler_errors, framework ..."""
        return self._ask("GET", "/v1/status")  # type: ignore[no-any-return] # an object by the contract

    def announce(self, name: str, policy: str, demands: Iterable[Demand], priority: int = 0) -> Announced:
        """Installs the job in the place of all before; returns when it is taken, see ``wait_ready``."""
        taken = self._ask("PUT", "/v1/jobs", [_job(name, policy, demands, priority)])
        return self._announced(taken["epoch"], taken["jobs"][0])

    def add(self, name: str, policy: str, demands: Iterable[Demand], priority: int = 0) -> Announced:
        """Installs the job beside the others, or in the place of the one of its name."""
        taken = self._ask("PUT", f"/v1/jobs/{quote(name, safe='')}", _job(name, policy, demands, priority))
        return self._announced(taken["epoch"], taken)

    def _announced(self, epoch: int, placed: dict[str, Any]) -> Announced:
        self._epoch = epoch
        return Announced(epoch, placed["objective"], placed["lower_bound"], placed["gap"])

    def withdraw(self, name: str | None = None) -> None:
        """The job of that name goes, or all; back to the resident rules alone. Without a job, nothing happens."""
        target = "/v1/jobs" if name is None else f"/v1/jobs/{quote(name, safe='')}"
        self._epoch = self._ask("DELETE", target)["epoch"]

    def set_policy(self, job: str, policy: str) -> None:
        """The job's flows move to where the policy has them, and no packet is lost; ``wait_ready`` tells when."""
        target = f"/v1/jobs/{quote(job, safe='')}/policy"
        self._epoch = self._ask("PUT", target, {"policy": policy})["epoch"]

    def drain(self, link: str) -> None:
        """Routes leave the link, and no packet is lost; ``wait_ready`` tells when."""
        self._set_drained(link, True)

    def restore(self, link: str) -> None:
        """Routes may use the link again."""
        self._set_drained(link, False)

    def _set_drained(self, link: str, drained: bool) -> None:
        target = f"/v1/links/{quote(link, safe='')}"
        self._epoch = self._ask("PUT", target, {"drained": drained})["epoch"]

    def wait_ready(self, timeout_s: float) -> dict[str, Any]:
        """Waits until every switch has what was last asked for here; returns the status.

        ControllerError when a switch refuses a rule, or after ``timeout_s``.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            hold_s = min(max(deadline - time.monotonic(), 0.0), LONG_POLL_S)
            status = self._ask("GET", f"/v1/status?wait_epoch={self._epoch}&timeout={hold_s:.3f}", hold_s=hold_s)
            if status["ready"] and status["epoch"] >= self._epoch:
                return status  # type: ignore[no-any-return] # an object by the contract
            if status["refused"]:
                raise ControllerError(f"not ready: {status['refused'][0]}")
            if time.monotonic() >= deadline:
                raise ControllerError(f"not ready after {timeout_s:g} s: {_waiting_for(status)}")

    def paths(self) -> dict[FlowKey, Path]:
        """The paths of the jobs' flows and of their acknowledgements; empty without a job."""
        return {
            FlowKey(item["src"], item["dst"], item["src_port"], item["dst_port"], item["protocol"]): Path(
                tuple(_port(hop) for hop in item["hops"])
            )
            for item in self._ask("GET", "/v1/paths")
        }

    def rules(self) -> list[dict[str, Any]]:
        """Every rule of every switch: switch, priority, match, actions, cookie, job."""
        return self._ask("GET", "/v1/rules")  # type: ignore[no-any-return] # a list by the contract

    def groups(self) -> list[dict[str, Any]]:
        """Every fast-failover group of every switch: switch, group, buckets."""
        return self._ask("GET", "/v1/groups")  # type: ignore[no-any-return] # a list by the contract

    def links(self) -> dict[str, str]:
        """The state of every link: up, down or drained."""
        return {item["name"]: item["state"] for item in self._ask("GET", "/v1/links")}

    def counters(self) -> dict[str, Any]:
        """What was counted: ports, hot, jobs, detour_packets."""
        return self._ask("GET", "/v1/counters")  # type: ignore[no-any-return] # an object by the contract

    def _ask(self, method: str, target: str, body: Any = None, hold_s: float = 0.0) -> Any:
        patience_s = hold_s + PATIENCE_S
        connection = (
            HTTPSConnection(self.address, timeout=patience_s, context=self._tls)
            if self._tls
            else HTTPConnection(self.address, timeout=patience_s)
        )
        try:
            connection.request(method, target, None if body is None else json.dumps(body), self._headers)
            answer = connection.getresponse()
            content = json.loads(answer.read())
        except (OSError, HTTPException, ValueError) as error:
            raise ControllerError(f"no answer from the controller at {self.address}: {error}; does it run?") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise ControllerError(f"the controller refused: {content['error']}")
        return content


def _job(name: str, policy: str, demands: Iterable[Demand], priority: int) -> dict[str, Any]:
    return {"name": name, "policy": policy, "priority": priority, "demands": [_demand(demand) for demand in demands]}


def _demand(demand: Demand) -> dict[str, Any]:
    key = demand.key
    return {
        "src": key.src,
        "dst": key.dst,
        "src_port": key.src_port,
        "dst_port": key.dst_port,
        "protocol": key.protocol,
        "steps": list(demand.steps),
        "step_bytes": list(demand.step_bytes),
    }


def _port(text: str) -> Port:
    node, _, number = text.rpartition(":")
    return Port(node, int(number))


def _waiting_for(status: dict[str, Any]) -> str:
    late = [f"switch {name} is {state}" for name, state in status["switches"].items() if state != "ready"]
    more = f" and {len(late) - 4} more" if len(late) > 4 else ""
    return "; ".join([", ".join(late[:4]) + more, *status["errors"][-1:]])
