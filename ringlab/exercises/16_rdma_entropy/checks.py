"""Ports that differ, loads that even out, and the fewest queue pairs that are enough."""

from collections.abc import Sequence
from statistics import mean

from ringlab.exercises.checking import Checks, Trial, expect
from ringlab.exercises.entropy import HIGHEST_PORT, LOWEST_PORT, SourcePorts, loads_of

CHOICES = (1, 2, 4, 8, 16, 32)
SEEDS = range(30)
GOAL = 0.6

checks = Checks()


def _right_ports(pair: int, queues: int) -> list[int]:
    return [LOWEST_PORT + (37 * pair + queue) % (HIGHEST_PORT - LOWEST_PORT + 1) for queue in range(queues)]


def _mean(ports: SourcePorts, queues: int) -> float:
    return mean(1 / max(loads_of(ports, queues, seed)) for seed in SEEDS)


def _reference(trial: Trial, queues: int) -> float:
    return trial.once(f"reference {queues}", lambda: _mean(_right_ports, queues))


checks.prediction("mean busbw with 16 queue pairs", " B", lambda trial: _reference(trial, 16))


def _ports(trial: Trial) -> SourcePorts:
    def ports(pair: int, queues: int) -> Sequence[int]:
        found = list(trial.call("source_ports", pair, queues))
        expect(
            len(found) == queues, f"source_ports({pair}, {queues}) has {len(found)} ports; one a queue pair is needed"
        )
        return found

    return ports


@checks.check("ports", "Count up from 49152, a port for each queue pair; keep below 65536.")
def _differ(trial: Trial) -> str:
    ports = _ports(trial)
    for pair in range(64):
        for queues in CHOICES:
            found = ports(pair, queues)
            expect(len(set(found)) == queues, f"source_ports({pair}, {queues}) uses a port twice: no entropy")
            good = all(isinstance(port, int) and LOWEST_PORT <= port <= HIGHEST_PORT for port in found)
            expect(good, f"source_ports({pair}, {queues}) leaves {LOWEST_PORT} to {HIGHEST_PORT}: {found}")
    return "different ports for every queue pair of 64 connections"


@checks.check("busbw", "The fullest link decides: with 3 flows on it, each gets a third.")
def _busbw(trial: Trial) -> str:
    for loads, wanted in (([1.0, 3.0, 2.0], 1 / 3), ([1.0], 1.0), ([0.75, 1.25], 0.8)):
        found = trial.call("busbw", loads)
        expect(abs(found - wanted) < 1e-9, f"with {loads} flows on links it is {wanted:.3f} B; you say {found:.3f}")
    return "the fullest link decides"


@checks.check("evens-out", "If more queue pairs change nothing, the hash sees no difference between them.")
def _evens(trial: Trial) -> str:
    one, many = (mean(1 / max(loads_of(_ports(trial), queues, seed)) for seed in SEEDS) for queues in (1, 16))
    expect(many >= 1.4 * one, f"with 1 queue pair {one:.3f} B on average, with 16 {many:.3f} B: no entropy")
    return f"{one:.3f} B with 1 queue pair, {many:.3f} B with 16, means of {len(SEEDS)} seeds"


@checks.check(
    "fewest", "Go up from 1 and stop at the first number whose mean reaches 0.6 B; each costs memory of the NIC."
)
def _fewest(trial: Trial) -> str:
    queues = trial.value("QUEUES")
    expect(queues in CHOICES, f"QUEUES is {queues:g}; choose from {', '.join(map(str, CHOICES))}")
    wanted = next(number for number in CHOICES if _reference(trial, number) >= GOAL)
    shares = ", ".join(
        f"{number}: {_reference(trial, number):.2f} B" for number in CHOICES[: CHOICES.index(wanted) + 1]
    )
    expect(queues == wanted, f"with {queues:g} it is not the fewest that reach {GOAL} B")
    return f"means by queue pairs {shares}"
