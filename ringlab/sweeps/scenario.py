"""A scenario: one frozen mapping that says all a worker needs; its id is a hash of its content.

Its seed is drawn from the sweep's seed and the scenario's content by a hash, so that it does not depend on the order of
scenarios, the engine or the number of workers. It stands in the spec wherever ``$seed`` was written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

SEED = "$seed"
DRAW = "draw"
"""The field that numbers the draws of one spec (``draws: 100``); no spec has a field of that name."""

SIMULATED, EMULATED = "simulated", "emulated"
NEEDS: Mapping[str, Sequence[str]] = {SIMULATED: (), EMULATED: ("root", "netns")}
"""By backend. What needs ``netns`` has its machine for itself."""

ID_DIGITS = 16
"""64 bits: among a million scenarios two are alike by chance once in 37 million sweeps."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """``changes`` as they were written, by dotted field; ``data`` is what is sent: plain, and never changed."""

    changes: Mapping[str, Any]
    data: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        spec: Mapping[str, Any],
        backend: str,
        sweep_seed: int,
        changes: Mapping[str, Any],
        code: Sequence[str] = (),
    ) -> Scenario:
        """``spec`` is plain JSON data; ``code`` are hashes of the files of policies of one's own that it names."""
        seed = seed_of(sweep_seed, spec, changes.get(DRAW))
        seeded = {key: with_seed(value, seed) if SEED in _TEXTS.of(value) else value for key, value in spec.items()}
        own = f'"code":{canonical(code)},' if code else ""
        content = f'{{"backend":{canonical(backend)},{own}"seed":{seed},"spec":{_mapping(seeded)}}}'
        id_ = sha256(content.encode()).hexdigest()[:ID_DIGITS]
        return cls(
            changes, {"id": id_, "needs": list(NEEDS[backend]), "backend": backend, "seed": seed, "spec": seeded}
        )

    @property
    def id(self) -> str:
        return str(self.data["id"])


def canonical(data: object) -> str:
    """JSON that is the same for equal data. ValueError for what is not finite."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


class _Texts:
    """Canonical JSON; of large values remembered, by identity: ten thousand scenarios may share a fabric in place."""

    LARGE, MOST = 4096, 16

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, str]] = {}  # holds the values too, so that no other gets their identity

    def of(self, value: Any) -> str:
        if id(value) in self._known:
            return self._known[id(value)][1]
        text = canonical(value)
        if len(text) > self.LARGE:
            if len(self._known) == self.MOST:
                del self._known[next(iter(self._known))]
            self._known[id(value)] = value, text
        return text


_TEXTS = _Texts()


def _mapping(data: Mapping[str, Any]) -> str:
    """``canonical(data)``, which is never changed; keys are texts."""
    return f"{{{','.join(f'{canonical(key)}:{_TEXTS.of(data[key])}' for key in sorted(data))}}}"


def seed_of(sweep_seed: int, spec: Mapping[str, Any], draw: int | None = None) -> int:
    """31 bits."""
    digest = sha256(f"[{canonical(sweep_seed)},{canonical(draw)},{_mapping(spec)}]".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def with_seed(data: Any, seed: int) -> Any:
    """``data`` with the seed in the place of every ``$seed``; within a text (``ecmp:seed=$seed``) as digits."""
    match data:
        case str():
            return seed if data == SEED else data.replace(SEED, str(seed))
        case dict():
            return {key: with_seed(value, seed) for key, value in data.items()}
        case list():
            return [with_seed(value, seed) for value in data]
    return data


def takes_seed(data: Any) -> bool:
    """Is ``$seed`` anywhere in it?"""
    return SEED in json.dumps(data)
