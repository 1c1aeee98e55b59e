"""An A/B's arms: specs that may differ in anything, each with one policy (or several seeds of one) and a backend.

``$seed`` in a spec is another number in each block, the same for all arms: ``policy: ecmp:seed=$seed`` compares over
draws of the hash, where a seed that is written compares that one draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from ringlab.errors import UsageError
from ringlab.experiments import spec as specs
from ringlab.experiments.figures import size_text
from ringlab.experiments.spec import Spec
from ringlab.sweeps.scenario import SIMULATED, canonical, seed_of, takes_seed, with_seed

OF_ONE_ARM = ("arms", "library", "name")
"""Fields of a spec that don't ask for a fabric of one's own."""


@dataclass(frozen=True, slots=True)
class Arm:
    """``data`` is the spec as plain data, its files named by whole paths. ``apart`` keeps equal arms on two benches."""

    name: str
    data: Mapping[str, Any]
    backend: str
    apart: str = ""

    @property
    def bench(self) -> str:
        """Arms of equal benches can take turns on one fabric."""
        rest = {key: value for key, value in self.data.items() if key not in OF_ONE_ARM}
        return sha256(canonical([self.backend, self.apart, rest]).encode()).hexdigest()[:12]

    @property
    def is_drawn(self) -> bool:
        return takes_seed(self.data)

    def spec(self, seed: int, block: int) -> Spec:
        """What it is in a block. SpecError where it can't be."""
        drawn = with_seed(dict(self.data), seed_of(seed, {}, block)) if self.is_drawn else self.data
        return _read(canonical(drawn), self.name)


@lru_cache(maxsize=64)
def _read(text: str, name: str) -> Spec:
    return specs.loads(text, name)


def check(arms: Sequence[Arm], seed: int) -> tuple[int, ...]:
    """The sizes that all arms run. UsageError where they can't be compared."""
    if len(arms) < 2:
        raise UsageError("an A/B needs two arms or more")
    wanted = {arm.name: arm.spec(seed, 1) for arm in arms}
    for name, spec in wanted.items():
        groups = list(dict.fromkeys(one.group for one in spec.arms))
        if len(groups) > 1:
            raise UsageError(
                f"arm {name} has {len(groups)} policies ({', '.join(groups)}); an arm of an A/B has one: "
                f"write policy: {groups[-1]} for it in an A/B file"
            )
    sizes = {name: sorted(spec.sizes) for name, spec in wanted.items()}
    first = arms[0].name
    for name, found in sizes.items():
        if found != sizes[first]:
            raise UsageError(
                f"arms {first} and {name} have other sizes ({_told(sizes[first])}; {_told(found)}): "
                "only equal sizes can be compared"
            )
    return tuple(sizes[first])


def twice(arms: Sequence[Arm]) -> tuple[Arm, Arm]:
    """The first arm under two names, for an A/A; on two benches if the arms of the A/B are."""
    first = arms[0]
    apart = "again" if len({arm.bench for arm in arms}) > 1 else ""
    return first, replace(first, name=f"{first.name} again", apart=apart)


def joined(members: Iterable[tuple[Arm, Spec]], scale: float | None) -> Spec:
    """One spec whose arms are those of ``members``, which share a bench; each group bears an A/B arm's name."""
    members = list(members)
    turns = tuple(
        replace(one, name=f"{arm.name}/{one.name}", group=arm.name) for arm, spec in members for one in spec.arms
    )
    return replace(members[0][1], arms=turns, compare=(), baseline=None, baseline_line_rate_GBps=None, scale=scale)


def notes(arms: Sequence[Arm], seed: int) -> list[str]:
    """What a reader should know of what is compared."""
    found = []
    ranks = {len(arm.spec(seed, 1).placement) for arm in arms}
    if len(ranks) > 1:
        found.append(f"arms have {' and '.join(map(str, sorted(ranks)))} ranks: what is compared is time, not busbw")
    backends = {arm.backend for arm in arms}
    if len(backends) > 1:
        found.append(
            "a simulated arm stands beside an emulated one, at its scale: a difference may be of the two backends"
        )
    if backends == {SIMULATED} and not any(arm.is_drawn for arm in arms):
        found.append("simulated arms without $seed are the same in every block: their ratio has no spread")
    return found


def _told(sizes: Sequence[int]) -> str:
    return ", ".join(map(size_text, sizes))
