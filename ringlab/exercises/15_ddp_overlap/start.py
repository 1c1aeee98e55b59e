"""Exercise 15: overlap communication with computation in PyTorch DDP. Read README.md first."""

from collections.abc import Sequence

from ringlab.exercises import ddp

PREDICTION = None  # backward and sums in one bucket, over the same with the best buckets
LIMIT = None  # TODO: bytes of a bucket, like 25 * 2**20


def make_buckets(sizes: Sequence[int], limit: int) -> list[list[int]]:
    """Numbers of gradients, from the last one back, bucket by bucket."""
    return [list(reversed(range(len(sizes))))]  # TODO: begin another bucket where one is full


def finish_s(ready_s: Sequence[float], sum_s: Sequence[float]) -> float:
    """When the last bucket is summed; one begins when it is ready and the one before it is through."""
    return max(ready_s) + sum(sum_s)  # TODO: that is when none begins before all are ready


def step_s(limit: int) -> float:
    sizes, ready = [layer.nbytes for layer in ddp.LAYERS], ddp.ready_s()
    buckets = make_buckets(sizes, limit)
    sums = [ddp.sum_s(sum(sizes[number] for number in bucket)) for bucket in buckets]
    return finish_s([max(ready[number] for number in bucket) for bucket in buckets], sums)


def look() -> None:
    print(f"backward alone {ddp.BACKWARD_S * 1e3:.0f} ms")
    for mb in (1, 5, 10, 25, 50, 100, 1_000):
        print(f"buckets of {mb:5} MB: {step_s(mb * 10**6) * 1e3:.0f} ms")
    if LIMIT:
        print(f"yours: {step_s(LIMIT) * 1e3:.0f} ms")


if __name__ == "__main__":
    look()
