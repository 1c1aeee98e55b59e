"""The time of one training step, by what it goes to: computation, bubble, and communication that nothing hides.

Theory of operation. All stages of a pipeline work in step, one forward and one backward at a time (1F1B, Narayanan et
al., arXiv 2104.04473). With F_i and B_i the times of one micro-batch at stage i, m micro-batches, v interleaved pieces
of each stage and s the slowest stage,

    step = m (F_s + B_s) + (sum of the others' F_i + B_i) / v + sends + gradients + optimizer + parameters

The second term is the *bubble*: (p - 1) / (v m) of the first where all stages are alike. Within F and B:

* matrix products, at the device's attained FLOP/s, and traffic between them, at its attained bytes a second
  (``activations``); backward twice both, and once more what is computed again;
* tensor groups: two all_reduces of the activations in forward and two in backward for each layer, and two more where
  the layer is computed again. With ``sequence`` each is a reduce_scatter and an all_gather, of as many bytes;
* expert groups: two all_to_alls of the tokens in forward, two in backward.

A *send* crosses between stages after each forward and each backward of a piece (a tensor group sends each value once
and gathers it at the other side). Gradients are summed in buckets while the last micro-batch's backward still computes
(``overlap``); what is left when it ends is *exposed*. By ``zero``: 0 all_reduce; 1 reduce_scatter, and after the
optimizer the all_gather of parameters, hidden by the next forward bucket by bucket; 2 reduce_scatter in every
micro-batch; 3 besides, all_gathers in every forward and every backward.

Left out: the loss, data loading, the sum of tied embeddings' gradients over the first and the last stage, and what
communication takes of a device's own FLOP/s and memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from simulation.training import activations
from simulation.training.device import Device
from simulation.training.memory import (
    GRADIENT_BYTES,
    OPTIMIZER_BYTES,
    PARAMETER_BYTES,
    VALUE_BYTES,
    Held,
    Memory,
    held,
    memory,
    stage_layers,
)
from simulation.training.model import Transformer
from simulation.training.network import Communicate
from simulation.training.overlap import exposed_after, exposed_before
from simulation.training.parallel import Groups, Parallel

KINDS = ("tensor", "expert", "pipeline", "gradients", "parameters")
"""Of communication."""

BUCKET_BYTES = 25 << 20
"""PyTorch's DistributedDataParallel: 25 MiB unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a step is to do: ``batch`` samples in all, gradients in buckets of ``bucket_bytes``."""

    model: Transformer
    device: Device
    parallel: Parallel
    batch: int
    bucket_bytes: float = BUCKET_BYTES


@dataclass(frozen=True, slots=True)
class Step:
    """Seconds of a step, which are ``step_s`` together; ``communication_s``: of each kind, hidden or not.

    ``matmul_s`` and ``traffic_s`` of the slowest stage; ``memory`` of the fullest device. ``mfu``: the model's FLOPs,
    nothing computed twice, over what the devices' peaks allow in that time; ``hfu`` counts what is computed again.
    """

    matmul_s: float
    traffic_s: float
    bubble_s: float
    optimizer_s: float
    exposed_s: Mapping[str, float]
    communication_s: Mapping[str, float]
    memory: Memory
    mfu: float
    hfu: float
    tokens: int

    @property
    def computation_s(self) -> float:
        return self.matmul_s + self.traffic_s + self.optimizer_s

    @property
    def step_s(self) -> float:
        return self.computation_s + self.bubble_s + sum(self.exposed_s.values())

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.step_s


@dataclass(frozen=True, slots=True)
class _Pass:
    """One micro-batch through one stage, forward or backward."""

    matmul_s: float
    traffic_s: float
    tensor_s: float
    expert_s: float

    @property
    def total_s(self) -> float:
        return self.matmul_s + self.traffic_s + self.tensor_s + self.expert_s


def step(job: Job, communicate: Communicate) -> Step:
    """Raises ParallelError where the degrees do not fit the model or the batch."""
    job.parallel.check(job.model, job.batch)
    return _Stepping(job, communicate).step()


