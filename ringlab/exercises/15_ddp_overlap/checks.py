"""PyTorch's buckets, one stream of sums, and a bucket size within 2 % of the best."""

from collections.abc import Sequence

from ringlab.exercises import ddp
from ringlab.exercises.checking import Checks, Trial, against, expect

SIZES = [layer.nbytes for layer in ddp.LAYERS]
CANDIDATES = [mb * 500_000 for mb in range(1, 400)]
NEAR = 1.02

checks = Checks()


def _step_s(limit: int) -> float:
    ready = ddp.ready_s()
    now = 0.0
    for bucket in ddp.pytorch_buckets(SIZES, limit):
        now = max(now, *(ready[number] for number in bucket)) + ddp.sum_s(sum(SIZES[number] for number in bucket))
    return now


def _best(trial: Trial) -> tuple[float, int]:
    return trial.once("best", lambda: min((_step_s(limit), limit) for limit in CANDIDATES))


checks.prediction(
    "backward and sums in one bucket over the same with the best",
    "",
    lambda trial: _step_s(sum(SIZES)) / _best(trial)[0],
)


@checks.check("buckets", "Look before you add: if the last bucket has ``limit`` bytes or more already, begin another.")
def _buckets(trial: Trial) -> str:
    cases: Sequence[tuple[Sequence[int], int]] = (
        ([4, 4, 4, 4], 8), ([1, 2, 3, 10, 1], 4), ([5], 1), (SIZES, 25 * 2**20), (SIZES, 10**6), (SIZES, 10**9),
    )  # fmt: skip
    for sizes, limit in cases:
        what = f"sizes {list(sizes)}" if len(sizes) < 9 else f"{len(sizes)} gradients"
        with against(f"{what}, limit {limit}"):
            ddp.check_buckets(trial.call("make_buckets", sizes, limit), sizes, limit)
    return f"as PyTorch makes them: {len(ddp.pytorch_buckets(SIZES, 25 * 2**20))} of 25 MiB"


@checks.check("one-stream", "now = max(now, ready) + sum, bucket after bucket.")
def _stream(trial: Trial) -> str:
    for ready, sums, wanted in (
        ([1.0, 2.0, 3.0], [0.5, 0.5, 0.5], 3.5),
        ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0], 7.0),
        ([1.0, 1.1, 5.0], [1.0, 1.0, 0.1], 5.1),
        ([4.0], [1.0], 5.0),
    ):
        found = trial.call("finish_s", ready, sums)
        expect(
            abs(found - wanted) < 1e-9, f"ready at {ready}, taking {sums}: it ends at {wanted:g} s; you say {found:g}"
        )
    return "one sum after the other, none before its bucket is ready"


@checks.check("limit", "Run exercise.py with several sizes; small buckets pay latency, large ones start late.")
def _limit(trial: Trial) -> str:
    limit = trial.value("LIMIT")
    expect(limit >= 1, f"LIMIT is {limit:g}; bytes are asked for")
    best, at = _best(trial)
    yours = _step_s(int(limit))
    expect(
        yours <= best * NEAR,
        f"with {limit / 1e6:.1f} MB it takes {yours * 1e3:.1f} ms; {best * 1e3:.1f} ms are possible",
    )
    said = f"{limit / 1e6:.1f} MB: {yours * 1e3:.1f} ms; the best, {at / 1e6:.1f} MB, {best * 1e3:.1f} ms"
    return f"{said}; PyTorch's 25 MiB {_step_s(25 * 2**20) * 1e3:.1f} ms"


@checks.check("overlap", "With your functions, the sums should be hidden but for the last bucket's.")
def _overlap(trial: Trial) -> str:
    limit, ready = int(trial.value("LIMIT")), ddp.ready_s()
    buckets = trial.call("make_buckets", SIZES, limit)
    sums = [ddp.sum_s(sum(SIZES[number] for number in bucket)) for bucket in buckets]
    found = trial.call("finish_s", [max(ready[number] for number in bucket) for bucket in buckets], sums)
    hidden = 1 - (found - ddp.BACKWARD_S) / sum(sums)
    expect(hidden >= 0.8, f"{hidden:.0%} of communication are hidden behind backward; 80 % are possible")
    out_ms = (found - ddp.BACKWARD_S) * 1e3
    return f"{hidden:.0%} of {sum(sums) * 1e3:.0f} ms of communication are hidden; {out_ms:.0f} ms stick out"
