"""Exercise 10: find the straggler. A solution."""

from collections.abc import Sequence

from ringlab.exercises.probes import Probe, probe_all

PREDICTION = 0.25  # busbw of the ring with one of its links at a quarter of its rate, as a share of B


def ring_busbw(shares: Sequence[float]) -> float:
    """The ring's busbw, as a share of B, when its links have these shares of their rates."""
    return min(shares)


def find_straggler(probes: Sequence[Probe]) -> str:
    """The name of the one slow link."""
    between = (min(probe.busbw for probe in probes) + max(probe.busbw for probe in probes)) / 2
    slow = [probe.links for probe in probes if probe.busbw < between]
    fast = [probe.links for probe in probes if probe.busbw >= between]
    suspects = frozenset.intersection(*slow).difference(*fast)
    return min(suspects)


def look(hidden: str = "leaf3-spine2", share: float = 0.25) -> None:
    found = probe_all({hidden: share})
    for probe in found:
        mark = "slow" if probe.busbw < 0.9 else "    "
        print(f"{probe.pair:9}  {probe.busbw:.2f} B  {mark}  {' '.join(sorted(probe.links))}")
    print(f"hidden: {hidden}; you say: {find_straggler(found)}")


if __name__ == "__main__":
    look()
