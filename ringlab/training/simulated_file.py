"""The shape of a spec of ``ringlab train --backend simulated``: fields, types and ranges."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from ringlab.experiments.spec_file import HINTS, SHAPES_OF_FIELDS, Form, Model, by_shape, one_of
from ringlab.training.spec_file import Placement
from simulation.training.activations import RECOMPUTE
from simulation.training.device import DEVICES
from simulation.training.parallel import DIMENSIONS

MAX_DEVICES = 16_384

Bucket = Annotated[float, Field(gt=0, le=1e6)]
Dimension = Annotated[str, BeforeValidator(one_of(DIMENSIONS))]
Degree = Annotated[int, Field(ge=1, le=MAX_DEVICES)]


class ModelFile(Model):
    """A transformer by its layers."""

    layers: Annotated[int, Field(ge=1, le=10_000)]
    hidden: Annotated[int, Field(ge=1, le=2**20)]
    heads: Annotated[int, Field(ge=1, le=2**16)]
    vocabulary: Annotated[int, Field(ge=1, le=2**24)]
    sequence: Annotated[int, Field(ge=1, le=2**24)]
    kv_heads: Annotated[int, Field(ge=1, le=2**16)] | None = None
    ffn: Annotated[int, Field(ge=1, le=2**22)] | None = None
    gated: bool = False
    tied: bool = True
    learned_positions: bool = True
    biases: bool = True
    dropout: bool = True
    experts: Annotated[int, Field(ge=1, le=4096)] = 1
    active_experts: Annotated[int, Field(ge=1, le=4096)] = 1


class ParallelFile(Model):
    """How model and batch are cut."""

    data: Degree = 1
    tensor: Degree = 1
    pipeline: Degree = 1
    expert: Degree = 1
    micro_batch: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    interleave: Degree = 1
    sequence: bool = False
    zero: Annotated[int, Field(ge=0, le=3)] = 0
    recompute: Annotated[str, BeforeValidator(one_of(RECOMPUTE))] = "none"
    overlap: bool = True
    fused_attention: bool = True
    order: Annotated[list[Dimension], Field(min_length=1, max_length=3)] = list(DIMENSIONS)  # noqa: RUF012 - copied


class SimulatedTrainFile(Model):
    """The fields as they are written; each is explained where it is used, in ``examples/train-simulated.yaml``."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    model: Annotated[Annotated[str, Tag("<text>")] | Annotated[ModelFile, Tag("<mapping>")], Discriminator(by_shape)]
    device: Annotated[str, BeforeValidator(one_of(DEVICES))]
    fabric: Annotated[
        Annotated[str, Tag("<text>")] | Annotated[dict[str, Any], Tag("<mapping>")], Discriminator(by_shape)
    ]
    devices_per_host: Annotated[int, Field(ge=1, le=64)] = 1
    placements: Annotated[list[Placement], Field(min_length=1, max_length=16)] = ["contiguous"]  # noqa: RUF012 - copied
    arms: Annotated[list[Any], Field(min_length=1, max_length=64)]
    parallel: ParallelFile
    batch: Annotated[int, Field(ge=1, le=100_000_000)]
    sequence: Annotated[int, Field(ge=1, le=2**24)] | None = None
    bucket_mb: Annotated[list[Bucket], Field(min_length=1, max_length=16)] = [25.0]  # noqa: RUF012 - copied by pydantic


SIMULATED_TRAINING = Form(
    SimulatedTrainFile,
    "examples/train-simulated.yaml",
    {
        **HINTS,
        "model": "name a model, like model: gpt3-6.7b",
        "device": "name what computes, like device: h100",
        "placements": "say where ranks run, like placements: [contiguous, interleaved]",
        "parallel": "say how it is cut, like parallel: {data: 8, tensor: 8}",
        "batch": "give the samples of a step, of all ranks together, like batch: 256",
        "bucket_mb": "name sizes of gradient buckets in MiB, like bucket_mb: [25, 100]",
        "layers": "give the number of layers, like layers: 32",
        "hidden": "give the hidden size, like hidden: 4096",
        "heads": "give the number of attention heads, like heads: 32",
        "vocabulary": "give the number of words, like vocabulary: 50257",
        "sequence": "give the tokens of a sample, like sequence: 2048",
        "order": "name the dimensions, the innermost first, like order: [tensor, data, pipeline]",
    },
    {
        **SHAPES_OF_FIELDS,
        "model": "a model's name, or a mapping of its layers",
        "parallel": "a mapping, like {data: 8, tensor: 8}",
        "placements": "a list of contiguous, interleaved and lists of hosts",
        **dict.fromkeys(
            ("gated", "tied", "learned_positions", "biases", "dropout", "sequence", "overlap", "fused_attention"),
            "true or false",
        ),
    },
    {("parallel",): ParallelFile, ("model",): ModelFile},
)
"""The spec of ``ringlab train --backend simulated``."""
