"""The GPU side: what NCCL reaches on real clusters, to stand beside what an emulated fabric reaches.

`published` and `gloo` hold figures that others published, each with its source; `outputs` reads a user's own:
nccl-tests or rccl-tests in any of their forms, OSU's micro-benchmarks, or a baseline that was kept (`stored`). All give
a `Baseline`. `nccl` is NCCL's own model of its times, `predictor` ours.
"""

from collectives.baseline.model import Baseline, BaselineError, Point, Reading

__all__ = ["Baseline", "BaselineError", "Point", "Reading"]
