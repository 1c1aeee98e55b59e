"""What computes: peak FLOP/s, memory, and what share of the peaks real kernels get.

| device | bf16, dense | memory | link in a node, each way | source |
|---|---|---|---|---|
| a100 | 312 TFLOP/s | 80 GB, 2.039 TB/s | 300 GB/s | NVIDIA A100 80GB SXM datasheet |
| h100 | 989 TFLOP/s | 80 GB, 3.35 TB/s | 450 GB/s | NVIDIA H100 SXM datasheet |
| h200 | 989 TFLOP/s | 141 GB, 4.8 TB/s | 450 GB/s | NVIDIA H200 SXM datasheet |

``matmul_share`` is fitted on one published figure for each chip, and tested on others
(``tests/simulation/test_training_published.py``, ``docs/explanation/training-model.md``):

* of a100: the first row of table 1 in Narayanan et al., arXiv 2104.04473 (1.7 B parameters on 32
  devices that share nothing but gradients: 137 TFLOP/s);
* of h100: the first row of table 4 in Grattafiori et al., arXiv 2407.21783 (405 B on 8,192: 43 %); h200 has the same
  chip.

``memory_share`` and ``node_share`` are taken, not fitted: what copies reach of a memory's rate, and what rings within a
node of 8 reach of the link's with messages of some 100 MB. (Much larger ones that NVSwitch itself adds up get beyond
the link's rate: 480 GB/s of busbw on H100, ``h100-1x8-nvswitch-allreduce-dgxc`` in ``collectives.baseline``.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from topologies.spelling import did_you_mean


class DeviceError(ValueError):
    """A device that is not known."""


@dataclass(frozen=True, slots=True)
class Device:
    """``flops`` and rates a second; ``node_rate_bps`` to the other devices of its host, in bits, one way."""

    name: str
    flops: float
    memory_bytes: float
    memory_bytes_per_s: float
    node_rate_bps: float
    matmul_share: float
    memory_share: float = 0.8
    node_share: float = 0.8

    def matmul_s(self, flops: float) -> float:
        return flops / (self.flops * self.matmul_share)

    def move_s(self, nbytes: float) -> float:
        return nbytes / (self.memory_bytes_per_s * self.memory_share)


DEVICES: Mapping[str, Device] = {
    device.name: device
    for device in (
        Device("a100", 312e12, 80e9, 2.039e12, 2.4e12, 0.645, node_share=0.78),
        Device("h100", 989e12, 80e9, 3.35e12, 3.6e12, 0.602),
        Device("h200", 989e12, 141e9, 4.8e12, 3.6e12, 0.602),
    )
}


def device(name: str) -> Device:
    """DeviceError for a name of none."""
    if name not in DEVICES:
        raise DeviceError(f"no device {name!r}; {did_you_mean(name, DEVICES)}")
    return DEVICES[name]
