"""A routing policy of one's own: each flow on the way that the fewest flows use so far.

ringlab ab leaf-spine:leaves=4,spines=2,hosts=2 ecmp file:examples/my_policy.py pinned --backend simulated
"""

from collections import Counter
from collections.abc import Sequence

from ringlab.exercises.measure import ways
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path


def route(fabric: Fabric, demands: Sequence[Demand]) -> dict[FlowKey, Path]:
    """A Path for every demand's key; see docs/how-to/own-policy.md."""
    flows: Counter[Port] = Counter()
    paths = {}
    for demand in demands:
        paths[demand.key] = min(ways(fabric, demand.key), key=lambda way: max(flows[port] for port in way.hops))
        flows.update(paths[demand.key].hops)
    return paths
