"""Shares and durations as people write them: ``2%``, ``0.02``; ``90s``, ``10m``, ``1h``."""

from __future__ import annotations

UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


def share(value: object) -> float:
    """``2%`` and 0.02 are the same. ValueError for what is no share above 0 and up to 1."""
    text = str(value).strip()
    try:
        found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        found = 0.0
    if isinstance(value, bool) or not 0 < found <= 1:
        raise ValueError(f"{value!r} is no share; write one like 2% or 0.02")
    return found


def duration_s(value: object) -> float | None:
    """Seconds; None is None. ValueError for what is no duration above 0."""
    if value is None:
        return None
    text = str(value).strip()
    unit = UNITS_S.get(text[-1:], 0.0)
    try:
        found = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        found = 0.0
    if isinstance(value, bool) or not 0 < found < 1e7:
        raise ValueError(f"{value!r} is no duration; write one like 90s, 10m or 1h")
    return found
