"""A transformer by its layers: parameters and floating-point operations, counted from the description and nothing else.

Theory of operation. A layer is attention (queries, keys, values, and an output projection) and a feed-forward network
of two matrices, or three where it is *gated* (SwiGLU); with *experts* there are several such networks, of which a token
uses ``active_experts``, chosen by a router. A matrix of r x c has r * c parameters and costs a token 2 * r * c FLOPs
forward; attention itself costs a token 4 * sequence * hidden more (scores, and their product with the values; as is
usual, what a causal mask could save is not subtracted). Backward costs twice forward.

| preset | source of its figures | parameters there |
|---|---|---|
| gpt3-6.7b, gpt3-175b | Brown et al., arXiv 2005.14165, table 2.1 | 6.7 B, 175.0 B |
| gpt-22b, gpt-175b, gpt-530b, gpt-1t | Korthikanti et al., arXiv 2205.05198, table 3 | 22, 175, 530 B, 1 T |
| llama2-70b | Touvron et al., arXiv 2307.09288, section 2 and table 1 | 70 B |
| llama3-8b, llama3-70b, llama3-405b | Grattafiori et al., arXiv 2407.21783, table 3 | 8, 70, 405 B |
| mixtral-8x7b | Jiang et al., arXiv 2401.04088, table 1 | 47 B, of which 13 B are active |

What these papers leave unsaid (exact vocabularies and feed-forward widths of the released weights) is as the weights'
configuration files have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from topologies.spelling import did_you_mean


class ModelError(ValueError):
    """A model that can't be, or that is not known."""


@dataclass(frozen=True, slots=True)
class Transformer:
    """``sequence`` in tokens; ``ffn`` is the width of the feed-forward network, of each expert where there are several.

    ``kv_heads``: heads of keys and values, fewer than ``heads`` where queries share them. ``tied``: the output matrix
    is the embedding. ``biases``: as GPT has them, in matrices and norms. ModelError where heads do not divide.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    ffn: int
    vocabulary: int
    sequence: int
    gated: bool = False
    tied: bool = True
    learned_positions: bool = True
    biases: bool = True
    dropout: bool = True
    experts: int = 1
    active_experts: int = 1

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ModelError(f"{self.name}: {self.heads} heads do not divide a hidden size of {self.hidden}")
        if self.heads % self.kv_heads:
            raise ModelError(f"{self.name}: {self.kv_heads} heads of keys and values do not divide {self.heads} heads")
        if not 1 <= self.active_experts <= self.experts:
            raise ModelError(f"{self.name}: {self.active_experts} active experts of {self.experts}")

    @property
    def kv_width(self) -> int:
        """Of keys, and of values."""
        return self.hidden // self.heads * self.kv_heads

    # -- parameters ---------------------------------------------------------------------
    @property
    def attention_matrices(self) -> int:
        return 2 * self.hidden * self.hidden + 2 * self.hidden * self.kv_width

    @property
    def expert_matrices(self) -> int:
        """Of one feed-forward network."""
        return (3 if self.gated else 2) * self.hidden * self.ffn

    @property
    def router_matrix(self) -> int:
        return self.hidden * self.experts if self.experts > 1 else 0

    @property
    def expert_parameters(self) -> int:
        """Of one feed-forward network, biases included."""
        return self.expert_matrices + (self.ffn + self.hidden if self.biases else 0)

    @property
    def shared_layer_parameters(self) -> int:
        """Of a layer, without its feed-forward networks."""
        biases = 2 * self.hidden + 2 * self.kv_width if self.biases else 0
        return self.attention_matrices + self.router_matrix + biases + 2 * self.norm_parameters

    @property
    def norm_parameters(self) -> int:
        return self.hidden * (2 if self.biases else 1)

    @property
    def layer_parameters(self) -> int:
        return self.shared_layer_parameters + self.experts * self.expert_parameters

    @property
    def embedding_parameters(self) -> int:
        return self.hidden * (self.vocabulary + (self.sequence if self.learned_positions else 0))

    @property
    def output_parameters(self) -> int:
        """Of the last norm, and of an output matrix of its own."""
        return self.norm_parameters + (0 if self.tied else self.hidden * self.vocabulary)

    @property
    def parameters(self) -> int:
        return self.layers * self.layer_parameters + self.embedding_parameters + self.output_parameters

    @property
    def active_parameters(self) -> int:
        """Those that one token uses."""
        return self.parameters - self.layers * (self.experts - self.active_experts) * self.expert_parameters

    # -- FLOPs of one token -------------------------------------------------------------
    @property
    def score_flops(self) -> int:
        """Of a layer's attention beyond its matrices, forward."""
        return 4 * self.sequence * self.hidden

    @property
    def layer_flops(self) -> int:
        """Of a layer, forward."""
        matrices = self.attention_matrices + self.router_matrix + self.active_experts * self.expert_matrices
        return 2 * matrices + self.score_flops

    @property
    def output_flops(self) -> int:
        """Of the scores of all words, forward."""
        return 2 * self.hidden * self.vocabulary

    @property
    def forward_flops(self) -> int:
        return self.layers * self.layer_flops + self.output_flops

    @property
    def token_flops(self) -> int:
        """Forward and backward, computing nothing twice: what model FLOPs utilisation counts."""
        return 3 * self.forward_flops


def _gpt(name: str, layers: int, hidden: int, heads: int, vocabulary: int, sequence: int = 2048) -> Transformer:
    return Transformer(name, layers, hidden, heads, heads, 4 * hidden, vocabulary, sequence)


def _llama(
    name: str, layers: int, hidden: int, heads: int, kv_heads: int, ffn: int, vocabulary: int, sequence: int
) -> Transformer:
    return Transformer(
        name, layers, hidden, heads, kv_heads, ffn, vocabulary, sequence,
        gated=True, tied=False, learned_positions=False, biases=False, dropout=False,
    )  # fmt: skip


def megatron(name: str, layers: int, hidden: int, heads: int) -> Transformer:
    """As Megatron-LM's papers describe theirs: GPT with 2,048 tokens and 51,200 words."""
    return _gpt(name, layers, hidden, heads, 51_200)


PRESETS: Mapping[str, Transformer] = {
    model.name: model
    for model in (
        _gpt("gpt3-6.7b", 32, 4096, 32, 50_257),
        _gpt("gpt3-175b", 96, 12288, 96, 50_257),
        megatron("gpt-22b", 48, 6144, 64),
        megatron("gpt-175b", 96, 12288, 96),
        megatron("gpt-530b", 105, 20480, 128),
        megatron("gpt-1t", 128, 25600, 160),
        _llama("llama2-70b", 80, 8192, 64, 8, 28672, 32_000, 4096),
        _llama("llama3-8b", 32, 4096, 32, 8, 14336, 128_256, 8192),
        _llama("llama3-70b", 80, 8192, 64, 8, 28672, 128_256, 8192),
        _llama("llama3-405b", 126, 16384, 128, 8, 53248, 128_256, 8192),
        replace(
            _llama("mixtral-8x7b", 32, 4096, 32, 8, 14336, 32_000, 32_768), experts=8, active_experts=2
        ),
    )
}  # fmt: skip


def preset(name: str) -> Transformer:
    """ModelError for a name of none."""
    if name not in PRESETS:
        raise ModelError(f"no model {name!r}; {did_you_mean(name, PRESETS)}")
    return PRESETS[name]
