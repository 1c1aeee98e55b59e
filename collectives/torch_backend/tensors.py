"""Tensors as flat arrays of numpy that share their memory, and the reductions that torch names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import torch
from numpy.typing import NDArray
from torch.distributed import ReduceOp

Array = NDArray[Any]

_NAMES = (
    (ReduceOp.SUM, "sum"),
    (ReduceOp.AVG, "avg"),
    (ReduceOp.MIN, "min"),
    (ReduceOp.MAX, "max"),
    (ReduceOp.PRODUCT, "prod"),
    (ReduceOp.PREMUL_SUM, "sum"),
)

_TRUTH = {"sum": "max", "prod": "min", "min": "min", "max": "max"}
"""Of truth values, as NCCL has it: a sum is true if any is, a product if all are."""


class Reduction(NamedTuple):
    """A name of ``memory.OPS``, and what each rank multiplies its contribution with before."""

    op: str
    factor: Any = None


def reduction(op: Any, tensor: torch.Tensor) -> Reduction:
    """Of ``ReduceOp`` on such tensors. ValueError if there is none."""
    name = next((name for known, name in _NAMES if op == known), None)
    if name is None:
        raise ValueError("ringlab reduces by SUM, AVG, MIN, MAX, PRODUCT and PREMUL_SUM: use one of them, or gloo")
    scales = bool(op == ReduceOp.PREMUL_SUM)
    factor = getattr(op, "factor", None) if scales else None
    if scales and factor is None:
        raise ValueError("this torch does not tell the factor of PREMUL_SUM: multiply the tensor, then use SUM")
    allowed = tensor.dtype in _REDUCED and not (tensor.is_complex() and name not in ("sum", "avg"))
    if not allowed or (tensor.dtype == torch.bool and (name not in _TRUTH or scales)):
        raise ValueError(f"ringlab has no reduction of {tensor.dtype} by {'PREMUL_SUM' if scales else name.upper()}")
    return Reduction(_TRUTH[name] if tensor.dtype == torch.bool else name, factor)


_INTEGERS = ("uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "bool")
_REDUCED = {
    *(getattr(torch, name) for name in _INTEGERS if hasattr(torch, name)),
    *(torch.float16, torch.float32, torch.float64, torch.bfloat16, torch.complex64, torch.complex128),
}


def check(*tensors: torch.Tensor) -> None:
    """ValueError if these are no tensors that ringlab can move."""
    for tensor in tensors:
        if tensor.device.type != "cpu" or tensor.layout != torch.strided:
            raise ValueError(
                f"ringlab moves dense tensors in the memory of the CPU, not {tensor.layout} on {tensor.device}: "
                "use .cpu() or .to_dense(), or another backend for them"
            )
        if tensor.is_quantized:
            raise ValueError("ringlab moves no quantized tensors: use .int_repr()")


def total(tensors: Sequence[torch.Tensor]) -> int:
    """Elements of them all."""
    return sum(tensor.numel() for tensor in tensors)


def read(tensor: torch.Tensor) -> Array:
    """Its elements: in its own memory if they lie there one after the other, else a copy."""
    return _flat(_dense(tensor.detach()))


@contextmanager
def written(tensor: torch.Tensor) -> Iterator[Array]:
    """Its elements, to be overwritten: what is in the array at the end is in the tensor."""
    whole = tensor.detach()
    dense = _dense(whole)
    yield _flat(dense)
    if dense is not whole:
        whole.copy_(dense)


def joined(tensors: Sequence[torch.Tensor]) -> Array:
    """The elements of them all, one tensor after the other."""
    return np.concatenate([read(tensor) for tensor in tensors])


def spread(array: Array, tensors: Sequence[torch.Tensor]) -> None:
    """The contrary of ``joined``."""
    first = 0
    for tensor in tensors:
        with written(tensor) as flat:
            flat[:] = array[first : first + flat.size]
            first += flat.size


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    lazy = tensor.is_conj() or tensor.is_neg()
    if lazy or not tensor.is_contiguous():
        return tensor.resolve_conj().resolve_neg().contiguous()
    return tensor


def _flat(tensor: torch.Tensor) -> Array:
    flat = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    flat = flat.reshape(-1)
    array: Array
    if flat.dtype == torch.bfloat16:
        array = flat.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    elif flat.dtype not in _REDUCED or flat.dtype == torch.bool:  # numpy's bool, and 8-bit floats: moved as bytes
        array = flat.view(torch.uint8).numpy()
    else:
        array = flat.numpy()
    return array
