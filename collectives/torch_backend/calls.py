"""Each operation of torch.distributed by those of the communicator: what a group's thread runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from collectives.communicator import Communicator
from collectives.torch_backend.tensors import Reduction, joined, read, spread, written
from collectives.transport.errors import MismatchError

Tensors = Sequence[torch.Tensor]


def all_reduce(communicator: Communicator, tensor: torch.Tensor, how: Reduction) -> None:
    if how.factor is not None:
        tensor.detach().mul_(how.factor)
    with written(tensor) as flat:
        communicator.all_reduce(flat, op=how.op)


def reduce(communicator: Communicator, tensor: torch.Tensor, how: Reduction, root: int) -> None:
    """The root's tensor becomes the result; the others keep theirs."""
    source = read(_scaled(tensor, how))
    if communicator.rank == root:
        with written(tensor) as flat:
            communicator.reduce(source, flat, how.op, root)
    else:
        communicator.reduce(source, op=how.op, root=root)


def broadcast(communicator: Communicator, tensor: torch.Tensor, root: int) -> None:
    with written(tensor) as flat:
        communicator.broadcast(flat, root)


def all_gather_single(communicator: Communicator, out: torch.Tensor, tensor: torch.Tensor) -> None:
    with written(out) as flat:
        communicator.all_gather(read(tensor), flat)


def all_gather(communicator: Communicator, outs: Tensors, tensor: torch.Tensor) -> None:
    """Of any lengths: equal ones in one operation, else by a broadcast of each rank's."""
    if _alike(outs):
        spread(communicator.all_gather(read(tensor)), outs)
        return
    for root, out in enumerate(outs):
        if root == communicator.rank:
            out.detach().copy_(tensor.detach())
        broadcast(communicator, out, root)


def gather(communicator: Communicator, outs: Tensors, tensor: torch.Tensor, root: int) -> None:
    gathered = communicator.gather(read(tensor), root=root)
    if gathered is not None:
        spread(gathered, outs)


def scatter(communicator: Communicator, tensor: torch.Tensor, parts: Tensors, root: int) -> None:
    with written(tensor) as flat:
        communicator.scatter(joined(parts) if parts else None, flat, root)


def reduce_scatter_single(communicator: Communicator, out: torch.Tensor, tensor: torch.Tensor, how: Reduction) -> None:
    with written(out) as flat:
        communicator.reduce_scatter(read(_scaled(tensor, how)), flat, how.op)


def reduce_scatter(communicator: Communicator, out: torch.Tensor, parts: Tensors, how: Reduction) -> None:
    """Of any lengths: equal ones in one operation, else by a reduce to each rank."""
    if _alike(parts):
        whole = joined([_scaled(part, how) for part in parts])
        with written(out) as flat:
            communicator.reduce_scatter(whole, flat, how.op)
        return
    for root, part in enumerate(parts):
        kept = _scaled(part, how).detach().clone()
        reduce(communicator, kept, Reduction(how.op), root)
        if root == communicator.rank:
            out.detach().copy_(kept)


def all_to_all_single(communicator: Communicator, out: torch.Tensor, tensor: torch.Tensor) -> None:
    """In equal parts on all ranks."""
    with written(out) as flat:
        communicator.all_to_all(read(tensor), flat)


def all_to_all(communicator: Communicator, outs: Tensors, parts: Tensors) -> None:
    """Of any lengths: ``parts[d]`` to rank d, whose ``outs`` has room for as much. MismatchError if not."""
    counts = [read(part).size for part in parts]
    came, sizes = communicator.all_to_all_v(joined(parts), counts)
    for source, (size, out) in enumerate(zip(sizes, outs, strict=True)):
        room = read(out).size
        if size != room:
            raise MismatchError(
                f"rank {communicator.rank} has room for {room} elements of rank {source}'s, which sends {size}: "
                "the split sizes of the ranks must agree"
            )
    spread(np.asarray(came), outs)


def _scaled(tensor: torch.Tensor, how: Reduction) -> torch.Tensor:
    return tensor if how.factor is None else tensor.detach() * how.factor


def _alike(tensors: Tensors) -> bool:
    return len({tensor.numel() for tensor in tensors}) == 1
