"""Routing: one policy a file, and the registry that finds a policy by its text.

``policy("ecmp:seed=3").route(fabric, demands)`` answers a path for every demand's flow;
``with_acknowledgements`` adds the way back of each. All of it is pure: equal arguments, equal paths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from controller.routing import ecmp, pinned, shortest, spanning_tree
from controller.routing.errors import RoutingError
from topologies.fabric import Fabric
from topologies.spelling import did_you_mean
from topologies.traffic import Demand, FlowKey, Path, Paths

__all__ = ["Policy", "RoutingError", "policy", "with_acknowledgements"]

Route = Callable[..., dict[FlowKey, Path]]


@dataclass(frozen=True, slots=True)
class Policy:
    """A routing policy with its options bound; ``text`` spells it.

    ``hashes_acknowledgements``: the way back is routed by its own 5-tuple, as switches that hash would, instead of
    taking the same cables back.
    """

    text: str
    route: Callable[[Fabric, Sequence[Demand]], dict[FlowKey, Path]]
    hashes_acknowledgements: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    route: Route
    options: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    hashes_acknowledgements: bool = False


_REGISTRY: Mapping[str, _Entry] = {
    "spanning-tree": _Entry(spanning_tree.route),
    "shortest": _Entry(shortest.route),
    "ecmp": _Entry(ecmp.route, {"seed": ecmp.seed}, hashes_acknowledgements=True),
    "pinned": _Entry(pinned.route),
}


def policy(text: str) -> Policy:
    """The policy that ``text`` names: ``name`` or ``name:option=value,...``. RoutingError if there is none such."""
    name, _, rest = text.partition(":")
    entry = _REGISTRY.get(name)
    if entry is None:
        raise RoutingError(f"no routing policy {name!r}: {did_you_mean(name, _REGISTRY)}")
    return Policy(text, partial(entry.route, **_options(name, entry, rest)), entry.hashes_acknowledgements)


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
    policy: Policy, fabric: Fabric, demands: Sequence[Demand], paths: Paths
) -> dict[FlowKey, Path]:
    """``paths`` and the way back of every flow that is not itself demanded both ways."""
    back = [demand for demand in demands if demand.key.reversed() not in paths]
    if policy.hashes_acknowledgements:
        hashed = policy.route(fabric, [Demand(demand.key.reversed(), (), ()) for demand in back])
        return {**paths, **hashed}
    return {**paths, **{demand.key.reversed(): paths[demand.key].reversed(fabric) for demand in back}}
