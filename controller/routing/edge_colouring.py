"""Edge colouring of bipartite multigraphs: so that a vertex, and a set of vertices, has every colour equally often.

Two ways, used together. *Halving*, for the factors 2 of the number of colours: at each vertex the edges are paired,
the odd ones left over are paired within the set that the vertex is in, and so on. Every edge then has a partner at its
left and one at its right end; following partners left, right, left, ... closes cycles of even length, and giving the
edges of each cycle to two halves in turn splits every pair: each vertex and each set has half its edges in each half.
All cycles are found at once by pointer jumping: O(edges x log edges) in numpy.

*Kempe chains*, for the odd factor left: D. König (1916): a bipartite multigraph of maximum degree d can be
edge-coloured with d colours. Edges are coloured one after another. The two ends of an edge each lack some colour;
where they lack no common one, let the left end lack ``a`` and the right end lack ``b``: the chain of edges coloured a,
b, a, ... from the right end never comes to the left end (it would arrive there by an edge coloured ``a``, which the
left end lacks), so exchanging the two colours along it frees ``a`` at both. Time O(edges x vertices), usually far less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEFT, RIGHT = 0, 1

Numbers = NDArray[np.int64]


def colour_edges(edges: Sequence[tuple[int, int]], colours: int) -> list[int]:
    """A colour from 0 to ``colours`` - 1 for each (left, right) edge, edges with a common end coloured differently.

    ValueError where some vertex has more edges than there are colours.
    """
    colouring = _Colouring(edges, colours)
    for edge in range(len(edges)):
        colouring.add(edge)
    return colouring.colour


def colour_evenly(
    edges: Sequence[tuple[int, int]], colours: int, sets: Sequence[tuple[int, int]] | None = None
) -> list[int]:
    """As ``colour_edges`` for vertices of any degree: a colour comes at most ceil(degree / colours) times at a vertex.

    ``sets[edge]``: the sets of vertices that its left and its right end are in, -1 for an edge that does not count
    there. Where ``colours`` is a power of two and all edges count, a colour comes at most ceil(edges / colours) times
    in each set as well; else about so. Neighbouring edges of a vertex in the order given get different colours.
    """
    odd = colours
    ends = np.array(edges, np.int64).reshape(-1, 2)
    wider = None if sets is None else np.array(sets, np.int64).reshape(-1, 2)
    half = np.zeros(len(ends), np.int64)
    while odd % 2 == 0 and len(ends):
        half = 2 * half + _halves(half, ends, wider)
        odd //= 2
    if odd == 1:
        return [int(part) for part in half.tolist()]
    return _finished(edges, half.tolist(), odd)


def _finished(edges: Sequence[tuple[int, int]], part: Sequence[int], colours: int) -> list[int]:
    """Colours each part apart, with colours of its own.

    Each vertex is split into copies which take ``colours`` of its edges each, in the order given (D. de Werra, 1971);
    the copies have a proper colouring.
    """
    copies: dict[tuple[int, int, int, int], int] = {}
    degrees: dict[tuple[int, int, int], int] = {}

    def copy(side: int, edge: int) -> int:
        at = (part[edge], side, edges[edge][side])
        degree = degrees[at] = degrees.get(at, -1) + 1
        return copies.setdefault((*at, degree // colours), len(copies))

    split = [(copy(LEFT, edge), copy(RIGHT, edge)) for edge in range(len(edges))]
    return [colours * one + colour for one, colour in zip(part, colour_edges(split, colours), strict=True)]


def _halves(part: Numbers, ends: Numbers, sets: Numbers | None) -> Numbers:
    """0 or 1 for each edge, evenly at each vertex, in each set, and altogether, in every part for itself."""
    count = len(part)
    (left, lone_left), (right, lone_right) = (_partners(part, ends, sets, side) for side in (LEFT, RIGHT))
    extra = np.arange(count, count + len(lone_left))  # an edge joins what is left over in parts of an odd size
    left, right = np.concatenate([left, lone_left]), np.concatenate([right, lone_right])
    left[lone_left], right[lone_right] = extra, extra
    least, onward = np.arange(len(left)), right[left]
    for _ in range(len(left).bit_length()):
        least, onward = np.minimum(least, least[onward]), onward[onward]
    return np.asarray(least > least[left], np.int64)[:count]


def _partners(part: Numbers, ends: Numbers, sets: Numbers | None, side: int) -> tuple[Numbers, Numbers]:
    """Each edge's partner at that side, and the edges without one: one for each part of odd size, in their order."""
    span = len(part)
    keys = [part * (int(ends.max()) + 1) + ends[:, side]]
    if sets is not None:
        counted = part * (int(sets.max()) + 1) + sets[:, side]
        keys.append(np.where(sets[:, side] < 0, -1 - np.arange(span), counted))
    keys.append(part)
    partner, lone = np.arange(span), np.arange(span)
    for key in keys:
        order = lone[np.argsort(key[lone], kind="stable")]
        new = np.concatenate([[True], key[order][1:] != key[order][:-1]])
        place = np.arange(len(order))
        place = place - np.maximum.accumulate(np.where(new, place, 0))
        first = np.flatnonzero((place[:-1] % 2 == 0) & ~new[1:])
        here, there = order[first], order[first + 1]
        partner[here], partner[there] = there, here
        alone = np.ones(len(order), bool)
        alone[first] = alone[first + 1] = False
        lone = order[alone]
        if not len(lone):
            break
    return partner, lone


