"""One message over each uplink, each way; faster than a ring; and as rare as the uplink needs it."""

from collectives.algorithms import build
from collectives.schedule import Schedule
from collectives.verify import verify
from ringlab.exercises.checking import Checks, Trial, against, expect
from ringlab.exercises.chunks import made
from ringlab.exercises.measure import Measurement, Setup, fabric, simulate

EDGE = "edge-sites:leaves=1,spines=1,hosts=4,sites=2,site_hosts=2,uplink_rate=10M,uplink_latency=10ms"
CORE, SITES = [0, 1, 2, 3], [[4, 5], [6, 7]]
OTHERS = (([0], [[1], [2]]), ([0, 1], [[2, 3, 4], [5]]), ([3, 0], [[1, 2], [5, 4], [6]]))
NBYTES = 4_000_000
FASTER = 1.25

checks = Checks()


def _schedule(trial: Trial, core: list[int], sites: list[list[int]]) -> Schedule:
    with against(f"core {core}, sites {sites}"):
        phases = trial.call("edge_allreduce", core, sites)
        return made(len(core) + sum(map(len, sites)), *phases, num_chunks=1)


def _yours(trial: Trial) -> Measurement:
    schedule = _schedule(trial, CORE, SITES)
    expect(len(schedule), "there are no transfers yet")
    with against("the simulator"):
        return trial.once("yours", lambda: simulate(Setup(fabric(EDGE), schedule, NBYTES), "shortest"))


def _ring(trial: Trial) -> Measurement:
    return trial.once("ring", lambda: simulate(Setup(fabric(EDGE), build("ring", 8), NBYTES), "shortest"))


checks.prediction("the ring's time over yours", "", lambda trial: _ring(trial).time_s / _yours(trial).time_s)


@checks.check(
    "correct", "Members to leaders, leaders to the core's leader, and back; what adds at one rank needs steps apart."
)
def _correct(trial: Trial) -> str:
    for core, sites in ((CORE, SITES), *OTHERS):
        schedule = _schedule(trial, core, sites)
        with against(f"core {core}, sites {sites}"):
            verify(schedule)
    return f"proven for {1 + len(OTHERS)} shapes"


@checks.check("uplinks", "Only a site's leader may talk to the outside, once there and once back.")
def _uplinks(trial: Trial) -> str:
    found = _yours(trial)
    network = found.setup.fabric
    for site in ("site1", "site2"):
        out = network.ports(site)[-1]
        for port in (out, network.peer(out)):
            messages = found.link_bytes[port] / NBYTES
            expect(messages <= 1.001, f"{network.direction(port)} carries {messages:.2f} messages; 1 is enough")
    return "1 message in each direction of each uplink; the ring has 1.75"


@checks.check("time", "Sites work at the same time, not one after the other: their steps may have the same numbers.")
def _time(trial: Trial) -> str:
    yours, ring = _yours(trial).time_s, _ring(trial).time_s
    expect(
        ring / yours >= FASTER, f"yours takes {yours:.2f} s, the ring {ring:.2f} s; {FASTER} times faster is asked for"
    )
    return f"{yours:.2f} s, the ring {ring:.2f} s"


@checks.check("rarely", "sync_s / (steps * compute_s + sync_s) <= most, solved for steps, rounded up; at least 1.")
def _rarely(trial: Trial) -> str:
    for compute_s, sync_s, most in (
        (0.5, 4.3, 0.1),
        (0.5, 4.3, 0.5),
        (10.0, 0.1, 0.1),
        (1.0, 9.0, 0.1),
        (0.2, 5.6, 0.01),
    ):
        steps = trial.call("steps_between", compute_s, sync_s, most)
        expect(steps == int(steps) and steps >= 1, f"steps_between answers {steps!r}; a whole number from 1 is needed")

        def share(number: int, compute_s: float = compute_s, sync_s: float = sync_s) -> float:
            return sync_s / (number * compute_s + sync_s)

        what = f"{compute_s:g} s a step, {sync_s:g} s to sync, at most {most:.0%}"
        expect(share(steps) <= most + 1e-9, f"{what}: with {steps} steps communication takes {share(steps):.1%}")
        expect(steps == 1 or share(steps - 1) > most + 1e-9, f"{what}: {steps} steps are more than are needed")
    return "as few local steps as keep communication at its share"
