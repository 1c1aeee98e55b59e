"""One collective on one fabric, measured: what an exercise's file and its checks both look at.

Theory of operation. All exercises live on one small network: links of 100 Mb/s (``B``), and 200 us (``ALPHA_S``) from
the end of a step to the bytes of the next. A *Setup* says fabric, placement, schedule and bytes; a policy's name, a
routing function or ready paths say which way the flows go. ``simulate`` answers at once, by flows that share links
fairly; ``ringlab.exercises.real`` answers the same question with packets. Nothing but payload is counted here, so that
the answers can be derived on paper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from collectives import algorithms
from collectives.job import connections, demands
from collectives.metrics import busbw_factor
from collectives.schedule import Schedule
from controller import routing
from controller.routing.layout import once_a_fabric
from controller.routing.next_hops import NextHops, ends, host_to_host
from ringlab.experiments import placement as placements
from simulation.collective import Job, Ways, plan
from simulation.conditions import Conditions
from simulation.links import Links
from simulation.run import Timeline
from simulation.run import simulate as replay
from topologies import catalog
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path, Paths, link_bytes

B = 100e6
"""Bits a second of a link, unless an exercise says otherwise."""

ALPHA_S = 200e-6
"""Seconds that a step costs before its first byte."""

ITEMSIZE = 4
"""Of a float."""

RouteFunction = Callable[[Fabric, Sequence[Demand]], Mapping[FlowKey, Path]]
Routing = str | RouteFunction | Mapping[FlowKey, Path]


@lru_cache(64)
def fabric(short_form: str) -> Fabric:
    """``fabric("leaf-spine:leaves=4,spines=2,hosts=2")``, with links of 100 Mb/s and no latency of their own."""
    name, _, rest = short_form.partition(":")
    given = {part.partition("=")[0] for part in rest.split(",") if part}
    ours = [text for key, text in (("rate", "rate=100M"), ("latency", "latency=0s")) if key not in given]
    return catalog.from_short_form(f"{name}:{','.join(filter(None, [rest, *ours]))}")


@dataclass(frozen=True)
class Setup:
    """A collective to be measured. ``hosts``: contiguous, interleaved, or the host of each rank."""

    fabric: Fabric
    schedule: Schedule
    nbytes: int
    hosts: str | tuple[str, ...] = "contiguous"

    @classmethod
    def of(cls, short_form: str, algorithm: str, ranks: int, nbytes: int, hosts: str = "contiguous") -> Setup:
        """``Setup.of("star:hosts=8", "ring", 8, 16_000_000)``."""
        return cls(fabric(short_form), algorithms.build(algorithm, ranks), nbytes, hosts)

    @cached_property
    def placement(self) -> tuple[str, ...]:
        if isinstance(self.hosts, str):
            return placements.KINDS[self.hosts](self.fabric, self.schedule.num_ranks)
        return self.hosts

    @cached_property
    def demands(self) -> list[Demand]:
        """Who sends how many bytes to whom, and in which steps: what a routing policy is asked to serve."""
        return demands(self.schedule, self.placement, self.nbytes // ITEMSIZE, ITEMSIZE)

    def paths(self, route: Routing = "pinned") -> Paths:
        """The way of every flow."""
        if isinstance(route, str):
            return routing.policy(route).route(self.fabric, self.demands)
        return route(self.fabric, self.demands) if callable(route) else route


@dataclass(frozen=True)
class Measurement:
    """How long it took, and what crossed the links. Shares are of ``B``."""

    setup: Setup
    time_s: float
    link_bytes: Counter[Port]
    timeline: Timeline | None = None

    @property
    def algbw(self) -> float:
        """Bytes of the message over the time, as a share of B."""
        return 8 * self.setup.nbytes / self.time_s / B

    @property
    def busbw(self) -> float:
        """What an ideal ring's links would carry meanwhile, as a share of B: algbw * 2(n - 1) / n."""
        return self.algbw * busbw_factor("all_reduce", self.setup.schedule.num_ranks)


def simulate(
    setup: Setup,
    route: Routing = "pinned",
    *,
    alpha_s: float = ALPHA_S,
    slow: Mapping[str, float] | None = None,
) -> Measurement:
    """``slow``: by link name the share of its rate that is left, both ways."""
    paths = setup.paths(route)
    links = Links.of(setup.fabric, lambda port: _rate_bps(setup.fabric, port, slow or {}))
    keys = connections(setup.schedule, setup.placement)
    ways: Ways = {pair: [(port, 1.0) for port in paths[key].hops] for pair, key in keys.items()}
    job = Job.of(setup.schedule, setup.nbytes // ITEMSIZE, ITEMSIZE)
    conditions = Conditions(turnaround_s=alpha_s, payload_share=1.0, ack_share=0.0)
    work = plan(job, ways, {}, links, conditions)
    (timeline,) = replay([work], [setup.schedule.num_ranks], links)
    return Measurement(setup, timeline.completion_s, link_bytes(setup.demands, paths), timeline)


def _rate_bps(fabric: Fabric, port: Port, slow: Mapping[str, float]) -> float:
    link = fabric.link(port)
    return link.rate_bps * slow.get(link.name, 1.0)


def ways(fabric: Fabric, key: FlowKey, dead: frozenset[str] = frozenset(), most: int = 64) -> list[Path]:
    """The shortest ways of a flow over links that are not ``dead``, at most so many. RoutingError if there is none."""
    hops = NextHops(fabric, dead) if dead else _next_hops(fabric)
    walks = hops.walks(*ends(fabric, key, dead), limit=most)
    return [host_to_host(fabric, key, walk) for walk in walks]


@once_a_fabric
def _next_hops(fabric: Fabric) -> NextHops:
    return NextHops(fabric)


def link_names(fabric: Fabric, path: Path) -> list[str]:
    """The cables that a path crosses, as ``leaf1-spine2``."""
    return [fabric.link(port).name for port in path.hops]
