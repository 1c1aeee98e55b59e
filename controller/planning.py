"""Planning: route, protect, turn into entries, prove. All that can fail does so here, before any state changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.job_request import JobRequest
from controller.proof import prove
from controller.protection import backups
from controller.routing import policy, with_acknowledgements
from controller.routing.placement import Assessment, assess
from controller.routing.situation import CLEAR, Situation
from controller.rules import FLOW_VERSIONS, Entry, Route, flow_entries
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path, Paths

_NOTHING_STANDS: Mapping[FlowKey, Route] = {}


@dataclass(frozen=True, slots=True)
class Plan:
    """A job routed and proved. ``number``: the job's in cookies, from 1. ``priority``: 0 is everybody's.

    ``routes`` holds the demands' flows and their acknowledgements, ``assessment`` is of their paths in the situation
    that the plan was made for.
    """

    name: str
    number: int
    policy: str
    demands: tuple[Demand, ...]
    priority: int
    routes: Mapping[FlowKey, Route]
    entries: tuple[Entry, ...]
    assessment: Assessment

    @property
    def paths(self) -> Paths:
        return {key: route.path for key, route in self.routes.items()}


def plan(
    fabric: Fabric,
    request: JobRequest,
    number: int,
    epoch: int,
    situation: Situation = CLEAR,
    standing: Mapping[FlowKey, Route] = _NOTHING_STANDS,
    moves_little: bool = False,
) -> Plan:
    """The plan of a job in a situation. A flow whose way stays as it is in ``standing`` keeps its version.

    ``moves_little``: ways that stand are kept where that costs little, as is right when a link dies; without it, a
    job is placed the same whatever stood before, as is right when it is announced.

    RoutingError for a policy that isn't known or demands without a way; FabricError for hosts that the fabric
    hasn't; ProofError where the entries would not do what was planned.
    """
    chosen = policy(request.policy)
    kept = standing if moves_little else _NOTHING_STANDS
    paths = chosen.route(fabric, request.demands, situation, {key: route.path for key, route in kept.items()})
    everything = with_acknowledgements(chosen, fabric, request.demands, paths, situation)
    kept_backups = {key: route.backup for key, route in kept.items() if route.backup}
    protected = backups(fabric, request.demands, everything, situation, kept_backups)
    routes = {key: _route(path, protected.get(key), epoch, standing.get(key)) for key, path in everything.items()}
    entries = tuple(flow_entries(fabric, routes, number, request.priority))
    prove(fabric, entries, routes, situation.dead)
    assessment = assess(fabric, request.demands, paths, situation)
    return Plan(request.name, number, request.policy, request.demands, request.priority, routes, entries, assessment)


def _route(path: Path, backup: Path | None, epoch: int, standing: Route | None) -> Route:
    """With the standing version where nothing changes, else with another: never two ways under one tag."""
    if standing is not None and (standing.path, standing.backup) == (path, backup):
        return standing
    version = FLOW_VERSIONS[epoch % len(FLOW_VERSIONS)]
    if standing is not None and version == standing.version:
        version = FLOW_VERSIONS[(epoch + 1) % len(FLOW_VERSIONS)]
    return Route(path, backup, version)


def busy_of(fabric: Fabric, plans: Iterable[Plan]) -> dict[Port, float]:
    """By directed link the share of its time that the plans' flows use it, if each job sends without a pause."""
    busy: dict[Port, float] = defaultdict(float)
    for job in plans:
        for demand in job.demands:
            for port in job.routes[demand.key].path.hops:
                if demand.nbytes:
                    busy[port] += 8 * demand.nbytes / fabric.rate_bps(port) / job.assessment.objective_s
    return busy
