"""What a device's memory holds during a step: parameters, gradients, optimizer, activations.

Mixed-precision Adam: 2 bytes a parameter, 2 a gradient, 12 of optimizer (a 4-byte copy of the parameter and two
moments): 16 bytes, of which sharding over N ranks leaves, by Rajbhandari et al., arXiv 1910.02054, section 3

| zero | bytes a parameter |
|---|---|
| 0 | 2 + 2 + 12 |
| 1 | 2 + 2 + 12 / N |
| 2 | 2 + (2 + 12) / N |
| 3 | (2 + 2 + 12) / N |

Activations are kept from a micro-batch's forward to its backward: by one-forward-one-backward, stage i of p keeps those
of p - i micro-batches; where each stage has v interleaved pieces, the first keeps 1 + (p - 1) / (p v) times a whole
pipeline's of one (arXiv 2205.05198, section 4.2.3). Working space, buffers of communication and fragmentation are not
counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from simulation.training.activations import kept_bytes
from simulation.training.model import Transformer
from simulation.training.parallel import Parallel

PARAMETER_BYTES = GRADIENT_BYTES = VALUE_BYTES = 2
OPTIMIZER_BYTES = 12
LOGIT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one device."""

    parameters: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        return self.parameters + self.gradients + self.optimizer + self.activations

    def __add__(self, other: Memory) -> Memory:
        return Memory(
            self.parameters + other.parameters,
            self.gradients + other.gradients,
            self.optimizer + other.optimizer,
            self.activations + other.activations,
        )


def states(parameters: float, ranks: int, zero: int) -> Memory:
    """Of ``parameters`` that ``ranks`` hold in common, at a stage of sharding."""
    parameter, gradient, optimizer = (ranks if zero >= stage else 1 for stage in (3, 2, 1))
    return Memory(
        parameters * PARAMETER_BYTES / parameter,
        parameters * GRADIENT_BYTES / gradient,
        parameters * OPTIMIZER_BYTES / optimizer,
        0.0,
    )


@dataclass(frozen=True, slots=True)
class Held:
    """Parameters on one device of a stage: ``dense`` ones, and those of its experts."""

    dense: float
    experts: float


def stage_layers(model: Transformer, parallel: Parallel) -> int:
    """Of the longest stage: pieces need not be equal, and the longest sets the pace."""
    return ceil(model.layers / (parallel.pipeline * parallel.interleave)) * parallel.interleave


def held(model: Transformer, parallel: Parallel, stage: int) -> Held:
    """On a device of ``stage`` (from 0), as long as the longest; the last has a copy of a tied output matrix."""
    layers = stage_layers(model, parallel)
    experts = layers * model.experts * model.expert_parameters
    dense = layers * model.shared_layer_parameters
    if model.experts == 1:
        dense, experts = dense + experts, 0
    if stage == 0:
        dense += model.embedding_parameters
    if stage == parallel.pipeline - 1:
        dense += model.output_parameters
        if model.tied and parallel.pipeline > 1:
            dense += model.hidden * model.vocabulary
    return Held(dense / parallel.tensor, experts / parallel.tensor / parallel.expert)


def memory(model: Transformer, parallel: Parallel, batch: int) -> Memory:
    """Of the fullest device."""
    stages = (0, parallel.pipeline - 1)
    return max((_of_stage(model, parallel, batch, stage) for stage in stages), key=lambda found: found.total)


def _of_stage(model: Transformer, parallel: Parallel, batch: int, stage: int) -> Memory:
    has = held(model, parallel, stage)
    return (
        states(has.dense, parallel.data, parallel.zero)
        + states(has.experts, parallel.data // parallel.expert, parallel.zero)
        + Memory(0.0, 0.0, 0.0, activation_bytes(model, parallel, batch, stage))
    )


def activation_bytes(model: Transformer, parallel: Parallel, batch: int, stage: int) -> float:
    """Kept on a device of ``stage``, at the fullest moment."""
    tokens = parallel.micro_batch * model.sequence
    layer = tokens * kept_bytes(
        model, parallel.recompute, parallel.tensor,
        sequence_parallel=parallel.sequence, fused=parallel.fused_attention,
    )  # fmt: skip
    p, v, layers = parallel.pipeline, parallel.interleave, stage_layers(model, parallel)
    in_flight = p - stage if v == 1 else p * (1 + (p - 1) / (p * v)) - stage
    kept = layers * min(parallel.micro_batches(batch), in_flight) * layer
    if stage == p - 1:
        kept += tokens * LOGIT_BYTES * model.vocabulary / parallel.tensor
    return kept
