"""Where chunks begin and end: the one rule that the sockets, the demands and the simulator share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def chunk_bounds(count: int, num_chunks: int) -> NDArray[np.int64]:
    """``num_chunks + 1`` bounds in elements: chunk c is ``bounds[c]`` to ``bounds[c + 1]``.

    Nearly equal parts, the first ``count % num_chunks`` one element longer; some empty if elements are few.
    """
    if count < 0:
        raise ValueError(f"count {count}: a buffer has 0 elements or more")
    size, longer = divmod(count, num_chunks)
    at = np.arange(num_chunks + 1, dtype=np.int64)
    return at * size + np.minimum(at, longer)


def chunk_sizes(block_sizes: NDArray[np.int64], num_chunks: int) -> NDArray[np.int64]:
    """Elements of each chunk: every block cut as ``chunk_bounds`` cuts, part by part (``operations.py``)."""
    part = np.arange(num_chunks // len(block_sizes), dtype=np.int64)[:, np.newaxis]
    size, longer = np.divmod(block_sizes, len(part))
    sizes: NDArray[np.int64] = (size + (part < longer)).reshape(-1)
    return sizes
