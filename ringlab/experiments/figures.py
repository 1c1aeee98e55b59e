"""Numbers as people read them: sizes in binary units as nccl-tests takes them, times and rates with four digits."""

from __future__ import annotations

UNKNOWN = "-"


def size_text(nbytes: int) -> str:
    """``16777216`` is ``16 MiB``; what is no whole number of a unit keeps three digits: ``92.6 MiB``."""
    unit, value = "B", float(nbytes)
    for larger in ("KiB", "MiB", "GiB"):
        if value < 1024:
            break
        unit, value = larger, value / 1024
    return f"{value:.0f} {unit}" if value >= 100 or value == int(value) else f"{value:.3g} {unit}"


def time_text(time_us: float | None) -> str:
    """``335942.0`` is ``335.9 ms``."""
    if time_us is None:
        return UNKNOWN
    for unit, us in (("us", 1.0), ("ms", 1e3)):
        if abs(time_us) < 999.95 * us:
            return f"{_digits(time_us / us)} {unit}"
    return f"{_digits(time_us / 1e6)} s"


def bandwidth_text(bandwidth_GBps: float | None) -> str:  # noqa: N803 - GB and Gb are not the same
    """GB/s without the unit, which stands in the column's head: ``0.0471``, ``11.78``, ``480.2``."""
    return UNKNOWN if bandwidth_GBps is None else _digits(bandwidth_GBps)


def rate_text(rate_bps: float) -> str:
    """``400e6`` is ``400 Mb/s``."""
    for unit, bps in (("Tb/s", 1e12), ("Gb/s", 1e9), ("Mb/s", 1e6), ("kb/s", 1e3)):
        if rate_bps >= bps:
            return f"{rate_bps / bps:.4g} {unit}"
    return f"{rate_bps:.4g} b/s"


def share_text(share: float | None) -> str:
    """``0.9412`` is ``94.1 %``."""
    return UNKNOWN if share is None else f"{share * 100:.1f} %"


def _digits(value: float) -> str:
    """Four digits where they fit in five places: ``480.2``, ``11.78``, ``0.0471``, ``0.00571``."""
    exponent = int(f"{value:.3e}".partition("e")[2])  # of the value as it will be rounded
    return f"{value:.{max(0, min(3 - exponent, 4 if exponent >= -2 else 5))}f}"
