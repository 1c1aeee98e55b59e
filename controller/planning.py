"""Planning: route, turn into rules, prove. All that can fail does so here, before any state changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controller.routing import policy, with_acknowledgements
from controller.routing.placement import Assessment, assess
from controller.rules import Rule, flow_rules, resident_rules
from controller.tables import prove
from topologies.fabric import Fabric
from topologies.traffic import Demand, Paths


@dataclass(frozen=True, slots=True)
class Plan:
    """A job routed and proved. ``paths`` holds the demands' flows and their acknowledgements."""

    name: str
    policy: str
    demands: tuple[Demand, ...]
    paths: Paths
    rules: tuple[Rule, ...]
    assessment: Assessment


def plan(fabric: Fabric, name: str, policy_text: str, demands: Sequence[Demand], epoch: int = 0) -> Plan:
    """The plan of a job; ``epoch`` goes into the cookies of its rules.

    RoutingError for a policy that isn't known or demands without a way; FabricError for hosts that the fabric
    hasn't; ProofError where the rules would not do what was planned.
    """
    chosen = policy(policy_text)
    paths = chosen.route(fabric, demands)
    everything = with_acknowledgements(chosen, fabric, demands, paths)
    rules = flow_rules(fabric, everything, epoch)
    prove(fabric, [*resident_rules(fabric), *rules], everything)
    return Plan(name, policy_text, tuple(demands), everything, tuple(rules), assess(fabric, demands, paths))
