"""Rates and latencies as people write them: ``100G``, ``400Mb/s``, ``10ms``; exact both ways.

Rates are in bits a second with decimal prefixes (1 G = 1e9); latencies are one way, in seconds.
"""

from __future__ import annotations

import re
from decimal import Decimal

MAX_RATE_BPS = 10**15
"""1000 Tb/s, far above any port: what lies beyond is a slip of the pen."""

_NUMBER = r"(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?)"
_RATE = re.compile(rf"{_NUMBER}\s*(?P<prefix>[kKMGTgt]?)(?P<unit>(?:b(?:it)?/s|bps|b)?)")
_BYTES = re.compile(rf"{_NUMBER}\s*(?P<prefix>[kKMGT]?)(?:B|B/s|Bps)")
_LATENCY = re.compile(rf"{_NUMBER}\s*(?P<unit>[num\u00b5\u03bc]?s)")

_PREFIXES = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12}
_SECONDS = {"s": 0, "ms": -3, "us": -6, "ns": -9}


def parse_rate(text: str) -> int:
    """``"100G"``, ``"100 Gb/s"``, ``"2.5Gbps"``, ``"1e9"`` -> b/s. ValueError says what a rate looks like."""
    match = _RATE.fullmatch(text.strip())
    if not match:
        _refuse_bytes(text)
        raise ValueError(f"{text!r} is not a rate: write one like 100G, 400Mb/s or 1e9 (bits a second)")
    prefix = match["prefix"].upper().replace("K", "k")
    rate = Decimal(match["number"]).scaleb(_PREFIXES[prefix])
    if not 0 < rate <= MAX_RATE_BPS:
        raise ValueError(f"rate {text!r} is out of range: above 0, at most {format_rate(MAX_RATE_BPS)}")
    if rate != int(rate):
        raise ValueError(f"rate {text!r} is not a whole number of bits a second")
    return int(rate)


def format_rate(rate_bps: int) -> str:
    """The shortest text of at most three decimals that ``parse_rate`` reads back: ``100G``, ``2.5G``, ``1234567``."""
    for prefix in ("T", "G", "M", "k"):
        unit: int = 10 ** _PREFIXES[prefix]
        if rate_bps >= unit and rate_bps * 1000 % unit == 0:
            return f"{_plain(Decimal(rate_bps) / unit)}{prefix}"
    return str(rate_bps)


def parse_latency(text: str) -> float:
    """``"1us"``, ``"10 ms"``, ``"0"`` -> seconds. ValueError says what a latency looks like."""
    cleaned = text.strip()
    if re.fullmatch(r"0+(\.0*)?", cleaned):
        return 0.0
    match = _LATENCY.fullmatch(cleaned)
    if not match:
        raise ValueError(f"{text!r} is not a latency: write a number and a unit, like 1us, 10ms or 0")
    unit = match["unit"].replace("\u00b5", "u").replace("\u03bc", "u")
    return float(Decimal(match["number"]).scaleb(_SECONDS[unit]))


def format_latency(latency_s: float) -> str:
    """Text that ``parse_latency`` reads back to the same float: ``1us``, ``2.5ms``, ``0``."""
    exact = Decimal(repr(latency_s))
    for unit, exponent in _SECONDS.items():
        if exact >= Decimal(1).scaleb(exponent):
            return f"{_plain(exact.scaleb(-exponent))}{unit}"
    return f"{_plain(exact.scaleb(9))}ns" if exact else "0"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _refuse_bytes(text: str) -> None:
    match = _BYTES.fullmatch(text.strip())
    if match:
        bits = _plain(Decimal(match["number"]) * 8)
        raise ValueError(f"{text!r} is in bytes; rates are in bits: write {bits}{match['prefix']}b/s")
