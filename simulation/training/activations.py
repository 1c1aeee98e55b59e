"""What a layer keeps for backward, and what it moves through memory beside its matrices: bytes a token, at 2 bytes a
value.

After Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models", arXiv 2205.05198, section 4,
counted part by part so that it holds for gated and grouped layers too; for a GPT layer it is the paper's

    hidden * (34 + 5 * heads * sequence / hidden)

of which tensor parallelism divides 24 + 5 * heads * sequence / hidden, sequence parallelism the other 10 as well.

*Traffic* is what kernels between the matrix products read and write, each once (fused as Megatron fuses them: bias with
activation, scale with mask and softmax, bias with dropout and residual): norms, residuals, activation, and softmax.
A fused attention (Dao et al., arXiv 2205.14135) neither keeps nor moves scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulation.training.model import Transformer

NONE, SELECTIVE, FULL = "none", "selective", "full"
RECOMPUTE = (NONE, SELECTIVE, FULL)
"""What is computed again in backward instead of kept: nothing, attention's scores, or the whole layer."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """A token's: ``whole`` on each rank of a tensor group, ``split`` over it; ``scores``, split too, attention's."""

    whole: float
    split: float
    scores: float

    def of_rank(self, tensor: int, sequence_parallel: bool, scores: bool) -> float:
        """On one rank of a tensor group of ``tensor``; ``scores``: are they counted?"""
        whole = self.whole / tensor if sequence_parallel else self.whole
        return whole + (self.split + (self.scores if scores else 0.0)) / tensor


def kept(model: Transformer) -> Bytes:
    """Of a layer that computes nothing again."""
    h, masks = model.hidden, 1 if model.dropout else 0
    whole = 2 * 2 * h + 2 * h + 2 * h * model.active_experts + 2 * h * masks
    split = 2 * (h + 2 * model.kv_width) + 2 * h + model.active_experts * (6 if model.gated else 4) * model.ffn
    scores = (5 if model.dropout else 2) * model.heads * model.sequence
    return Bytes(whole, split, scores)


def traffic(model: Transformer) -> Bytes:
    """Of a layer, forward; backward moves twice as much."""
    h, masks = model.hidden, 1 if model.dropout else 0
    whole = 2 * (2 + 2) * h + 2 * (2 + 2 + 2 + masks) * h
    split = model.active_experts * (6 if model.gated else 4) * model.ffn
    scores = (9 if model.dropout else 4) * model.heads * model.sequence
    return Bytes(whole, split, scores)


def kept_bytes(
    model: Transformer, recompute: str, tensor: int = 1, *, sequence_parallel: bool = False, fused: bool = False
) -> float:
    """Of a layer and token, on one rank of a tensor group; of a layer that is computed again its input alone."""
    if recompute == FULL:
        return 2 * model.hidden / (tensor if sequence_parallel else 1)
    return kept(model).of_rank(tensor, sequence_parallel, scores=recompute == NONE and not fused)
