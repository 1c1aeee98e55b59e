"""The model and its data: a small perceptron that learns to tell clouds of points apart. All from seeds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


def model(layers: Sequence[int], seed: int) -> nn.Sequential:
    """A perceptron with widths ``layers``; equal seeds give equal weights on every rank."""
    torch.manual_seed(seed)
    parts: list[nn.Module] = []
    for width, following in pairwise(layers):
        linear = nn.Linear(width, following)
        nn.init.kaiming_normal_(
            linear.weight, nonlinearity="relu"
        )  # with torch's own, deep ones learn nothing at first
        nn.init.zeros_(linear.bias)
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


class Data:
    """Batches of one rank: points around as many centres as there are ``classes``, each with its centre's number."""

    def __init__(self, inputs: int, classes: int, batch: int, seed: int, rank: int) -> None:
        self._centres = torch.randn(classes, inputs, generator=torch.Generator().manual_seed(seed))
        self._batch = batch
        self._seed = seed
        self._rank = rank

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """The rank's own share of the step's batch: no two ranks or steps see the same points."""
        generator = torch.Generator().manual_seed(hash((self._seed, self._rank, step)) % 2**63)
        classes = torch.randint(len(self._centres), (self._batch,), generator=generator)
        noise = torch.randn(self._batch, self._centres.shape[1], generator=generator)
        return self._centres[classes] + noise, classes
