"""The GPU side: what NCCL reaches on real clusters, to stand beside what an emulated fabric reaches.

`published` holds figures that others published, each with its source; `nccl_tests` reads a user's own output of
nccl-tests. Both give a `Baseline`.
"""

from collectives.baseline.model import Baseline, BaselineError, Point, Reading

__all__ = ["Baseline", "BaselineError", "Point", "Reading"]
