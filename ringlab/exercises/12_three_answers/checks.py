"""Formula against simulator (and packets); bytes alike in all; and where they part."""

from ringlab.exercises.checking import Checks, Trial, expect
from ringlab.exercises.measure import ALPHA_S, Setup, simulate

RATES_MBPS = (10, 100, 1_000, 10_000)
REAL_MBPS = (50, 100, 200, 400, 800, 1_600)
N, REAL_N = 8, 4
NBYTES = 4_000_000
WITHIN = 0.05

checks = Checks()


def _setup(rate_mbps: int, n: int = N, nbytes: int = NBYTES) -> Setup:
    return Setup.of(f"star:hosts={n},rate={rate_mbps}M", "ring", n, nbytes)


def _small_s(rate_mbps: int) -> float:
    return simulate(_setup(rate_mbps, nbytes=64_000), "shortest").time_s


checks.prediction("64 kB at 10 Gb/s, over 100 Mb/s", " times faster", lambda _: _small_s(100) / _small_s(10_000))


@checks.check("formula", "max(2 (n - 1) alpha, 2 (n - 1) / n * bytes * 8 / rate) + alpha.")
def _formula(trial: Trial) -> str:
    worst = 0.0
    for nbytes in (64_000, NBYTES):
        for rate in RATES_MBPS:
            said = trial.call("formula_s", N, nbytes, rate * 1e6, ALPHA_S)
            found = simulate(_setup(rate, nbytes=nbytes), "shortest").time_s
            worst = max(worst, abs(said / found - 1))
            answers = f"your formula says {said * 1e3:.3f} ms, the simulator {found * 1e3:.3f} ms"
            expect(abs(said / found - 1) <= 0.01, f"{nbytes} bytes at {rate} Mb/s: {answers}")
    return f"formula and simulator differ by {worst:.2%} at the most, from 10 Mb/s to 10 Gb/s"


@checks.check("bytes", "As in exercise 2: each rank sends 2 (n - 1) chunks of a message's n-th part.")
def _bytes(trial: Trial) -> str:
    for n in (2, 4, 8):
        setup = _setup(100, n)
        found = simulate(setup, "shortest")
        said = trial.call("link_bytes", n, NBYTES)
        crossed = found.link_bytes[setup.fabric.nic("h1")]
        expect(abs(said / crossed - 1) < 1e-6, f"n = {n}: you say {said:.0f} bytes; {crossed} cross the link of h1")
    return "as the schedule has them, for 2, 4 and 8 ranks"


@checks.check(
    "honest", "Sort the rows by rate. The first that is further off than ``within`` ends it, whatever comes after."
)
def _honest(trial: Trial) -> str:
    good = [(400e6, 1.0, 1.3), (100e6, 4.0, 4.1), (200e6, 2.0, 1.95), (800e6, 0.5, 0.5)]
    for rows, wanted in ((good, 200e6), ([(100e6, 1.0, 2.0)], 0.0), ([(1e8, 1.0, 1.04), (2e8, 1.0, 0.96)], 2e8)):
        said = trial.call("honest_rate", rows, WITHIN)
        expect(said == wanted, f"of the rows {rows} you say {said:g}; it is {wanted:g}")
    return "the first row that disagrees ends it"


@checks.check("three-answers", "The three checks before this one must pass first; then it is the machine's turn.")
def _three(trial: Trial) -> str:
    if not trial.emulated:
        said = trial.call("formula_s", N, NBYTES, 100e6, ALPHA_S)
        found = simulate(_setup(100), "shortest").time_s
        expect(abs(said / found - 1) <= 0.01, f"formula {said * 1e3:.1f} ms, simulator {found * 1e3:.1f} ms")
        return f"two of three: formula {said * 1e3:.1f} ms, simulator {found * 1e3:.1f} ms; for the third: --emulated"
    return _with_packets(trial)


def _with_packets(trial: Trial) -> str:
    from ringlab.exercises.real import MTU, payload, standing  # noqa: PLC0415 - only where packets are sent
    from simulation.fluid import payload_share  # noqa: PLC0415 - likewise

    rows, said = [], []
    for rate in REAL_MBPS:
        setup = _setup(rate, REAL_N, max(NBYTES * rate // 100 // 4 * 4, NBYTES))
        with standing(setup, trial.say) as real:
            trial.say(f"measuring at {rate} Mb/s")
            alpha_s = real.measure("shortest", nbytes=64, iterations=30).time_s / (2 * (REAL_N - 1) + 1)
            found = real.measure("shortest")
        predicted = trial.call("formula_s", REAL_N, setup.nbytes, rate * 1e6 * payload_share(MTU), alpha_s)
        rows.append((rate * 1e6, predicted, found.time_s))
        said.append(f"{rate}: {found.time_s / predicted:.3f}")
        crossed = payload(found.link_bytes)[setup.fabric.nic("h1")]
        wanted = trial.call("link_bytes", REAL_N, setup.nbytes)
        expect(
            abs(crossed / wanted - 1) < 0.02, f"{rate} Mb/s: {crossed} bytes crossed the link of h1, not {wanted:.0f}"
        )
    honest = trial.call("honest_rate", rows, WITHIN)
    expect(
        honest >= REAL_MBPS[0] * 1e6,
        f"not even {REAL_MBPS[0]} Mb/s are carried within 5 % here: measured / predicted {said}",
    )
    return (
        f"honest up to {honest / 1e6:.0f} Mb/s; measured / predicted by Mb/s: {', '.join(said)}; bytes alike within 2 %"
    )
