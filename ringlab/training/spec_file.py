"""The shape of a training spec's file: its fields, their types and ranges. What they mean is ``spec``'s business."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from ringlab.experiments.spec_file import (
    HINTS,
    SHAPES_OF_FIELDS,
    Form,
    Model,
    Transport,
    auto,
    by_shape,
    factor,
    one_of,
)
from topologies.ports import MAX_CHANNELS

BACKENDS = ("ringlab", "gloo")

MAX_RANKS = 64
"""Each is a process that has loaded torch: 0.2 GB."""

MAX_STEPS = 10_000

Width = Annotated[int, Field(ge=1, le=65536)]
Placement = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[list[str], Tag("<list>")], Discriminator(by_shape)
]  # fmt: skip


class TrainFile(Model):
    """The fields as they are written; each is explained where it is used, in ``examples/train.yaml``."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    fabric: Annotated[
        Annotated[str, Tag("<text>")] | Annotated[dict[str, Any], Tag("<mapping>")], Discriminator(by_shape)
    ]
    placements: Annotated[list[Placement], Field(min_length=1, max_length=16)] = ["contiguous"]  # noqa: RUF012 - pydantic copies it
    """Which host each rank runs on, in turns: contiguous, interleaved, or lists of hosts."""
    ranks: Annotated[int, Field(ge=2, le=MAX_RANKS)] | None = None
    backends: Annotated[
        list[Annotated[str, BeforeValidator(one_of(BACKENDS))]], Field(min_length=1, max_length=2)
    ] = list(BACKENDS)  # fmt: skip # noqa: RUF012 - pydantic copies it
    """Whose all_reduce DDP calls, in turns."""
    algorithm: str = "ring"
    channels: Annotated[int, Field(ge=1, le=MAX_CHANNELS)] = 1
    arms: Annotated[list[Any], Field(min_length=1, max_length=64)]
    layers: Annotated[list[Width], Field(min_length=2, max_length=256)]
    """Widths of the network, from input to output."""
    batch: Annotated[int, Field(ge=1, le=1_000_000)]
    """Samples that each rank takes in a step."""
    bucket_mb: Annotated[list[Annotated[float, Field(gt=0, le=1024)]], Field(min_length=1, max_length=16)]
    """DDP's bucket sizes in MiB, in turns."""
    steps: Annotated[int, Field(ge=2, le=MAX_STEPS)]
    """Steps of a training."""
    warmup: Annotated[int, Field(ge=0, le=MAX_STEPS)] = 1
    """Of them, steps at the beginning that are not measured."""
    learning_rate: Annotated[float, Field(gt=0, le=1000)] = 0.01
    """Of plain gradient descent."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    """Of weights and data."""
    repeats: Annotated[int, Field(ge=1, le=1000)] = 2
    timeout_s: Annotated[float, Field(gt=0, le=86400)] = 30.0
    loss_tolerance: Annotated[float, Field(ge=0, le=1)] = 1e-5
    """By what share a loss may differ from gloo's."""
    scale: Annotated[float | None, BeforeValidator(auto(factor))] = None
    transport: Transport = Transport()
    faults: Annotated[list[Any], Field(max_length=64)] = []  # noqa: RUF012 - pydantic copies it


TRAINING = Form(
    TrainFile,
    "examples/train.yaml",
    {
        **HINTS,
        "placements": "say where ranks run, like placements: [contiguous, interleaved]",
        "backends": "name one or both, like backends: [ringlab, gloo]",
        "layers": "give the widths from input to output, like layers: [32, 256, 256, 8]",
        "batch": "give the samples that each rank takes a step, like batch: 64",
        "bucket_mb": "name DDP's bucket sizes in MiB, like bucket_mb: [0.25, 1, 25]",
        "steps": "say how many steps to train, like steps: 10",
    },
    {**SHAPES_OF_FIELDS, "placements": "a list of contiguous, interleaved and lists of hosts"},
    {("transport",): Transport},
)
"""The spec of ``ringlab train``."""
