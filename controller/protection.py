"""Protection: for each flow a backup that shares no link with its path, found before any link dies. Pure.

The backup is chosen as if a link of the path were dead: then all flows that used that link are on their backups
together. So what counts for a candidate is, for the worst of the path's links, what that link's other backups and
everybody's paths already put on the candidate's links. Candidates are the shortest ways that share no link with the
path; where there is none, the shortest detour. Sizes are totals of all steps: a failure does not wait for a step.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial

from controller.routing.next_hops import NextHops, Trunks, host_to_host, trunks
from controller.routing.situation import CLEAR, Situation
from controller.rules import MAX_GROUP_PORT
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path, Paths

MAX_CANDIDATES = 64
"""Shortest ways looked at for a flow: the first so many."""

MAX_BACKUP_HOPS = 32
"""Links between switches that a backup has at most: each costs a rule for each flow. A large ring has no backups."""

Walk = tuple[Port, ...]

_NOTHING_STANDS: Paths = {}


def backups(
    fabric: Fabric,
    demands: Sequence[Demand],
    paths: Paths,
    situation: Situation = CLEAR,
    standing: Paths = _NOTHING_STANDS,
) -> dict[FlowKey, Path]:
    """Backups for the flows of ``paths`` that can have one; those of ``standing`` stay where they still are ones.

    A flow within one switch has none, nor has one whose ports have numbers that do not fit into a group's.
    """
    search = _Search(fabric, demands, paths, situation)
    found: dict[FlowKey, Path] = {}
    for key, path in paths.items():
        stands = standing.get(key)
        if stands is not None and search.is_backup(path, stands):
            found[key] = stands
            search.put(key, path, stands)
    for key, path in paths.items():
        if key in found or len(path.hops) < 3:
            continue
        back = key.reversed()
        mirrored = back in found and path == paths[back].reversed(fabric)
        backup = found[back].reversed(fabric) if mirrored else search.best(key, path)
        if backup is not None:
            found[key] = backup
            search.put(key, path, backup)
    return found


class _Search:
    def __init__(self, fabric: Fabric, demands: Sequence[Demand], paths: Paths, situation: Situation) -> None:
        self._fabric, self._dead = fabric, situation.dead
        self._trunks = trunks(fabric, situation.dead)
        self._hops = NextHops(fabric, situation.dead)
        self._bits = {demand.key: 8 * demand.nbytes for demand in demands}
        self._rate = cache(lambda port: situation.residual_rate_bps(fabric, port))
        self._walks = cache(lambda source, target: self._hops.walks(source, target, MAX_CANDIDATES))
        self._load_s: dict[Port, float] = defaultdict(float)  # by the flows' paths
        self._moved_s: dict[tuple[str, Port], float] = defaultdict(float)  # by backups, while that link is dead
        for demand in demands:
            for port in paths[demand.key].hops:
                self._load_s[port] += 8 * demand.nbytes / self._rate(port)

    def is_backup(self, path: Path, other: Path) -> bool:
        """Whether ``other`` could stand in for ``path``: alive, from switch to switch, no link of it."""
        links = self._links(other.hops[1:-1])
        return (
            other.hops[0] == path.hops[0]
            and other.hops[-1] == path.hops[-1]
            and links.isdisjoint(self._links(path.hops[1:-1]))
            and links.isdisjoint(self._dead)
        )

    def best(self, key: FlowKey, path: Path) -> Path | None:
        links = self._links(path.hops[1:-1])
        candidates = list(self._candidates(path, links))
        if not candidates:
            return None
        return host_to_host(self._fabric, key, min(candidates, key=partial(self._cost, key, links)))

    def put(self, key: FlowKey, path: Path, backup: Path) -> None:
        bits = self._bits.get(key, 0)  # acknowledgements weigh nothing
        for link in self._links(path.hops[1:-1]):
            for port in backup.hops[1:-1]:
                self._moved_s[link, port] += bits / self._rate(port)

    def _candidates(self, path: Path, links: frozenset[str]) -> Iterator[Walk]:
        if not self._can_group(path.hops[1:]):
            return
        source, target = path.hops[1].node, path.hops[-1].node
        shortest = self._walks(source, target)
        disjoint = [walk for walk in shortest if links.isdisjoint(self._links(walk))]
        for walk in disjoint or _detours(self._fabric, self._trunks, source, target, links):
            if len(walk) <= MAX_BACKUP_HOPS and self._can_group(walk):
                yield walk

    def _cost(self, key: FlowKey, links: Collection[str], walk: Walk) -> tuple[float, float]:
        """The largest load that it would make while a link of the path is dead, and the sum of the loads it meets."""
        bits = self._bits.get(key, 0)
        loads = [
            self._load_s[port] + self._moved_s.get((link, port), 0.0) + bits / self._rate(port)
            for link in links
            for port in walk
        ]
        return max(loads), sum(loads)

    def _can_group(self, ports: Iterable[Port]) -> bool:
        """Whether the numbers of these ports and of those that they come in by fit into a group's number."""
        return all(max(port.number, self._fabric.peer(port).number) <= MAX_GROUP_PORT for port in ports)

    def _links(self, ports: Iterable[Port]) -> frozenset[str]:
        return frozenset(self._fabric.link(port).name for port in ports)


def _detours(fabric: Fabric, neighbours: Trunks, source: str, target: str, links: frozenset[str]) -> list[Walk]:
    """The first shortest way without ``links`` that is short enough, or none."""
    came: dict[str, Port | None] = {source: None}
    queue = deque([(source, 0)])
    while queue and target not in came:
        switch, hops = queue.popleft()
        for port, peer in neighbours[switch] if hops < MAX_BACKUP_HOPS else ():
            if peer not in came and fabric.link(port).name not in links:
                came[peer] = port
                queue.append((peer, hops + 1))
    return [_way(came, target)] if target in came else []


def _way(came: Mapping[str, Port | None], target: str) -> Walk:
    ports: list[Port] = []
    while (port := came[target]) is not None:
        ports.append(port)
        target = port.node
    return tuple(reversed(ports))
