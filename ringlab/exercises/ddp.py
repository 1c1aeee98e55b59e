"""A small model's backward pass, and its gradients' way through the network: what exercise 15 plans for.

Twelve blocks like a small GPT's and an embedding before them; sizes of gradients in bytes (float32), and
seconds of backward on some device. Backward goes from the output to the embedding. Buckets are summed one after the
other, on one stream, as PyTorch's DistributedDataParallel does it; a sum takes what exercise 12's formula says. The
network is one of 25 Gb/s, so that sums and backward take about as long; nothing here is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class BucketError(ValueError):
    """Buckets that are not PyTorch's: says which."""


RANKS = 8
RATE_BPS = 25e9
ALPHA_S = 200e-6


@dataclass(frozen=True, slots=True)
class Layer:
    """``nbytes`` of gradients, ready after ``backward_s`` of its own."""

    name: str
    nbytes: int
    backward_s: float


HIDDEN, WORDS, BLOCKS = 768, 16_384, 12
SECONDS_A_BYTE = 0.2 / (BLOCKS * 4 * 12 * HIDDEN * HIDDEN)
"""Of a weight's backward: 0.2 s for all blocks."""


def _block(number: int) -> list[Layer]:
    """A weight and its bias for each of four products, and two normalizations with two vectors each."""
    shapes = [
        *(("norm 1", 1), ("norm 1 bias", 1), ("attention", 3 * HIDDEN), ("attention bias", 3)),
        *(("projection", HIDDEN), ("projection bias", 1), ("norm 2", 1), ("norm 2 bias", 1)),
        *(("widen", 4 * HIDDEN), ("widen bias", 4), ("narrow", 4 * HIDDEN), ("narrow bias", 1)),
    ]
    return [
        Layer(f"{name} of block {number}", 4 * HIDDEN * rows, 4 * HIDDEN * rows * SECONDS_A_BYTE)
        for name, rows in shapes
    ]


LAYERS = (
    Layer("embedding", 4 * HIDDEN * WORDS, 0.004),
    *(layer for number in range(1, BLOCKS + 1) for layer in _block(number)),
    Layer("last norm", 4 * HIDDEN, 0.0),
    Layer("last norm bias", 4 * HIDDEN, 0.018),
)
"""Gradients in the order of forward; the output's product, which shares the embedding, is in the last one's time."""

BACKWARD_S = sum(layer.backward_s for layer in LAYERS)


def sum_s(nbytes: float) -> float:
    """Of one bucket: a ring that streams."""
    return max(2 * (RANKS - 1) * ALPHA_S, 2 * (RANKS - 1) / RANKS * nbytes * 8 / RATE_BPS) + ALPHA_S


def ready_s() -> list[float]:
    """Of each layer: when its gradient is there, counted from the start of backward."""
    times, now = [0.0] * len(LAYERS), 0.0
    for number in reversed(range(len(LAYERS))):
        now += LAYERS[number].backward_s
        times[number] = now
    return times


def check_buckets(buckets: Sequence[Sequence[int]], sizes: Sequence[int], limit: int) -> None:
    """BucketError unless they are PyTorch's: from the last gradient back, each full as soon as it has ``limit``."""
    wanted = pytorch_buckets(sizes, limit)
    found = [list(bucket) for bucket in buckets]
    named = sorted(number for bucket in found for number in bucket)
    if named != list(range(len(sizes))):
        raise BucketError("not every gradient is in exactly one bucket")
    if found != wanted:
        first = next(i for i in range(len(wanted)) if i >= len(found) or found[i] != wanted[i])
        there = found[first] if first < len(found) else "missing"
        raise BucketError(f"bucket {first} is {there}, not {wanted[first]}")


def pytorch_buckets(sizes: Sequence[int], limit: int) -> list[list[int]]:
    """As torch.distributed makes them of gradients in the order in which they are ready."""
    buckets: list[list[int]] = [[]]
    for number in reversed(range(len(sizes))):
        if sum(sizes[one] for one in buckets[-1]) >= limit:
            buckets.append([])
        buckets[-1].append(number)
    return buckets
