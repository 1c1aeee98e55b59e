"""Parameters and FLOPs that follow from a model's layers, against the papers' own figures and formulas."""

import pytest

from simulation.training.activations import FULL, NONE, SELECTIVE, kept, kept_bytes, traffic
from simulation.training.model import PRESETS, ModelError, Transformer, megatron, preset

PUBLISHED = {  # billions, as printed, and what rounding (or a name) may hide
    "gpt3-6.7b": (6.7, 0.01),
    "gpt3-175b": (175.0, 0.003),
    "gpt-22b": (22, 0.01),
    "gpt-175b": (174.6, 0.001),  # arXiv 2104.04473, table 2
    "gpt-530b": (529.6, 0.001),  # likewise, table 1
    "gpt-1t": (1008.0, 0.001),  # likewise
    "llama2-70b": (70, 0.015),
    "llama3-8b": (8, 0.01),
    "llama3-70b": (70, 0.01),
    "llama3-405b": (405, 0.003),
    "mixtral-8x7b": (47, 0.01),
}


@pytest.mark.parametrize("name", PRESETS)
def test_the_layers_give_the_published_number_of_parameters(name):
    billions, within = PUBLISHED[name]
    assert preset(name).parameters / 1e9 == pytest.approx(billions, rel=within)


def test_the_weights_of_llama_and_mixtral_to_the_parameter():
    """As the released weights count (their files' headers)."""
    assert preset("llama2-70b").parameters == 68_976_648_192
    assert preset("llama3-8b").parameters == 8_030_261_248
    assert preset("mixtral-8x7b").parameters == 46_702_792_704


def test_of_eight_experts_a_token_uses_two():
    assert preset("mixtral-8x7b").active_parameters / 1e9 == pytest.approx(13, rel=0.01)
    assert preset("llama3-8b").active_parameters == preset("llama3-8b").parameters


@pytest.mark.parametrize("name", ["gpt3-175b", "llama2-70b", "llama3-405b", "mixtral-8x7b"])
def test_a_token_costs_six_flops_a_parameter(name):
    """6 P T (Kaplan et al., arXiv 2001.08361): attention's own part aside, and an embedding that is only looked up."""
    model = preset(name)
    multiplied = model.active_parameters - (0 if model.tied else model.embedding_parameters)
    without_scores = model.token_flops - 3 * model.layers * model.score_flops
    assert without_scores == pytest.approx(6 * multiplied, rel=0.001)


@pytest.mark.parametrize("name", ["gpt-22b", "gpt-175b", "gpt-1t"])
def test_flops_are_megatron_s(name):
    """72 B s l h^2 (1 + s / 6h + V / 12 h l), arXiv 2205.05198, equation 8 of its appendix."""
    model = preset(name)
    s, l, h, v = model.sequence, model.layers, model.hidden, model.vocabulary  # noqa: E741 - the paper's letters
    assert model.token_flops == pytest.approx(72 * l * h * h * (1 + s / (6 * h) + v / (12 * h * l)), rel=1e-12)


def test_a_layer_keeps_what_the_paper_counts():
    """A token: sbh (34 + 5 a s / h), and its parts under tensor and sequence parallelism: arXiv 2205.05198, table 2."""
    model = preset("gpt-175b")
    h, scores = model.hidden, 5 * model.heads * model.sequence
    assert kept_bytes(model, NONE) == 34 * h + scores
    assert kept_bytes(model, NONE, 8) == 10 * h + 24 * h / 8 + scores / 8
    assert kept_bytes(model, NONE, 8, sequence_parallel=True) == 34 * h / 8 + scores / 8
    assert kept_bytes(model, SELECTIVE, 8, sequence_parallel=True) == 34 * h / 8
    assert kept_bytes(model, FULL, 8) == 2 * h
    assert kept_bytes(model, NONE, 8, fused=True) == kept_bytes(model, SELECTIVE, 8)


def test_grouped_heads_and_gates_change_what_is_kept():
    plain = Transformer("plain", 2, 64, 8, 8, 256, 100, 16)
    grouped = Transformer("grouped", 2, 64, 8, 2, 256, 100, 16)
    assert kept(plain).split - kept(grouped).split == 2 * 2 * (64 - 16)
    assert traffic(plain).scores == 9 * 8 * 16


def test_what_can_t_be_is_said():
    with pytest.raises(ModelError, match="no model 'gpt3-175'; did you mean 'gpt3-175b'"):
        preset("gpt3-175")
    with pytest.raises(ModelError, match="7 heads do not divide"):
        megatron("odd", 2, 64, 7)
    with pytest.raises(ModelError, match="3 heads of keys and values do not divide 8"):
        Transformer("odd", 2, 64, 8, 3, 256, 100, 16)
    with pytest.raises(ModelError, match="9 active experts of 8"):
        Transformer("odd", 2, 64, 8, 8, 256, 100, 16, experts=8, active_experts=9)