class _Stepping:
    def __init__(self, job: Job, communicate: Communicate) -> None:
        self._job, self._communicate = job, communicate
        self._model, self._device, self._parallel = job.model, job.device, job.parallel
        self._tokens = job.parallel.micro_batch * job.model.sequence
        self._batches = job.parallel.micro_batches(job.batch)
        self._layers = stage_layers(job.model, job.parallel)
        self._block_s = self._tensor_s()
        self._deal_s = self._expert_s()

    def step(self) -> Step:
        p, v, m = self._parallel.pipeline, self._parallel.interleave, self._batches
        inner = self._forward(last=False), self._backward(last=False)
        slowest = self._forward(last=True), self._backward(last=True)
        bubble_s = (p - 1) / v * sum(one.total_s for one in inner)
        send_s = self._send_s()
        sends_s = 2 * (m * v + p - 1) * send_s
        gradients, parameters = self._states(slowest)
        exposed = {
            "tensor": m * sum(one.tensor_s for one in slowest),
            "expert": m * sum(one.expert_s for one in slowest),
            "pipeline": sends_s,
            "gradients": gradients[0],
            "parameters": parameters[0],
        }
        found = Step(
            matmul_s=m * sum(one.matmul_s for one in slowest),
            traffic_s=m * sum(one.traffic_s for one in slowest),
            bubble_s=bubble_s,
            optimizer_s=self._optimizer_s(),
            exposed_s=exposed,
            communication_s={**exposed, "gradients": gradients[1], "parameters": parameters[1]},
            memory=memory(self._model, self._parallel, self._job.batch),
            mfu=0.0,
            hfu=0.0,
            tokens=self._job.batch * self._model.sequence,
        )
        return self._judged(found)

    def _judged(self, found: Step) -> Step:
        model = self._model
        could = self._parallel.devices * self._device.flops * found.step_s
        again = model.layers * self._again_flops() * found.tokens
        useful = model.token_flops * found.tokens
        return Step(
            **{name: getattr(found, name) for name in Step.__slots__ if name not in ("mfu", "hfu")},
            mfu=useful / could,
            hfu=(useful + again) / could,
        )

    # -- one micro-batch ----------------------------------------------------------------
    def _forward(self, *, last: bool) -> _Pass:
        flops = self._layers * self._model.layer_flops + (self._model.output_flops if last else 0)
        return self._pass(flops, self._layers * self._traffic_bytes(), rounds=1)

    def _backward(self, *, last: bool) -> _Pass:
        model, full = self._model, self._parallel.recompute == activations.FULL
        flops = self._layers * (2 * model.layer_flops + self._again_flops()) + (2 * model.output_flops if last else 0)
        moved = 2 * self._traffic_bytes() + self._again_bytes()
        return self._pass(flops, self._layers * moved, rounds=2 if full else 1)

    def _pass(self, flops: float, moved: float, rounds: int) -> _Pass:
        """``flops`` of a token before it is split over the tensor group; ``moved`` bytes after."""
        return _Pass(
            self._device.matmul_s(flops * self._tokens / self._parallel.tensor),
            self._device.move_s(moved * self._tokens),
            rounds * self._layers * self._block_s,
            rounds * self._layers * self._deal_s,
        )

    def _again_flops(self) -> float:
        """Of a layer and token, that backward computes once more; a fused attention computes its scores again."""
        if self._parallel.recompute == activations.FULL:
            return self._model.layer_flops
        if self._parallel.fused_attention:
            return self._model.score_flops / 2
        return self._model.score_flops if self._parallel.recompute == activations.SELECTIVE else 0

    def _traffic_bytes(self) -> float:
        found = activations.traffic(self._model)
        return found.of_rank(self._parallel.tensor, self._parallel.sequence, scores=not self._parallel.fused_attention)

    def _again_bytes(self) -> float:
        if self._parallel.recompute == activations.FULL:
            return self._traffic_bytes()
        if self._parallel.recompute == activations.SELECTIVE and not self._parallel.fused_attention:
            return activations.traffic(self._model).scores / self._parallel.tensor
        return 0.0

    # -- communication ------------------------------------------------------------------
    def _activation_bytes(self) -> float:
        """What a layer hands on, of one micro-batch."""
        return self._tokens * self._model.hidden * VALUE_BYTES

    def _tensor_s(self) -> float:
        """Of a layer, forward: after attention, and after the feed-forward network."""
        if self._parallel.tensor == 1:
            return 0.0
        operations = ("reduce_scatter", "all_gather") if self._parallel.sequence else ("all_reduce",)
        groups = self._parallel.tensor_groups()
        return 2 * sum(self._communicate(operation, groups, self._activation_bytes()) for operation in operations)

    def _expert_s(self) -> float:
        """Of a layer, forward: tokens to their experts, and back. A tensor group deals out each of its tokens once."""
        if self._parallel.expert == 1:
            return 0.0
        nbytes = self._activation_bytes() * self._model.active_experts / self._parallel.tensor
        return 2 * self._communicate("all_to_all", self._parallel.expert_groups(), nbytes)

    def _send_s(self) -> float:
        """Of one micro-batch from stage to stage."""
        if self._parallel.pipeline == 1:
            return 0.0
        nbytes, tensor = self._activation_bytes(), self._parallel.tensor
        send_s = self._communicate("send", self._parallel.stage_pairs(), nbytes / tensor)
        if tensor == 1 or self._parallel.sequence:
            return send_s
        return send_s + self._communicate("all_gather", self._parallel.tensor_groups(), nbytes)

    def _states(self, slowest: tuple[_Pass, _Pass]) -> tuple[tuple[float, float], tuple[float, float]]:
        """Exposed, and in all: of gradients, and of parameters."""
        zero, m = self._parallel.zero, self._batches
        forward_s, backward_s = (one.total_s for one in slowest)
        has = max((held(self._model, self._parallel, stage) for stage in (0, self._parallel.pipeline - 1)), key=_size)
        buckets = max(1, ceil(_size(has) * GRADIENT_BYTES / self._job.bucket_bytes))
        summing = "reduce_scatter" if zero else "all_reduce"
        sum_s = self._bucket_s(summing, has, GRADIENT_BYTES / buckets)
        gather_s = self._bucket_s("all_gather", has, PARAMETER_BYTES / buckets) if zero else 0.0
        hidden = self._parallel.overlap
        if zero == 3:
            again_s = exposed_after(backward_s, buckets, sum_s + gather_s) if hidden else buckets * (sum_s + gather_s)
            before_s = exposed_before(forward_s, buckets, gather_s) if hidden else buckets * gather_s
            part = sum_s / (sum_s + gather_s) if sum_s else 0.0
            gradients = m * again_s * part, m * buckets * sum_s
            return gradients, (m * (before_s + again_s * (1 - part)), 2 * m * buckets * gather_s)
        times = m if zero == 2 else 1
        after_s = exposed_after(backward_s, buckets, sum_s) if hidden else buckets * sum_s
        before_s = exposed_before(forward_s, buckets, gather_s) if hidden else buckets * gather_s
        return (times * after_s, times * buckets * sum_s), (before_s, buckets * gather_s)

    def _bucket_s(self, operation: str, has: Held, bytes_each: float) -> float:
        """Dense parameters, then experts': ``bytes_each`` of every parameter."""
        total_s = 0.0
        for parameters, groups in (
            (has.dense, self._parallel.data_groups()),
            (has.experts, self._expert_data_groups()),
        ):
            if parameters and groups:
                total_s += self._communicate(operation, groups, parameters * bytes_each)
        return total_s

    def _expert_data_groups(self) -> Groups:
        return self._parallel.expert_data_groups() if self._model.experts > 1 else ()

    def _optimizer_s(self) -> float:
        """Reads gradient and states, writes states and parameter, each once."""
        has = held(self._model, self._parallel, 0)
        share, expert_share = (
            (self._parallel.data, self._parallel.data // self._parallel.expert) if self._parallel.zero else (1, 1)
        )
        parameters = has.dense / share + has.experts / expert_share
        return self._device.move_s(parameters * (GRADIENT_BYTES + 2 * OPTIMIZER_BYTES + PARAMETER_BYTES))


def _size(has: Held) -> float:
    return has.dense + has.experts
