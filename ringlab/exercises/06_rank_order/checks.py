"""Ranks of a leaf beside each other: one flow leaves each leaf, and no hash can do any harm."""

from dataclasses import replace
from random import Random

from ringlab.exercises.checking import Checks, Trial, expect
from ringlab.exercises.measure import Setup, simulate

ONE, TWO = (f"leaf-spine:leaves=4,spines={spines},hosts=2" for spines in (1, 2))
NBYTES = 8_000_000
LEAST = {False: 0.99, True: 0.9}

checks = Checks()


def _dealt(short_form: str) -> Setup:
    return Setup.of(short_form, "ring", 8, NBYTES, "interleaved")


def _ordered(trial: Trial, setup: Setup) -> Setup:
    hosts = trial.call("order", setup.placement, _leaves(setup))
    expect(sorted(hosts) == sorted(setup.placement), f"the order {list(hosts)} does not name each of the hosts once")
    return replace(setup, hosts=tuple(hosts))


def _leaves(setup: Setup) -> dict[str, str]:
    return {host: setup.fabric.attachment(host).node for host in setup.fabric.hosts}


checks.prediction(
    "busbw of interleaved ranks on one spine", " B", lambda trial: trial.once(
        "dealt", lambda: trial.measure(_dealt(ONE), "shortest")).busbw
)  # fmt: skip


@checks.check(
    "one-crossing", "Each leaf should have one flow that leaves it: ranks on the same leaf must be neighbours."
)
def _one_crossing(trial: Trial) -> str:
    setup = _dealt(ONE)
    leaf_of, hosts = _leaves(setup), list(setup.fabric.hosts)
    for seed in range(5):
        Random(seed).shuffle(hosts)  # noqa: S311 - no secret
        ranks = _ordered(trial, replace(setup, hosts=tuple(hosts))).placement
        crossing = sum(leaf_of[one] != leaf_of[after] for one, after in zip(ranks, ranks[1:] + ranks[:1], strict=True))
        expect(crossing == 4, f"from the order {hosts} you make one with {crossing} steps between leaves; 4 are needed")
    return "4 of 8 steps cross the spine, one from each leaf"


@checks.check("one-spine", "On one spine each uplink should carry one flow.")
def _one_spine(trial: Trial) -> str:
    found = trial.measure(_ordered(trial, _dealt(ONE)), "shortest").busbw
    expect(found >= LEAST[trial.emulated], f"busbw is {found:.3f} B in your order; 1 B is possible")
    return f"busbw {found:.3f} B"


@checks.check("immune", "If leaves have one flow each, it does not matter what the hash says.")
def _immune(trial: Trial) -> str:
    setup = _ordered(trial, _dealt(TWO))
    shares = [simulate(setup, f"ecmp:seed={seed}").busbw for seed in range(64)]
    expect(min(shares) >= LEAST[False], f"with two spines a hash brings it down to {min(shares):.3f} B")
    return f"at least {min(shares):.4f} B with each of 64 hashes on two spines"
