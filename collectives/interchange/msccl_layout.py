"""Where the chunks of a collective lie in the buffers of an MSCCL program.

The input of a rank is the blocks that start there, one after another, each of ``parts`` chunks; the output likewise
those that must end there. In place, both are one memory: the smaller buffer is a stretch of the larger one, the rank's
own. Scratch holds whatever a program puts there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from collectives.interchange.msccl_document import Cell
from collectives.operations import ALL, Operation

COLLS: Mapping[str, str] = {
    "allreduce": "all_reduce",
    "allgather": "all_gather",
    "reduce_scatter": "reduce_scatter",
    "reducescatter": "reduce_scatter",
    "alltoall": "all_to_all",
}
"""MSCCL's names of the operations that need no root, which a program does not state."""


@dataclass(frozen=True)
class Layout:
    """Of ``operation`` among ``num_ranks``, each block in ``parts`` chunks."""

    operation: Operation
    num_ranks: int
    parts: int
    in_place: bool

    @property
    def num_chunks(self) -> int:
        return self.operation.num_blocks(self.num_ranks) * self.parts

    def inputs(self, rank: int) -> list[int]:
        """The chunk in each cell of the rank's input."""
        return self._listed(rank, 0)

    def outputs(self, rank: int) -> list[int]:
        """The chunk that each cell of the rank's output must hold in the end."""
        return self._listed(rank, 1)

    def _listed(self, rank: int, end: int) -> list[int]:
        ends = self.operation.ends(self.num_ranks)[end]
        blocks = np.flatnonzero((ends == ALL) | (ends == rank))
        chunks: list[int] = (blocks[:, np.newaxis] + np.arange(self.parts) * len(ends)).reshape(-1).tolist()
        return chunks

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Chunks of the input and the output of a rank: of these operations all ranks have as many."""
        return {"i": len(self.inputs(0)), "o": len(self.outputs(0))}

    def memory(self, rank: int, cell: Cell) -> Cell:
        """The cell that ``cell`` is another name of; itself out of place."""
        if not self.in_place or cell.buffer == "s":
            return cell
        larger = "i" if self.sizes["i"] >= self.sizes["o"] else "o"
        if cell.buffer == larger:
            return cell
        return Cell(larger, cell.offset + (0 if self.sizes["i"] == self.sizes["o"] else rank * self.parts))

    def starts(self, rank: int) -> Iterator[tuple[Cell, int]]:
        """Cells that hold something at the start, and the chunk."""
        for offset, chunk in enumerate(self.inputs(rank)):
            yield self.memory(rank, Cell("i", offset)), chunk

    def ends(self, rank: int) -> Iterator[tuple[Cell, int]]:
        """Cells that must hold something in the end, as the program names them, and the chunk."""
        for offset, chunk in enumerate(self.outputs(rank)):
            yield Cell("o", offset), chunk
