"""König's theorem, checked: a proper colouring with as many colours as the largest degree, an even one with fewer."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.routing.edge_colouring import colour_edges, colour_evenly

multigraphs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=40)


def degree(edges):
    counts = Counter((side, edge[side]) for edge in edges for side in (0, 1))
    return max(counts.values(), default=0)


@given(multigraphs)
def test_as_many_colours_as_the_degree_are_enough(edges):
    colours = colour_edges(edges, degree(edges))
    met = Counter((side, edge[side], colour) for edge, colour in zip(edges, colours, strict=True) for side in (0, 1))
    assert set(met.values()) <= {1}
    assert set(colours) <= set(range(degree(edges)))


@given(multigraphs, st.integers(1, 5))
def test_fewer_colours_come_evenly_at_every_vertex(edges, count):
    colours = colour_evenly(edges, count)
    for side in (0, 1):
        for vertex in {edge[side] for edge in edges}:
            met = Counter(colour for edge, colour in zip(edges, colours, strict=True) if edge[side] == vertex)
            total = sum(met.values())
            assert max(met.values()) == -(-total // count)
            assert all(met[colour] >= total // count for colour in range(count))


def test_too_few_colours_are_refused():
    with pytest.raises(ValueError, match="edge 2: an end has more edges than there are colours"):
        colour_edges([(0, 0), (0, 1), (0, 2)], 2)


def test_the_target_size():
    hosts_of = 32
    order = random.Random(1).sample(range(64 * hosts_of), 64 * hosts_of)
    edges = [(here // hosts_of, there // hosts_of) for here, there in enumerate(order)]
    colours = colour_evenly(edges, 32)
    assert len(colours) == len(edges)
