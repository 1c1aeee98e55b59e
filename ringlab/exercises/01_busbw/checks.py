"""busbw of a ring is the link's rate, for any number of ranks."""

from ringlab.exercises.checking import Checks, Trial, expect
from ringlab.exercises.measure import B, Measurement, Setup

HOSTS = (2, 4, 8)
NBYTES = 16_000_000
LEAST = {False: 0.95, True: 0.9}
"""Of B, by whether on packets. Simulated: 0.9998 and more; on a busy machine of two cores 0.92 to 0.98."""

checks = Checks()


def _measured(trial: Trial) -> list[Measurement]:
    setups = [Setup.of(f"star:hosts={n}", "ring", n, NBYTES) for n in HOSTS]
    return trial.once("rings", lambda: [trial.measure(setup, "shortest") for setup in setups])


checks.prediction("busbw at 8 hosts", " B", lambda trial: _measured(trial)[-1].busbw)


@checks.check("algbw", "The message's bytes over the time, and nothing else: 16,000,000 bytes in 2 s are 8,000,000.")
def _algbw(trial: Trial) -> str:
    found = trial.call("algbw", NBYTES, 2.0)
    expect(abs(found / 8e6 - 1) < 1e-6, f"algbw(16_000_000, 2.0) is {found:g} bytes a second, not 8,000,000")
    return "bytes over seconds"


@checks.check("factor", "Each rank sends n - 1 chunks of S/n, and then n - 1 more. Divide what it sends by S.")
def _factor(trial: Trial) -> str:
    for n in range(2, 17):
        found, sent = trial.call("busbw_factor", n), 2 * (n - 1) / n
        expect(abs(found - sent) < 1e-9, f"busbw_factor({n}) is {found:g}; a rank sends {sent:g} times the message")
    return "2(n - 1)/n for n = 2 to 16"


@checks.check("line-rate", "With both lines right, algbw times the factor comes out at nearly B.")
def _line_rate(trial: Trial) -> str:
    shares = []
    for n, found in zip(HOSTS, _measured(trial), strict=True):
        rate = 8 * trial.call("algbw", NBYTES, found.time_s) * trial.call("busbw_factor", n) / B
        shares.append(rate)
        expect(
            LEAST[trial.emulated] <= rate <= 1.02,
            f"{n} hosts: busbw is {rate:.3f} B, not from {LEAST[trial.emulated]} to 1",
        )
    return ", ".join(f"{share:.4f} B at n = {n}" for n, share in zip(HOSTS, shares, strict=True))


@checks.check("algbw-falls", "algbw is that of the whole message: it must not be multiplied by anything.")
def _falls(trial: Trial) -> str:
    rates = [8 * trial.call("algbw", NBYTES, found.time_s) / B for found in _measured(trial)]
    expect(rates[0] > rates[1] > rates[2] > 0, f"algbw does not fall with the number of hosts: {rates}")
    return " > ".join(f"{rate:.3f} B" for rate in rates)
