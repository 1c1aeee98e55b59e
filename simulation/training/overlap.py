"""Communication beside computation: what of it sticks out.

Backward gives the gradients of the last layers first; as soon as a *bucket* of them is complete it leaves, one after
the other on the network. Forward needs gathered parameters bucket by bucket in the same way, the other way round.
Either way the work is taken to be spread evenly over the buckets.
"""

from __future__ import annotations


def exposed_after(work_s: float, buckets: int, bucket_s: float) -> float:
    """Seconds from the end of the work until the last bucket has arrived: bucket i is ready after (i + 1) / n of it."""
    end_s = 0.0
    for bucket in range(buckets):
        end_s = max(end_s, work_s * (bucket + 1) / buckets) + bucket_s
    return max(0.0, end_s - work_s)


def exposed_before(work_s: float, buckets: int, bucket_s: float) -> float:
    """Seconds that the work takes longer because part i of n must wait for bucket i."""
    end_s = 0.0
    for bucket in range(buckets):
        end_s = max(end_s, bucket_s * (bucket + 1)) + work_s / buckets
    return max(0.0, end_s - work_s)
