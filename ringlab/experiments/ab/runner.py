"""The blocks of an A/B, one after the other: run each bench, refuse what can't be believed, feed the course.

A turn whose certificate is ``invalid``, whose run failed or whose sums are wrong does not count. It is made again at
once, up to ``RETRIES`` times; a block that stays without one of its turns is dropped whole, since a ratio needs both.
Nothing of this looks at how fast anybody was. ``run`` and the clock come in as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import geometric_mean, median

from controller.client import ControllerStartError
from ringlab.errors import exit_code_of
from ringlab.experiments.ab.arms import Arm, joined
from ringlab.experiments.ab.design import Order, order
from ringlab.experiments.ab.outcome import Block, Found, Refused
from ringlab.experiments.ab.stopping import Course, Look, Rules
from ringlab.experiments.result import Result
from ringlab.experiments.spec import Spec

RETRIES = 2
DROPPED_IN_A_ROW = 3
"""Blocks: then the bench is not fit for the comparison."""

UNFIT, INTERRUPTED, BROKEN = "unfit", "interrupted", "broken"
RUN_FAILED = 4

Run = Callable[[Spec, str], Result]
"""A spec on a backend."""


@dataclass
class Blocks:
    """The arms on their benches. ``now`` is a clock in seconds; ``limit_s`` None: only the blocks are limited."""

    arms: Sequence[Arm]
    rules: Rules
    sizes: Sequence[int]
    run: Run
    now: Callable[[], float]
    step: Callable[[str], None]
    scale: float | None
    limit_s: float | None = None
    done: list[Block] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def all(self) -> Found:
        """Warm-up and blocks, until the course is over, the time spent, the bench unfit, or its user has enough."""
        began, number, dropped = self.now(), 0, 0
        course = Course(self.rules, [arm.name for arm in self.arms], self.sizes)
        stopped, wrong = None, ""
        while course.stopped is None and stopped is None:
            try:
                block = self._block(number, course.looked[-1] if course.looked else None)
            except KeyboardInterrupt:
                if not course.blocks:
                    raise
                stopped = INTERRUPTED  # who watches sees widths and no ratios: as good an end as any
                break
            except Exception as error:  # of whatever kind: hours of blocks are not lost for it
                if not course.blocks:
                    raise
                stopped, wrong = BROKEN, str(error) or type(error).__name__
                break
            whole = len(block.times_us) == len(self.arms)
            dropped = 0 if whole else dropped + 1
            if block.counted:
                course.add(block.times_us)
            self.done.append(block)
            number += 1
            if dropped == DROPPED_IN_A_ROW:
                stopped = UNFIT
            elif self._spent(began):
                break
        course.finish()
        return Found(
            arms=tuple(arm.name for arm in self.arms),
            rules=self.rules,
            blocks=tuple(self.done),
            refused=tuple(self.refused),
            looks=tuple(course.looked),
            stopped=stopped or course.stopped or "",
            error=wrong,
        )

    def _spent(self, began: float) -> bool:
        """Would one more block, as long as the longest so far, go over the limit?"""
        if self.limit_s is None:
            return False
        return self.now() - began + max(block.seconds for block in self.done) > self.limit_s

    def _block(self, number: int, look: Look | None) -> Block:
        """Block 0 is the warm-up."""
        began, by_name = self.now(), {arm.name: arm for arm in self.arms}
        turns = order({arm.name: arm.bench for arm in self.arms}, self.rules.seed, number)
        kept: dict[str, tuple[dict[int, tuple[float, ...]], dict[int, float], str]] = {}
        for names in turns:
            self.step(_progress(number, self.rules.blocks, names, look))
            result = self._turn(number, [by_name[name] for name in names])
            if result is None:
                break  # the block will be dropped: no need of its other turns
            for name in names:
                samples, times = measured(result, name)
                kept[name] = samples, times, result.certificate.verdict
        return _kept(number, turns, self.now() - began, kept, whole=len(kept) == len(by_name))

    def _turn(self, number: int, members: Sequence[Arm]) -> Result | None:
        """None where it can't be had."""
        spec = joined([(arm, arm.spec(self.rules.seed, number)) for arm in members], self.scale)
        for _ in range(1 + RETRIES):
            try:
                result = self.run(spec, members[0].backend)
                reason = why_not(result)
            except Exception as error:
                if exit_code_of(error) != RUN_FAILED and not isinstance(error, ControllerStartError):
                    raise
                reason = str(error)
            if reason is None:
                return result
            self.refused.append(Refused(number, tuple(arm.name for arm in members), reason))
        return None


def why_not(result: Result) -> str | None:
    """Why a turn does not count; None if it does."""
    if result.failure:
        return f"failed: {result.failure}"
    wrong = sum(found.wrong for arm in result.arms for found in arm.results)
    if wrong:
        return f"{wrong} elements came out wrong"
    if result.certificate.verdict == "invalid":
        return f"invalid: {result.certificate.reasons[0]}"
    return None


def measured(result: Result, name: str) -> tuple[dict[int, tuple[float, ...]], dict[int, float]]:
    """Samples and time by size of one arm, nominal.

    The time is the geometric mean of the medians of all launches (small messages have a slow and a fast way to run, and
    each launch one of them: a median would jump between the two); of several seeds it is the median of theirs.
    """
    samples: dict[int, list[float]] = {}
    times: dict[int, list[float]] = {}
    for arm in result.arms:
        for found in arm.results if arm.group == name else ():
            launches = [[time / result.scale for time in launch] for launch in found.samples_us]
            samples.setdefault(found.size_bytes, []).extend(chain.from_iterable(launches))
            times.setdefault(found.size_bytes, []).append(geometric_mean(map(median, launches)))
    return {size: tuple(of_size) for size, of_size in samples.items()}, {
        size: median(of_seeds) for size, of_seeds in times.items()
    }


def _kept(
    number: int,
    turns: Order,
    seconds: float,
    kept: Mapping[str, tuple[dict[int, tuple[float, ...]], dict[int, float], str]],
    *,
    whole: bool,
) -> Block:
    return Block(
        number=number,
        counted=whole and number > 0,
        order=turns,
        seconds=round(seconds, 3),
        times_us={name: times for name, (_, times, _) in kept.items()},
        samples_us={name: samples for name, (samples, _, _) in kept.items()},
        verdicts={name: verdict for name, (_, _, verdict) in kept.items()},
    )


def _progress(number: int, blocks: int, names: Sequence[str], look: Look | None) -> str:
    where = f"block {number} of {blocks}" if number else "warm-up"
    widest = max((one.interval.width for one in look.judged), default=0.0) if look else 0.0
    seen = f"; +-{widest:.1%} after {look.blocks}" if look else ""
    return f"{where}, {' and '.join(names)}{seen}"
