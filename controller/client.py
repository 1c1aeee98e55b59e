"""Client: what a program says to the controller, over its northbound face. Blocking, standard library only."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

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
    def __init__(self, address: str) -> None:
        """``address`` is ``ip:port`` of the northbound face."""
        self.address = address
        self._epoch = 0

    def status(self) -> dict[str, Any]:
        """The status object: ready, epoch, policy, job, switches, errors, refused, handler_errors, framework ..."""
        return self._ask("GET", "/v1/status")  # type: ignore[no-any-return] # an object by the contract

    def announce(self, name: str, policy: str, demands: Iterable[Demand]) -> Announced:
        """Installs the job in the place of the one before; returns when it is taken, see ``wait_ready``."""
        body = {"name": name, "policy": policy, "demands": [_demand(demand) for demand in demands]}
        taken = self._ask("PUT", "/v1/job", body)
        self._epoch = taken["epoch"]
        return Announced(taken["epoch"], taken["objective"], taken["lower_bound"], taken["gap"])

    def withdraw(self) -> None:
        """Back to the resident rules alone; without a job, nothing happens."""
        self._epoch = self._ask("DELETE", "/v1/job")["epoch"]

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
        """The paths of the job's flows and of their acknowledgements; empty without a job."""
        return {
            FlowKey(item["src"], item["dst"], item["src_port"], item["dst_port"]): Path(
                tuple(_port(hop) for hop in item["hops"])
            )
            for item in self._ask("GET", "/v1/paths")
        }

    def rules(self) -> list[dict[str, Any]]:
        """Every rule of every switch: switch, priority, match, out_port, cookie."""
        return self._ask("GET", "/v1/rules")  # type: ignore[no-any-return] # a list by the contract

    def _ask(self, method: str, target: str, body: Any = None, hold_s: float = 0.0) -> Any:
        connection = HTTPConnection(self.address, timeout=hold_s + PATIENCE_S)
        try:
            connection.request(method, target, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = json.loads(answer.read())
        except (OSError, HTTPException, ValueError) as error:
            raise ControllerError(f"no answer from the controller at {self.address}: {error}; does it run?") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise ControllerError(f"the controller refused: {content['error']}")
        return content


def _demand(demand: Demand) -> dict[str, Any]:
    key = demand.key
    return {
        "src": key.src,
        "dst": key.dst,
        "src_port": key.src_port,
        "dst_port": key.dst_port,
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
