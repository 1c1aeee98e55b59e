"""A Result: everything that one run found, as frozen data; the JSON object of ``ringlab run SPEC --json -``.

``to_data`` and ``from_data`` go round without loss: what is stored can be read, compared and drawn again. A run on an
emulated fabric is `scale` times slower than the fabric it stands for (time dilation), so every figure is there twice:
as measured, and nominal (times divided by ``scale``, bandwidths multiplied by it; sizes stay as they are).
Units: times in microseconds, bandwidths in GB/s = 1e9 bytes a second as in nccl-tests, rates in bits a second.
"""
# ruff: noqa: N815 - GBps and Gbps are not the same

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

SCHEMA = 1

Verdict = Literal["valid", "doubtful", "invalid"]
Blocks = tuple[tuple[float, ...], ...]
"""The samples of one arm and size: a tuple a block, a time (the slowest rank's) an iteration."""


class ResultError(ValueError):
    """Data that is no result: says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class Nominal:
    """The same result as it stands for the fabric that was emulated."""

    time_us: float
    algbw_GBps: float
    busbw_GBps: float


@dataclass(frozen=True, slots=True)
class SizeResult:
    """One arm at one size; ``time_us`` is the median of all samples, ``wrong`` counts wrong elements over all ranks."""

    size_bytes: int
    count: int
    dtype: str
    redop: str
    time_us: float
    samples_us: Blocks
    algbw_GBps: float
    busbw_GBps: float
    line_share: float
    predicted_us: float | None
    wrong: int
    nominal: Nominal

    @classmethod
    def measured(
        cls,
        samples_us: Sequence[Sequence[float]],
        *,
        size_bytes: int,
        count: int,
        dtype: str,
        redop: str,
        bus_factor: float,
        line_rate_bps: float,
        scale: float,
        predicted_us: float | None,
        wrong: int,
    ) -> SizeResult:
        """The figures that follow from the samples; ``bus_factor`` is busbw / algbw (2(n-1)/n for an allreduce)."""
        from ringlab.experiments.statistics import median  # noqa: PLC0415 - numpy only where it is needed

        time_us = median(samples_us)
        algbw = size_bytes / time_us / 1e3
        busbw = algbw * bus_factor
        return cls(
            size_bytes=size_bytes,
            count=count,
            dtype=dtype,
            redop=redop,
            time_us=time_us,
            samples_us=tuple(tuple(map(float, block)) for block in samples_us),
            algbw_GBps=algbw,
            busbw_GBps=busbw,
            line_share=busbw * 8e9 / line_rate_bps,
            predicted_us=predicted_us,
            wrong=wrong,
            nominal=Nominal(time_us / scale, algbw * scale, busbw * scale),
        )


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to run: ``ecmp:seed=1`` of the group ``ecmp``.

    ``objective`` is the load of its worst link, ``lower_bound`` what no routing can beat. ``library`` ran it: our own,
    or another with its version; of another nothing is predicted.
    """

    name: str
    group: str
    objective: float | None
    lower_bound: float | None
    results: tuple[SizeResult, ...]
    library: str = "ringlab"

    @property
    def is_ours(self) -> bool:
        return self.library == "ringlab"