class _Colouring:
    """The colours given so far: ``_at[side][vertex][colour]`` is the edge there, ``_free`` the lacking ones (bits)."""

    def __init__(self, edges: Sequence[tuple[int, int]], colours: int) -> None:
        self.colour = [-1] * len(edges)
        self._edges = edges
        self._at: tuple[dict[int, dict[int, int]], ...] = ({}, {})
        every = (1 << colours) - 1
        self._free: tuple[dict[int, int], ...] = ({}, {})
        for edge in edges:
            for side in (LEFT, RIGHT):
                self._at[side][edge[side]] = {}
                self._free[side][edge[side]] = every

    def add(self, edge: int) -> None:
        left, right = self._edges[edge]
        lacks_left, lacks_right = self._free[LEFT][left], self._free[RIGHT][right]
        if not (lacks_left and lacks_right):
            raise ValueError(f"edge {edge}: an end has more edges than there are colours")
        if not lacks_left & lacks_right:
            self._flip(right, _lowest(lacks_left), _lowest(lacks_right))
            lacks_right = self._free[RIGHT][right]
        self._paint(edge, _lowest(lacks_left & lacks_right))

    def _flip(self, right: int, a: int, b: int) -> None:
        """Exchanges colours ``a`` and ``b`` along the chain that begins with ``a`` at vertex ``right``."""
        chain = []
        side, vertex, colour = RIGHT, right, a
        while (edge := self._at[side][vertex].get(colour)) is not None:
            chain.append(edge)
            side = LEFT if side == RIGHT else RIGHT
            vertex, colour = self._edges[edge][side], a + b - colour
        painted = [(edge, a + b - self.colour[edge]) for edge in chain]
        for edge in chain:
            self._clear(edge)
        for edge, colour in painted:
            self._paint(edge, colour)

    def _paint(self, edge: int, colour: int) -> None:
        self.colour[edge] = colour
        for side in (LEFT, RIGHT):
            vertex = self._edges[edge][side]
            self._at[side][vertex][colour] = edge
            self._free[side][vertex] &= ~(1 << colour)

    def _clear(self, edge: int) -> None:
        for side in (LEFT, RIGHT):
            vertex = self._edges[edge][side]
            del self._at[side][vertex][self.colour[edge]]
            self._free[side][vertex] |= 1 << self.colour[edge]


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1
