"""The composition is proven; it keeps to groups and rails; and takes 674 ms where a ring takes 2,400."""

from collectives.algorithms import build
from collectives.schedule import Schedule
from collectives.verify import verify
from ringlab.exercises.checking import Checks, Trial, against, expect
from ringlab.exercises.measure import Measurement, Setup, fabric, simulate

TIERS = "leaf-spine:leaves=4,spines=4,hosts=4,host_rate=1G,fabric_rate=100M"
NBYTES = 16_000_000
SHAPES = ((2, 2), (4, 4), (2, 4), (4, 2), (3, 3), (1, 4))
FASTEST_S = 0.6744
"""12 MB at 1 Gb/s twice, 6 MB at 100 Mb/s, and 12 steps of 200 us."""

checks = Checks()


def _schedule(trial: Trial, groups: int, size: int) -> Schedule:
    with against(f"hierarchical({groups}, {size})"):
        found = trial.call("hierarchical", groups, size)
    expect(
        isinstance(found, Schedule), f"hierarchical({groups}, {size}) returns {type(found).__name__}, not a Schedule"
    )
    assert isinstance(found, Schedule)
    return found


def _flat(trial: Trial) -> Measurement:
    return trial.once("ring", lambda: simulate(Setup(fabric(TIERS), build("ring", 16), NBYTES)))


def _yours(trial: Trial) -> Measurement:
    schedule = _schedule(trial, 4, 4)
    return trial.once("yours", lambda: simulate(Setup(fabric(TIERS), schedule, NBYTES)))


checks.prediction(
    "the ring's time over that of a hierarchical allreduce", "", lambda trial: _flat(trial).time_s / FASTEST_S
)


@checks.check(
    "correct", "Does part i of the second phase lie on the chunks that the first left with rank i of each group?"
)
def _correct(trial: Trial) -> str:
    for groups, size in SHAPES:
        schedule = _schedule(trial, groups, size)
        ranks = groups * size
        expect(
            schedule.num_ranks == ranks, f"hierarchical({groups}, {size}) is of {schedule.num_ranks} ranks, not {ranks}"
        )
        with against(f"hierarchical({groups}, {size})"):
            verify(schedule)
    return "proven for " + ", ".join(f"{groups} x {size}" for groups, size in SHAPES)


@checks.check("keeps-to-tiers", "A rank talks to its own group, and to the ranks of its own place in other groups.")
def _tiers(trial: Trial) -> str:
    for groups, size in SHAPES:
        schedule = _schedule(trial, groups, size)
        for src, dst in sorted(set(zip(schedule.src.tolist(), schedule.dst.tolist(), strict=True))):
            good = src // size == dst // size or src % size == dst % size
            expect(good, f"hierarchical({groups}, {size}): rank {src} sends to rank {dst}, of another group and place")
    return "every transfer is inside a group or along a rail"


@checks.check("rails", "In the second phase each of the four ranks of a group should carry its own quarter.")
def _rails(trial: Trial) -> str:
    found = _yours(trial)
    network = found.setup.fabric
    up = [found.link_bytes[port] for leaf in network.switches[:4] for port in network.ports(leaf)[4:]]
    wanted = 2 * 3 / 4 * NBYTES / 4
    expect(min(up) > 0, f"{up.count(0)} of 16 links out of the groups carry nothing")
    expect(max(up) <= wanted * 1.001, f"a link out of a group carries {max(up)} bytes; {wanted:.0f} are enough")
    return f"each of 16 links out of the groups carries {wanted / 1e6:g} MB"


@checks.check(
    "time", "Three phases, not more; the first and the last inside groups, where links are ten times as fast."
)
def _time(trial: Trial) -> str:
    flat, yours = _flat(trial).time_s, _yours(trial).time_s
    expect(
        yours <= FASTEST_S * 1.02, f"yours takes {yours * 1e3:.0f} ms, the ring {flat * 1e3:.0f}; 674 ms are possible"
    )
    halving = simulate(Setup(fabric(TIERS), build("halving-doubling", 16), NBYTES)).time_s
    others = f"ring {flat * 1e3:.0f} ms ({flat / yours:.2f} times), halving-doubling {halving * 1e3:.0f} ms"
    return f"{yours * 1e3:.0f} ms; {others}"
