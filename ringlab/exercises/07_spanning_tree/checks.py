"""Two counter-rotating rings: 2 B over all links, 1 B over a tree; a single ring can't tell the two apart."""

from collectives.algorithms.ring import ring
from collectives.schedule import Schedule
from collectives.verify import verify
from ringlab.exercises.checking import Checks, Trial, against, expect
from ringlab.exercises.measure import Measurement, Setup, fabric

CIRCLE = "ring:switches=8,hosts=1,host_rate=200M,fabric_rate=100M"
POLICIES = ("shortest", "spanning-tree")
NBYTES = 8_000_000
NEAR = {False: 0.01, True: 0.3}
TIMES = 1.5
"""On packets the flows that go the long way round lose to those they meet: the tree has 0.65 to 0.9 B, not 1 (six
switches likewise, in benchmarks/backends.py). To be seen there: all links give 1.5 times as much, or more."""

checks = Checks()


def _schedule(trial: Trial, n: int) -> Schedule:
    found = trial.call("two_rings", n)
    expect(isinstance(found, Schedule), f"two_rings({n}) returns {type(found).__name__}, not a Schedule")
    assert isinstance(found, Schedule)
    return found


def _measured(trial: Trial) -> list[Measurement]:
    setup = Setup(fabric(CIRCLE), _schedule(trial, 8), NBYTES)
    return trial.once("two", lambda: trial.measure_all(setup, POLICIES))


checks.prediction("busbw of two rings over all links", " B", lambda trial: _measured(trial)[0].busbw)


@checks.check("two-rings", "ring(n).beside(the same with ranks n - 1, ..., 0): twice the chunks, two channels.")
def _two_rings(trial: Trial) -> str:
    for n in (3, 4, 8):
        schedule = _schedule(trial, n)
        with against(f"n = {n}"):
            verify(schedule)
        edges = set(zip(schedule.src.tolist(), schedule.dst.tolist(), strict=True))
        wanted = {(r, (r + d) % n) for r in range(n) for d in (1, -1)}
        expect(edges == wanted, f"n = {n}: not every rank sends to both of its neighbours, and to them alone")
        expect(schedule.num_channels == 2, f"n = {n}: {schedule.num_channels} channels; each ring needs its own")
    return "proven, one in each direction, on a channel each"


@checks.check("unused", "Collect the names of all links that paths cross; which of fabric.links are not among them?")
def _unused(trial: Trial) -> str:
    setup = Setup(fabric(CIRCLE), ring(8), NBYTES)
    said = []
    for policy, number in (("spanning-tree", 1), ("shortest", 0)):
        found = list(trial.call("unused", setup, policy))
        crossed = {setup.fabric.link(port).name for path in setup.paths(policy).values() for port in path.hops}
        wanted = [link.name for link in setup.fabric.links if link.name not in crossed]
        assert len(wanted) == number
        expect(sorted(found) == wanted, f"{policy}: you say {found}; {wanted or 'none'} carries nothing")
        said.append(f"{policy}: {', '.join(wanted) or 'none'}")
    return "; ".join(said)


@checks.check("busbw", "Does each of the two rings have half of the buffer, and its own direction?")
def _busbw(trial: Trial) -> str:
    every, tree = _measured(trial)
    expect(abs(every.busbw / 2 - 1) <= NEAR[trial.emulated], f"shortest: busbw is {every.busbw:.3f} B, not near 2 B")
    expect(
        every.busbw >= TIMES * tree.busbw,
        f"spanning-tree: busbw is {tree.busbw:.3f} B, nearly as much as with all links",
    )
    if not trial.emulated:
        expect(abs(tree.busbw - 1) <= NEAR[False], f"spanning-tree: busbw is {tree.busbw:.3f} B, not near 1 B")
    return f"shortest {every.busbw:.3f} B, spanning-tree {tree.busbw:.3f} B"


@checks.check("single-ring", "Run exercise.py and divide the two lines of the single ring. Surprised? See Explain.")
def _single(trial: Trial) -> str:
    guess = trial.value("SINGLE_RING")
    setup = Setup(fabric(CIRCLE), ring(8), NBYTES)
    one, other = trial.once("one", lambda: trial.measure_all(setup, POLICIES))
    ratio = one.busbw / other.busbw
    expect(abs(guess - ratio) <= max(0.02, NEAR[trial.emulated]), f"you say {guess:g}; it is {ratio:.3f}")
    return f"{ratio:.3f}: a single ring shows no difference"
