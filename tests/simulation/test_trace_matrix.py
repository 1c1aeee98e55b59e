"""Work as htsim's connection matrix: the same messages wait for the same others, or one line says why not."""

import numpy as np
import pytest

from collectives.algorithms import build
from collectives.interchange import goal
from collectives.interchange.goal_reader import read
from collectives.interchange.trace import Calculation, Collective, Send, Trace, TraceError
from collectives.interchange.trace import Receive as Get
from controller.routing import policy
from simulation.links import Links
from simulation.trace import of_matrix, of_trace, simulate
from simulation.trace_matrix import to_matrix
from topologies import htsim_traffic
from topologies.star import star

STAR = star(8)


def ends(work):
    paths = policy("shortest").route(STAR, work.demands())
    found = simulate(work, paths, Links.of(STAR))
    return np.sort(found.end_s[work.connection >= 0]), found.link_bytes


@pytest.mark.parametrize(
    ("name", "operation"),
    [("ring", "all_reduce"), ("halving-doubling", "all_reduce"), ("pairwise", "all_to_all"), ("chain", "broadcast"),
     ("recursive-doubling", "all_reduce"), ("rooted", "gather")],
)  # fmt: skip
def test_every_message_ends_when_it_did(name, operation):
    schedule = build(name, 8, operation=operation)
    work = of_trace(read(goal.write(schedule, 8_000_000, 1)), STAR.hosts)
    matrix = htsim_traffic.loads(htsim_traffic.dumps(to_matrix(work, STAR)))
    again = of_matrix(matrix, STAR)
    assert len(matrix.connections) == (work.connection >= 0).sum()
    for found, expected in zip(ends(again)[0], ends(work)[0], strict=True):
        assert found == pytest.approx(expected, rel=1e-9)
    assert ends(again)[1] == ends(work)[1]


def test_a_barrier_of_many_is_a_trigger_of_many():
    """16 messages, then a barrier that each rank comes to with two of them, then one more."""
    ranks = []
    for rank in range(8):
        its = [Send(place="s", peer=(rank + step) % 8, nbytes=1000, tag=step) for step in (1, 2)]
        its += [Get(place="r", peer=(rank - step) % 8, nbytes=1000, tag=step) for step in (1, 2)]
        its.append(Collective(place="b", operation="barrier", ranks=tuple(range(8)), nbytes=0, after=(0, 1, 2, 3)))
        ranks.append(its)
    ranks[0].append(Send(place="last", peer=5, nbytes=7, tag=9, after=(4,)))
    ranks[5].append(Get(place="last", peer=0, nbytes=7, tag=9))
    matrix = to_matrix(of_trace(Trace(tuple(map(tuple, ranks))), STAR.hosts), STAR)
    assert [(one.kind, one.count) for one in matrix.triggers.values()] == [("barrier", 16)]
    assert [one.size for one in matrix.connections if one.trigger] == [7]


def test_what_htsim_has_no_words_for_is_refused():
    calc = Trace(((Calculation(place="c", duration_s=1.0),),))
    with pytest.raises(TraceError, match="has no calculations"):
        to_matrix(of_trace(calc, ("h1",)), STAR)
    waits = [(), (), (), (0,), (0, 1), (0, 2)]
    sends = tuple(Send(place="s", peer=1, nbytes=5, tag=tag, after=after) for tag, after in enumerate(waits))
    takes = tuple(Get(place="r", peer=0, nbytes=5, tag=tag) for tag in range(len(waits)))
    with pytest.raises(TraceError, match="3 different sets of messages wait for one from h1 to h2"):
        to_matrix(of_trace(Trace((sends, takes)), STAR.hosts[:2]), STAR)
    fewer = to_matrix(of_trace(Trace((sends[:5], takes[:5])), STAR.hosts[:2]), STAR)
    assert [one.trigger for one in fewer.connections] == [None, None, None, 1, 2]
    assert fewer.connections[0].sets_off == (1, 2)
