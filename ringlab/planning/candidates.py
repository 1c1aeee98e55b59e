"""Fabrics that a budget buys: for a number of hosts, and at most so many switches of so many ports, all that fit.

Each generator of the catalog proposes shapes for n hosts: every way to share hosts out over leaves, with as many
uplinks as hosts, half, a quarter and an eighth of them, in as few spines as the ports allow; the smallest fat tree and
trees; rings, grids and tori; dragonflies; rails and planes, whose hosts have a NIC of the full rate in each. What is
proposed is built as a fabric and counted as it stands: only what is within the budget is kept. (Edge sites are not
bought: they are where they are.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from topologies.catalog import generate
from topologies.fabric import Fabric, FabricError

SHARES = (1, 2, 4, 8)
"""Hosts of a leaf over its uplinks: from as many to an eighth."""

RAILS = (2, 4, 8)

MOST_HOSTS = 1024


@dataclass(frozen=True, slots=True)
class Prices:
    """In any unit: of a switch without its ports, of a switch port in use, of a cable."""

    switch: float = 10.0
    port: float = 1.0
    cable: float = 0.5


@dataclass(frozen=True, slots=True)
class Budget:
    """None: no limit. ``ports`` of one switch; ``cost`` in the unit of ``prices``."""

    switches: int | None = None
    ports: int | None = None
    cost: float | None = None
    prices: Prices = Prices()

    def allows(self, parts: Parts) -> bool:
        limits = ((self.switches, parts.switches), (self.ports, parts.most_ports), (self.cost, parts.cost))
        return all(limit is None or used <= limit for limit, used in limits)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a fabric is made of. ``ports``: of switches, in use; ``most_ports``: of the largest switch."""

    switches: int
    ports: int
    most_ports: int
    cables: int
    cost: float

    @classmethod
    def of(cls, fabric: Fabric, prices: Prices) -> Parts:
        each = [len(fabric.ports(switch)) for switch in fabric.switches]
        cost = len(each) * prices.switch + sum(each) * prices.port + len(fabric.links) * prices.cable
        return cls(len(each), sum(each), max(each), len(fabric.links), cost)


@dataclass(frozen=True, slots=True)
class Candidate:
    """``form`` is its short form, but for the rates."""

    form: str
    fabric: Fabric
    parts: Parts


def candidates(hosts: int, budget: Budget, rate: str) -> Iterator[Candidate]:
    """All fabrics within ``budget`` that have ``hosts`` or more, every link of ``rate`` (as a short form has it)."""
    for generator, settings in dict.fromkeys(_shapes(hosts, budget.ports or hosts + 1)):
        try:
            fabric = generate(generator, {**dict(settings), "rate": rate})
        except FabricError:
            continue  # a shape that this generator can't have
        parts = Parts.of(fabric, budget.prices)
        if len(fabric.hosts) >= hosts and budget.allows(parts):
            form = ",".join(f"{name}={value}" for name, value in settings if (name, value) != ("links", 1))
            yield Candidate(f"{generator}:{form}", fabric, parts)


Shape = tuple[str, tuple[tuple[str, int], ...]]


def _shape(generator: str, **settings: int) -> Shape:
    return generator, tuple(settings.items())


def _shapes(hosts: int, ports: int) -> Iterator[Shape]:
    if hosts <= ports:
        yield _shape("star", hosts=hosts)
    for each in _divisors(hosts):
        switches = hosts // each
        if each < ports:
            yield from _clos(switches, each, ports)
            yield from _circles(switches, each, ports)
            yield from _rails(switches, each, ports)
    yield from _trees(hosts, ports)
    yield from _dragonflies(hosts, ports)


def _clos(leaves: int, each: int, ports: int) -> Iterator[Shape]:
    """A leaf-spine of ``leaves``, and two planes of it."""
    if leaves < 2:
        return
    for spines, links in _uplinks(leaves, each, ports):
        yield _shape("leaf-spine", leaves=leaves, spines=spines, hosts=each, links=links)
        yield _shape("dual-plane", leaves=leaves, spines=spines, hosts=each, links=links)


def _uplinks(leaves: int, each: int, ports: int) -> Iterator[tuple[int, int]]:
    """Spines, and links to each: the fewest spines that have ports for all leaves' uplinks."""
    for share in SHARES:
        uplinks = ceil(each / share)
        if each + uplinks > ports:
            continue
        for spines in _divisors(uplinks):
            if leaves * (uplinks // spines) <= ports:
                yield spines, uplinks // spines
                break


def _circles(switches: int, each: int, ports: int) -> Iterator[Shape]:
    """A ring; and grids as square, or as cubic, as may be."""
    if each + 2 <= ports and switches >= 3:
        yield _shape("ring", switches=switches, hosts=each)
    for kind in ("mesh", "torus"):
        x = max(divisor for divisor in _divisors(switches) if divisor * divisor <= switches)
        if x > 1 and each + 4 <= ports:
            yield _shape(kind, x=x, y=switches // x, hosts=each)
        z = max(divisor for divisor in _divisors(switches) if divisor**3 <= switches)
        rest = switches // z
        x = max(divisor for divisor in _divisors(rest) if divisor * divisor <= rest)
        if z > 1 and x > 1 and each + 6 <= ports:
            yield _shape(kind, x=x, y=rest // x, hosts=each, z=z)


def _rails(groups: int, each: int, ports: int) -> Iterator[Shape]:
    for rails in RAILS:
        if groups == 1:
            yield _shape("rail", groups=1, hosts=each, rails=rails, spines=0)
            continue
        for spines, links in _uplinks(groups * rails, each, ports):
            yield _shape("rail", groups=groups, hosts=each, rails=rails, spines=spines, links=links)


def _trees(hosts: int, ports: int) -> Iterator[Shape]:
    for depth in (2, 3, 4):
        fanout = max(2, ceil(hosts ** (1 / depth) - 1e-9))
        for links in (1, fanout):
            if fanout + links <= ports:
                yield _shape("tree", depth=depth, fanout=fanout, links=links)
    k = next(k for k in range(2, 2 * hosts + 4, 2) if k**3 // 4 >= hosts)
    if k <= ports:
        yield _shape("fat-tree", k=k)


def _dragonflies(hosts: int, ports: int) -> Iterator[Shape]:
    """Balanced ones: a = 2 p = 2 h (Kim et al., ISCA 2008), with as many groups as are needed."""
    for p in range(1, ports // 4 + 1):
        a = 2 * p
        groups = ceil(hosts / (a * p))
        if 2 <= groups <= a * p + 1 and p + a - 1 + p <= ports:
            yield _shape("dragonfly", a=a, p=p, h=p, groups=groups)


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]
