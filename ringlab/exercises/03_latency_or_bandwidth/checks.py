"""Formulas against the closed forms of ``collectives.cost``; the crossing against a measured one."""

from collections.abc import Callable

from collectives import algorithms, cost
from ringlab.exercises.checking import Checks, Trial, expect
from ringlab.exercises.measure import ALPHA_S, B, Setup, simulate

N = 8
BETA_S = 8 / B
BY_FORMULA = 11 * ALPHA_S / (1.25 * BETA_S)
"""14 alpha + 1.75 S beta = 3 alpha + 3 S beta."""

STREAMING = 4 * ALPHA_S / BETA_S
"""15 alpha = 3 alpha + 3 S beta, where the ring's bytes hide behind its latencies."""

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
    """On packets: with the alpha that the machine has at the time."""
    from ringlab.exercises.real import RealFabric, standing  # noqa: PLC0415 - only where packets are sent

    schedules = {name: algorithms.build(name, N) for name in ("ring", "recursive-doubling")}

    def timer(real: RealFabric) -> Callable[[str, int], float]:
        def time_of(algorithm: str, nbytes: int) -> float:
            size = nbytes // 4 * 4
            key = f"{algorithm} of {size} bytes"
            trial.say(key)
            return trial.once(
                key, lambda: real.measure("shortest", nbytes=size, schedule=schedules[algorithm], iterations=30).time_s
            )

        return time_of

    with standing(Setup.of(f"star:hosts={N}", "ring", N, 64_000), trial.say) as real:
        time_of = timer(real)
        alpha_s = time_of("recursive-doubling", 64) / 3
        found = trial.call("find_crossing", time_of)
    expected = 4 * alpha_s / BETA_S
    ratio = found / expected
    expect(1 / 1.5 <= ratio <= 1.5, f"you found {found:.0f} bytes; with this machine's alpha it is {expected:.0f}")
    return f"{found:.0f} bytes; 4 alpha / beta with the alpha of {alpha_s * 1e6:.0f} us measured here is {expected:.0f}"
