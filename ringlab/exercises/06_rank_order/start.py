"""Exercise 6: the cheapest fix: rank order. Read README.md first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ringlab.exercises.measure import Setup, simulate

PREDICTION = None  # busbw of interleaved ranks on one spine, as a share of B


def order(hosts: Sequence[str], leaf_of: Mapping[str, str]) -> list[str]:
    """The hosts in the order of ranks: ``leaf_of["h3"]`` is the switch that h3 is plugged into."""
    return list(hosts)  # TODO: put hosts of one leaf beside each other


def look() -> None:
    for spines in (1, 2):
        dealt = Setup.of(f"leaf-spine:leaves=4,spines={spines},hosts=2", "ring", 8, 16_000_000, "interleaved")
        leaf_of = {host: dealt.fabric.attachment(host).node for host in dealt.fabric.hosts}
        ordered = replace(dealt, hosts=tuple(order(dealt.placement, leaf_of)))
        for name, setup in (("dealt out", dealt), ("in order", ordered)):
            shares = [simulate(setup, f"ecmp:seed={seed}").busbw for seed in range(20)]
            print(f"{spines} spines, {name:9}: busbw {min(shares):.3f} to {max(shares):.3f} B over 20 hashes")


if __name__ == "__main__":
    look()
