"""Names to generators, and the short form ``leaf-spine:leaves=4,spines=2,hosts=2,rate=100G,latency=1us``.

A generator's parameters, their kinds, defaults and help are read from its signature, so that a new generator is one
line in ``GENERATORS``. The suffix says the kind: ``host_rate_bps`` is written ``host_rate=100G``, ``host_latency_s``
is written ``host_latency=1us``, all else is a count. ``rate`` stands for ``host_rate`` and ``fabric_rate`` where these
are not given by themselves, ``latency`` likewise; a thin, slow uplink stays what it is. ``system:dgx-h100-2`` names no
generator but a real system (``systems.py``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import get_type_hints

from topologies import systems
from topologies.counts import ParameterError
from topologies.dragonfly import dragonfly
from topologies.dual_plane import dual_plane
from topologies.edge_sites import edge_sites
from topologies.fabric import Fabric, FabricError
from topologies.fat_tree import fat_tree
from topologies.leaf_spine import leaf_spine
from topologies.mesh import mesh, torus
from topologies.rail import rail
from topologies.rates import format_latency, format_rate, parse_latency, parse_rate
from topologies.ring import ring
from topologies.spelling import did_you_mean
from topologies.star import star
from topologies.tree import tree

GENERATORS: Mapping[str, Callable[..., Fabric]] = {
    "leaf-spine": leaf_spine,
    "ring": ring,
    "tree": tree,
    "mesh": mesh,
    "torus": torus,
    "fat-tree": fat_tree,
    "rail": rail,
    "dual-plane": dual_plane,
    "dragonfly": dragonfly,
    "star": star,
    "edge-sites": edge_sites,
}

_STANDS_FOR = {"rate": ("host_rate", "fabric_rate"), "latency": ("host_latency", "fabric_latency")}
_SUFFIXES = {"rate": "_bps", "latency": "_s", "count": ""}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A generator's parameter as it is written: ``kind`` is count, rate or latency.

    ``default`` is None for one that is required, and for one that follows from the others (``help`` says how).
    """

    name: str
    kind: str
    required: bool
    default: str | None
    help: str

    @property
    def keyword(self) -> str:
        """The generator's own name for it."""
        return self.name + _SUFFIXES[self.kind]


@lru_cache(maxsize=64)
def parameters(generator: str) -> tuple[Parameter, ...]:
    """The parameters of a generator in ``GENERATORS``. FabricError if there is no such generator."""
    function = _find(generator)
    hints = get_type_hints(function, include_extras=True)
    return tuple(
        _parameter(name, parameter, hints[name].__metadata__[0])
        for name, parameter in inspect.signature(function).parameters.items()
    )


def generate(generator: str, settings: Mapping[str, object]) -> Fabric:
    """The fabric for ``settings`` as written (``{"leaves": 4, "rate": "100G"}``); text and numbers both do.

    Raises FabricError for an unknown generator; ParameterError for a parameter that is unknown, missing or wrong.
    """
    function, known = _find(generator), parameters(generator)
    names = [parameter.name for parameter in known]
    shared = {name: shared for shared, stands_for in _STANDS_FOR.items() for name in stands_for if name in names}
    for name in settings:
        if name not in names and name not in shared.values():
            raise ParameterError(name, f"{generator} has no such parameter; {did_you_mean(name, names)}")
    arguments = {}
    for parameter in known:
        written = parameter.name if parameter.name in settings else shared.get(parameter.name, parameter.name)
        if written in settings:
            arguments[parameter.keyword] = _value(parameter.kind, written, settings[written])
        elif parameter.required:
            raise ParameterError(parameter.name, f"is missing; give {generator} the number of {parameter.help}")
    return function(**arguments)


@lru_cache(maxsize=16)
def from_short_form(text: str) -> Fabric:
    """``"ring:switches=8,hosts=1"`` -> the fabric, remembered. FabricError says what is wrong with the text."""
    if text.partition(":")[0].strip() == systems.WORD:
        return systems.from_short_form(text)
    generator, _, rest = text.partition(":")
    settings: dict[str, object] = {}
    _find(generator.strip())
    for setting in filter(None, (part.strip() for part in rest.split(","))):
        name, equals, value = (part.strip() for part in setting.partition("="))
        if not equals:
            raise FabricError(f"{text}: {setting!r} is no setting; write {name}=VALUE")
        if name in settings:
            raise FabricError(f"{text}: {name} is given twice; keep one")
        settings[name] = value
    try:
        return generate(generator.strip(), settings)
    except FabricError as error:
        raise FabricError(f"{text}: {error}") from None


def _find(generator: str) -> Callable[..., Fabric]:
    try:
        return GENERATORS[generator]
    except KeyError:
        raise FabricError(
            f"no generator {generator!r}; {did_you_mean(generator, (*GENERATORS, systems.WORD))}"
        ) from None


def _parameter(keyword: str, parameter: inspect.Parameter, explanation: str) -> Parameter:
    kind = next(kind for kind, suffix in _SUFFIXES.items() if keyword.endswith(suffix))
    name = keyword.removesuffix(_SUFFIXES[kind])
    required = parameter.default is inspect.Parameter.empty
    return Parameter(name, kind, required, _written(kind, parameter.default), explanation)


def _written(kind: str, default: object) -> str | None:
    match default:
        case int() if kind == "rate":
            return format_rate(default)
        case float() if kind == "latency":
            return format_latency(default)
        case int():
            return str(default)
    return None


def _value(kind: str, name: str, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ParameterError(name, f"{value!r} is no {kind}")
    try:
        if kind == "rate":
            return parse_rate(str(value))
        return parse_latency(str(value)) if kind == "latency" else _count(str(value))
    except ValueError as error:
        raise ParameterError(name, str(error)) from None


def _count(text: str) -> int:
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 9):
        raise ValueError(f"{text!r} is no count; write a whole number")
    return int(text)