@dataclass(frozen=True, slots=True)
class Comparison:
    """``better`` took 1/``ratio`` of the time of ``than``; the interval is None where there was but one sample."""

    better: str
    than: str
    size_bytes: int
    ratio: float
    low: float | None
    high: float | None
    blocks: int
    text: str

    @property
    def shown(self) -> bool:
        """Is there a difference at all, as far as the samples can tell?"""
        return self.low is not None and self.low > 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at to know whether the run can be trusted."""

    name: str
    value: float | str | None
    unit: str
    limit: float | str | None
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """Can this result be trusted, and why (not)?"""

    verdict: Verdict
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class LinkBytes:
    """One directed link in one arm: bytes that the switch counted, and bytes that schedule and paths predict."""

    arm: str
    name: str
    bytes_counted: int
    bytes_predicted: int
    difference: float | None

    @classmethod
    def of(cls, arm: str, name: str, bytes_counted: int, bytes_predicted: int) -> LinkBytes:
        """``difference`` is counted / predicted - 1; None where nothing was predicted."""
        difference = bytes_counted / bytes_predicted - 1 if bytes_predicted else None
        return cls(arm, name, bytes_counted, bytes_predicted, difference)


@dataclass(frozen=True, slots=True)
class BaselinePoint:
    """The baseline at one of our sizes; None, and ``why``, where it says nothing."""

    size_bytes: int
    busbw_GBps: float | None
    line_share: float | None
    interpolated: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class BaselineBeside:
    """A GPU baseline at our sizes (time dilation leaves sizes as they are), as a share of its own line rate."""

    name: str
    nominal_line_rate_GBps: float | None
    source: str
    points: tuple[BaselinePoint, ...]
    caveat: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, ``t_s`` seconds after the run began."""

    t_s: float
    event: str


@dataclass(frozen=True, slots=True)
class Result:
    """One run; busbw is a share of ``line_rate_bps``, the emulated rate; ``nominal_line_rate_bps`` is the real one.

    Both are a ring's at most: see ``topologies.measures.ring_line_rate_bps``.

    ``failure`` says why a run ended early: its arms have the turns that were finished.
    """

    id: str
    name: str
    created: str
    spec: Mapping[str, Any]
    fabric: Mapping[str, Any]
    collective: str
    algorithm: str
    channels: int
    ranks: int
    placement: tuple[str, ...]
    scale: float
    line_rate_bps: float
    nominal_line_rate_bps: float
    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...]
    certificate: Certificate
    fingerprint: Mapping[str, Any]
    links: tuple[LinkBytes, ...]
    baseline: BaselineBeside | None
    timeline: tuple[Moment, ...]
    failure: str | None = None

    @property
    def is_simulated(self) -> bool:
        """No packet was sent for it."""
        return self.fingerprint.get("backend") == "simulated"

    def groups(self) -> tuple[str, ...]:
        """The arms' groups, in order of their first arm."""
        return tuple(dict.fromkeys(arm.group for arm in self.arms))

    def sizes(self) -> tuple[int, ...]:
        """Every size that some arm ran, rising."""
        return tuple(sorted({result.size_bytes for arm in self.arms for result in arm.results}))


def to_data(result: Result) -> dict[str, Any]:
    """Plain dicts, lists, numbers and strings, ready for JSON."""
    return {"schema": SCHEMA, **_plain(result)}


def from_data(data: object) -> Result:
    """The result that ``to_data`` took apart. ResultError for anything else, naming the place."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - only readers need it

    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, Mapping) else type(data).__name__
        raise ResultError(
            f"not a result of schema {SCHEMA} (found {found!r}); it comes from: ringlab run SPEC --json FILE"
        )
    try:
        return TypeAdapter(Result).validate_python({key: value for key, value in data.items() if key != "schema"})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ResultError(f"result, {place}: {first['msg']} ({error.error_count()} such errors in all)") from None


def dumps(result: Result) -> str:
    """Strict JSON. ResultError if a figure is not finite: no such number may leave a run."""
    data = to_data(result)
    try:
        return json.dumps(data, indent=2, allow_nan=False) + "\n"
    except ValueError:
        raise ResultError(f"result of {result.name}: {_not_finite(data)} is not a finite number") from None


def loads(text: str) -> Result:
    """A result from its JSON text. ResultError for what is no JSON, or no result."""
    try:
        return from_data(json.loads(text, parse_constant=_refuse))
    except json.JSONDecodeError as error:
        raise ResultError(f"result, line {error.lineno}: not JSON ({error.msg})") from None


def _refuse(constant: str) -> float:
    raise ResultError(f"result: {constant} is no JSON number")


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _not_finite(value: Any, place: str = "") -> str:
    """The place of the first number that JSON can't hold."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    elif isinstance(value, float) and value - value != 0:
        return place
    return next((found for key, item in items if (found := _not_finite(item, f"{place}.{key}".lstrip(".")))), "")
