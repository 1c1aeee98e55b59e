"""The schedule is proven on sets of contributors for n = 2 to 16, and its bytes are counted."""

from collectives.schedule import Op, Schedule
from collectives.verify import verify
from ringlab.exercises.checking import Checks, Trial, against, expect
from ringlab.exercises.chunks import made
from ringlab.exercises.measure import Setup, fabric

RANKS = range(2, 17)
MEASURED = 8
NBYTES = 4_000_000
HEADERS = 0.02
"""What acknowledgements and retransmitted frames may add to the payload, beside what full frames carry."""

checks = Checks()
checks.prediction("messages sent by each of 8 ranks", "", lambda _: 2 * (8 - 1) / 8)


def _whole(trial: Trial, n: int) -> Schedule:
    with against(f"n = {n}"):
        return made(n, trial.call("ring_reduce_scatter", n), trial.call("ring_all_gather", n))


@checks.check(
    "reduce-scatter", "n - 1 steps of n transfers; at step s, rank r sends chunk (r - s) mod n to rank r + 1."
)
def _reduce_scatter(trial: Trial) -> str:
    for n in RANKS:
        transfers = trial.call("ring_reduce_scatter", n)
        expect(transfers, f"n = {n}: there are no transfers yet")
        expect({one.step for one in transfers} == set(range(n - 1)), f"n = {n}: its steps are not 0 to {n - 2}")
        expect(all(one.op == Op.REDUCE for one in transfers), f"n = {n}: a transfer copies; all of them must add")
        expect(
            len(transfers) == n * (n - 1), f"n = {n}: {len(transfers)} transfers; one a rank and step are {n * (n - 1)}"
        )
    return "n - 1 steps, one transfer a rank and step"


@checks.check(
    "correct", "Run exercise.py: it prints who holds what after each step. Where does the first sum go astray?"
)
def _correct(trial: Trial) -> str:
    for n in RANKS:
        schedule = _whole(trial, n)
        with against(f"n = {n}"):
            verify(schedule)
    return "proven for n = 2 to 16: every rank ends with every rank's data exactly once"


@checks.check("neighbours", "In a ring, rank r sends to rank (r + 1) mod n, and to nobody else.")
def _neighbours(trial: Trial) -> str:
    for n in RANKS:
        transfers = [*trial.call("ring_reduce_scatter", n), *trial.call("ring_all_gather", n)]
        expect(transfers, f"n = {n}: there are no transfers yet")
        astray = [one for one in transfers if one.dst != (one.src + 1) % n]
        expect(not astray, f"n = {n}: rank {astray[0].src} sends to rank {astray[0].dst}" if astray else "")
    return "every transfer goes to the next rank"


@checks.check("steps", "Both phases have n - 1 steps, counted from 0 in each.")
def _steps(trial: Trial) -> str:
    for n in RANKS:
        found = _whole(trial, n).num_steps
        expect(found == 2 * (n - 1), f"n = {n}: {found} steps, not {2 * (n - 1)}")
    return "2(n - 1) steps"


@checks.check("bytes", "A rank sends one chunk, S/n, at each of the 2(n - 1) steps.")
def _bytes(trial: Trial) -> str:
    network = fabric(f"star:hosts={MEASURED}")
    schedule = _whole(trial, MEASURED)
    expect(len(schedule), "there are no transfers yet")
    found = trial.measure(Setup(network, schedule, NBYTES), "shortest")
    wanted = 2 * (MEASURED - 1) / MEASURED * NBYTES
    for host in network.hosts:
        sent = found.link_bytes[network.nic(host)]
        near = HEADERS if trial.emulated else 1e-9
        expect(abs(sent / wanted - 1) <= near, f"{host} sends {sent} bytes, not {wanted:.0f}")
    where = "by the switch's ports" if trial.emulated else "by the schedule"
    return f"each of {MEASURED} ranks sends {wanted:.0f} bytes of {NBYTES}, {where}; busbw {found.busbw:.3f} B"
