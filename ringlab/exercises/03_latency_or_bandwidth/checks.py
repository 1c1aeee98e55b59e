"""Formulas against the closed forms of ``collectives.cost``; the crossing against a measured one."""

import numpy as np

from collectives import cost
from ringlab.exercises.checking import Checks, Trial, expect
from ringlab.exercises.measure import ALPHA_S, B, Setup, simulate

N = 8
BETA_S = 8 / B
BY_FORMULA = 11 * ALPHA_S / (1.25 * BETA_S)
"""14 alpha + 1.75 S beta = 3 alpha + 3 S beta."""

STREAMING = 4 * ALPHA_S / BETA_S
"""15 alpha = 3 alpha + 3 S beta, where the ring's bytes hide behind its latencies."""

NAMES = ("ring", "recursive-doubling")
SMALLEST = 64
REAL_ALIKE = 0.05
"""On packets: how alike both times are where they are said to cross."""

checks = Checks()
checks.prediction("bytes at which the formulas cross", " bytes", lambda _: BY_FORMULA)


@checks.check("formulas", "A ring has 2(n - 1) steps, recursive doubling log2(n), each with the whole message.")
def _formulas(trial: Trial) -> str:
    for name, function in (("ring", "ring_s"), ("recursive-doubling", "recursive_doubling_s")):
        for n, nbytes in ((2, 1_000), (8, 22_000), (16, 16_000_000)):
            found = trial.call(function, n, nbytes, ALPHA_S, BETA_S)
            right = cost.cost(name, n, nbytes).time_s(ALPHA_S, BETA_S)
            expect(abs(found / right - 1) < 1e-6, f"{function}({n}, {nbytes}) is {found:g} s, not {right:g} s")
    return "both are the closed forms"


@checks.check("formulas-cross", "Set both formulas equal and solve for the size: 11 alpha = 1.25 S beta.")
def _formulas_cross(trial: Trial) -> str:
    ring, other = (trial.call(name, N, BY_FORMULA) for name in ("ring_s", "recursive_doubling_s"))
    expect(ring > 0 and abs(ring / other - 1) < 0.01, f"at {BY_FORMULA:.0f} bytes they give {ring:g} s and {other:g} s")
    return f"equal at {BY_FORMULA:.0f} bytes"


@checks.check(
    "measured-crossing", "Halve [low, high]: where the ring is slower in the middle, the crossing lies above it."
)
def _measured_crossing(trial: Trial) -> str:
    if trial.emulated:
        return _real(trial)
    found = trial.call("find_crossing", _simulated)
    expect(abs(found / STREAMING - 1) < 0.05, f"you found {found:.0f} bytes; the two take as long at {STREAMING:.0f}")
    return f"{found:.0f} bytes, where 4 alpha / beta is {STREAMING:.0f}: the ring streams"


def _simulated(algorithm: str, nbytes: int) -> float:
    return simulate(Setup.of(f"star:hosts={N}", algorithm, N, nbytes // 4 * 4), "shortest").time_s


def _real(trial: Trial) -> str:
    """On packets: sizes a factor of two apart, and straight lines on a log scale between them."""
    from ringlab.exercises.real import standing  # noqa: PLC0415 - only where packets are sent

    sizes = [SMALLEST, *(1_000 * 2**power for power in range(11))]
    measured: dict[str, list[float]] = {}
    setups = [Setup.of(f"star:hosts={N}", name, N, sizes[-1]) for name in NAMES]
    with standing(setups[0], trial.say) as real:
        for name, setup in zip(NAMES, setups, strict=True):
            trial.say(f"measuring {name} at {len(sizes)} sizes")
            measured[name] = real.times_s("shortest", sizes, 20, setup)

    def time_of(algorithm: str, nbytes: int) -> float:
        return float(np.exp(np.interp(np.log(nbytes), np.log(sizes), np.log(measured[algorithm]))))

    found = trial.call("find_crossing", time_of)
    ring_s, doubling_s = (measured[name][0] for name in NAMES)
    streaming, formula = (ring_s - doubling_s) / (3 * BETA_S), (ring_s - doubling_s) / (1.25 * BETA_S)
    there_s = [time_of(name, int(found)) for name in NAMES]
    both = f"{there_s[0] * 1e3:.2f} and {there_s[1] * 1e3:.2f} ms"
    expect(abs(there_s[0] / there_s[1] - 1) < REAL_ALIKE, f"at {found:.0f} bytes, where you cross, they take {both}")
    tiny = f"a tiny message takes {ring_s * 1e3:.2f} and {doubling_s * 1e3:.2f} ms here"
    foretold = f"which foretells {streaming:.0f} if the ring streams, {formula:.0f} by the formula"
    return f"at {found:.0f} bytes both take {both}; {tiny}, {foretold}"
