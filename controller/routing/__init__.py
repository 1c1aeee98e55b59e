"""Routing: one policy a file, and the registry that finds a policy by its text.

``policy("ecmp:seed=3").route(fabric, demands, situation)`` answers a path for every demand's flow, over links that
the situation leaves alive; ``with_acknowledgements`` adds the way back of each. All of it is pure: equal arguments,
equal paths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from controller.routing import ecmp, least_loaded, pinned, rail, seeds, shortest, spanning_tree, spray, spray_channels
from controller.routing.errors import RoutingError
from controller.routing.situation import CLEAR, Situation
from topologies.fabric import Fabric
from topologies.spelling import did_you_mean
from topologies.traffic import Demand, FlowKey, Path, Paths

__all__ = ["CLEAR", "Policy", "RoutingError", "Situation", "policy", "register", "with_acknowledgements"]


class Route(Protocol):
    """What a policy with its options bound does. RoutingError for a flow that has no way.

    ``standing``: paths that stand; a policy that weighs changes keeps what it can of them, others look at none.
    """

    def __call__(
        self, fabric: Fabric, demands: Sequence[Demand], situation: Situation = CLEAR, standing: Paths = ...
    ) -> dict[FlowKey, Path]: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """A routing policy with its options bound; ``text`` spells it.

    ``hashes_acknowledgements``: the way back is routed by its own key, as switches that hash (or look at destinations
    alone) would, instead of taking the same cables back.
    """

    text: str
    route: Route
    hashes_acknowledgements: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    route: Callable[..., dict[FlowKey, Path]]
    options: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    hashes_acknowledgements: bool = False
    weighs_changes: bool = False


_NOTHING_STANDS: Paths = {}

_REGISTRY: Mapping[str, _Entry] = {
    "spanning-tree": _Entry(spanning_tree.route),
    "shortest": _Entry(shortest.route),
    "ecmp": _Entry(ecmp.route, {"seed": seeds.option("ecmp")}, hashes_acknowledgements=True),
    "least-loaded": _Entry(least_loaded.route),
    "pinned": _Entry(pinned.route, weighs_changes=True),
    "rail": _Entry(rail.route, hashes_acknowledgements=True),
    "spray": _Entry(spray.route),
    "spray-channels": _Entry(
        spray_channels.route, {"seed": seeds.option("spray-channels")}, hashes_acknowledgements=True
    ),
}


def names() -> tuple[str, ...]:
    """Our own policies, without options."""
    return tuple(_REGISTRY)


_OWN: dict[str, _Entry] = {}
"""Policies of one's own, by their whole text: see ``controller.own_policies``."""


def register(text: str, route: Callable[..., dict[FlowKey, Path]]) -> None:
    """From now on ``text``, as it stands, names this policy; it has no options."""
    _OWN[text] = _Entry(route)


def policy(text: str) -> Policy:
    """The policy that ``text`` names: ``name`` or ``name:option=value,...``. RoutingError if there is none such."""
    name, _, rest = (text, "", "") if text in _OWN else text.partition(":")
    entry = _OWN.get(text) or _REGISTRY.get(name)
    if entry is None:
        raise RoutingError(f"no routing policy {name!r}: {did_you_mean(name, _REGISTRY)}")
    options = _options(name, entry, rest)

    def route(
        fabric: Fabric, demands: Sequence[Demand], situation: Situation = CLEAR, standing: Paths = _NOTHING_STANDS
    ) -> dict[FlowKey, Path]:
        situation.check(fabric)
        more = {**options, "standing": standing} if entry.weighs_changes else options
        return entry.route(fabric, demands, situation=situation, **more)

    return Policy(text, route, entry.hashes_acknowledgements)


def _options(name: str, entry: _Entry, rest: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for part in rest.split(",") if rest else ():
        option, equals, value = part.partition("=")
        if option not in entry.options:
            known = f"did you mean {', '.join(map(repr, entry.options))}?" if entry.options else "it takes none"
            raise RoutingError(f"policy {name!r} has no option {option!r}: {known}")
        if option in options:
            raise RoutingError(f"policy {name!r}: option {option!r} is given twice")
        if not equals:
            raise RoutingError(f"policy {name!r}: option {option!r} needs a value, as in {name}:{option}=3")
        options[option] = entry.options[option](value)
    return options


def with_acknowledgements(
    policy: Policy, fabric: Fabric, demands: Sequence[Demand], paths: Paths, situation: Situation = CLEAR
) -> dict[FlowKey, Path]:
    """``paths`` and the way back of every flow that is not itself demanded both ways."""
    back = [demand for demand in demands if demand.key.reversed() not in paths]
    if policy.hashes_acknowledgements:
        hashed = policy.route(fabric, [Demand(demand.key.reversed(), (), ()) for demand in back], situation)
        return {**paths, **hashed}
    return {**paths, **{demand.key.reversed(): paths[demand.key].reversed(fabric) for demand in back}}
