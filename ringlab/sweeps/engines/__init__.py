"""Engines bring scenarios to workers and records back: here, in local processes, to a Dask cluster, to Slurm.

An engine is a context: ``with serial.engine() as work: for record in work(scenarios): ...``. Records come in the order
in which they are finished, one for each scenario; a scenario whose worker dies has a failed one. Dask and submitit are
imported in their own files, and only when they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ringlab.sweeps.work import Record

Data = Mapping[str, Any]
"""A scenario as it is sent: ``Scenario.data``."""

Work = Callable[[Sequence[Data]], Iterator[Record]]
