"""How a model and its batch are cut over devices, and which ranks form which group.

Theory of operation. Devices form a grid of ``data`` x ``tensor`` x ``pipeline``; a rank's place in it follows from
``order``, the innermost dimension first (neighbouring ranks: best the tensor groups, which talk most). *Tensor* groups
share each layer's matrices; *pipeline* stages hold layers; *data* groups hold the same parameters and see other
samples. *Expert* groups are neighbours within a data group among whom a layer's experts are dealt out: their gradients
are summed over the ``data / expert`` ranks that hold the same experts.

``zero`` is the stage of optimizer sharding of Rajbhandari et al., arXiv 1910.02054: 1 the optimizer's states, 2
gradients too, 3 parameters too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import ceil

import numpy as np
from numpy.typing import NDArray

from simulation.training.activations import NONE, RECOMPUTE
from simulation.training.model import Transformer

Groups = tuple[tuple[int, ...], ...]
"""Ranks of each group; all groups of one kind communicate at the same time."""

DIMENSIONS = ("tensor", "data", "pipeline")


class ParallelError(ValueError):
    """Degrees that do not fit a model or a batch: ``field`` says which."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(f"{field}: {what}")
        self.field = field
        self.what = what


@dataclass(frozen=True, slots=True)
class Parallel:
    """Degrees; ``micro_batch`` in samples; ``interleave``: pieces of the model that each pipeline stage holds.

    ``sequence``: what tensor groups hold whole is split over the sequence. ``overlap``: gradients (and gathered
    parameters) travel while others are computed. ``fused_attention``: see ``activations``.
    """

    data: int = 1
    tensor: int = 1
    pipeline: int = 1
    expert: int = 1
    micro_batch: int = 1
    interleave: int = 1
    sequence: bool = False
    zero: int = 0
    recompute: str = NONE
    overlap: bool = True
    fused_attention: bool = True
    order: tuple[str, ...] = DIMENSIONS

    @property
    def devices(self) -> int:
        return self.data * self.tensor * self.pipeline

    def micro_batches(self, batch: int) -> int:
        """Of each pipeline, in a step of ``batch`` samples."""
        return batch // (self.data * self.micro_batch)

    def check(self, model: Transformer, batch: int) -> None:
        """ParallelError with the first thing that does not fit."""
        for field, what in self.problems(model, batch):
            raise ParallelError(field, what)

    def problems(self, model: Transformer, batch: int) -> Iterator[tuple[str, str]]:
        """All that does not fit: field, and what is wrong with what to do."""
        for field in ("data", "tensor", "pipeline", "expert", "micro_batch", "interleave"):
            if getattr(self, field) < 1:
                yield field, f"{getattr(self, field)} is too few; give at least 1"
                return
        yield from self._cut_layers(model)
        yield from self._cut_batch(model, batch)
        yield from self._words()

    def _cut_layers(self, model: Transformer) -> Iterator[tuple[str, str]]:
        for what, count in (("heads", model.heads), ("heads of keys and values", model.kv_heads)):
            if count % self.tensor:
                yield "tensor", f"{self.tensor} does not divide {model.name}'s {count} {what}; take a divisor"
                break
        if self.pipeline > model.layers:
            yield "pipeline", f"{self.pipeline} stages of {model.layers} layers; take at most as many"
        elif self.interleave > (most := ceil(model.layers / self.pipeline)):
            yield "interleave", f"{self.interleave} pieces of a stage's {most} layers; take at most as many"
        if self.interleave > 1 and self.pipeline == 1:
            yield "interleave", f"{self.interleave} pieces of one stage; write pipeline: 2 or more, or interleave: 1"
        if model.experts % self.expert:
            yield "expert", f"{self.expert} does not divide {model.name}'s {model.experts} experts; take a divisor"
        elif self.data % self.expert:
            yield "expert", f"{self.expert} does not divide data: {self.data}; experts are dealt out in data groups"

    def _cut_batch(self, model: Transformer, batch: int) -> Iterator[tuple[str, str]]:
        at_once = self.data * self.micro_batch
        if batch % at_once:
            yield "batch", f"{batch} samples are no multiple of {at_once}, data times micro_batch"
        elif self.interleave > 1 and self.micro_batches(batch) % self.pipeline:
            count = f"{self.micro_batches(batch)} micro-batches"
            yield "interleave", f"{count} are no multiple of pipeline: {self.pipeline}; interleaved stages need that"
        if self.sequence and model.sequence % self.tensor:
            yield "sequence", f"tensor: {self.tensor} does not divide {model.sequence} tokens; take a divisor"

    def _words(self) -> Iterator[tuple[str, str]]:
        if self.zero not in (0, 1, 2, 3):
            yield "zero", f"{self.zero} is no stage; write 0, 1, 2 or 3"
        elif self.zero == 3 and self.pipeline > 1:
            yield "zero", "3 gathers every stage's parameters in each micro-batch; with a pipeline write zero: 1"
        if self.recompute not in RECOMPUTE:
            yield "recompute", f"no {self.recompute!r}; there are {', '.join(RECOMPUTE)}"
        if tuple(self.order) not in permutations(DIMENSIONS):
            yield "order", f"{', '.join(self.order)}: name each of {', '.join(DIMENSIONS)} once, the innermost first"

    # -- groups -------------------------------------------------------------------------
    def grid(self) -> NDArray[np.int64]:
        """``grid[tensor, data, pipeline]`` is the rank at that place."""
        sizes = [getattr(self, name) for name in reversed(self.order)]
        ranks = np.arange(self.devices).reshape(sizes)
        return np.transpose(ranks, [list(reversed(self.order)).index(name) for name in DIMENSIONS])

    def tensor_groups(self) -> Groups:
        return _groups(np.moveaxis(self.grid(), 0, -1))

    def data_groups(self) -> Groups:
        return _groups(np.moveaxis(self.grid(), 1, -1))

    def expert_groups(self) -> Groups:
        places = np.moveaxis(self.grid(), 1, -1)
        return _groups(places.reshape(*places.shape[:2], -1, self.expert))

    def expert_data_groups(self) -> Groups:
        """Of the ranks that hold the same experts."""
        places = np.moveaxis(self.grid(), 1, -1)
        return _groups(np.swapaxes(places.reshape(*places.shape[:2], -1, self.expert), -1, -2))

    def stage_pairs(self) -> Groups:
        """Of ranks of neighbouring pipeline stages."""
        grid = self.grid()
        return _groups(np.stack((grid[..., :-1], grid[..., 1:]), axis=-1))


def _groups(ranks: NDArray[np.int64]) -> Groups:
    """Along the last axis; groups of one have nothing to say and are left out."""
    rows: Sequence[Sequence[int]] = ranks.reshape(-1, ranks.shape[-1]).tolist()
    return tuple(map(tuple, rows)) if ranks.shape[-1] > 1 else ()
