"""Edge colouring of a bipartite multigraph: König's theorem, made by flipping Kempe chains.

D. König (1916): a bipartite multigraph of maximum degree d can be edge-coloured with d colours. Edges are coloured
one after another. The two ends of an edge each lack some colour; where they lack no common one, let the left end lack
``a`` and the right end lack ``b``: the chain of edges coloured a, b, a, ... from the right end never comes to the left
end (it would arrive there by an edge coloured ``a``, which the left end lacks), so exchanging the two colours along it
frees ``a`` at both. Time O(edges x vertices), usually far less: most edges find a common colour at once.
"""

from __future__ import annotations

from collections.abc import Sequence

LEFT, RIGHT = 0, 1


def colour_edges(edges: Sequence[tuple[int, int]], colours: int) -> list[int]:
    """A colour from 0 to ``colours`` - 1 for each (left, right) edge, edges with a common end coloured differently.

    ValueError where some vertex has more edges than there are colours.
    """
    colouring = _Colouring(edges, colours)
    for edge in range(len(edges)):
        colouring.add(edge)
    return colouring.colour


def colour_evenly(edges: Sequence[tuple[int, int]], colours: int) -> list[int]:
    """As ``colour_edges`` for vertices of any degree: a colour comes at most ceil(degree / colours) times at a vertex.

    Each vertex is split into copies which take ``colours`` of its edges each, in the order given (D. de Werra, 1971);
    the copies have a proper colouring. Of every ``colours`` neighbouring edges of a vertex, each gets its own colour.
    """
    copies: dict[tuple[int, int, int], int] = {}
    degrees: dict[tuple[int, int], int] = {}

    def copy(side: int, vertex: int) -> int:
        degree = degrees[side, vertex] = degrees.get((side, vertex), -1) + 1
        return copies.setdefault((side, vertex, degree // colours), len(copies))

    return colour_edges([(copy(LEFT, left), copy(RIGHT, right)) for left, right in edges], colours)


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
