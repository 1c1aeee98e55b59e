"""Whole ways for every flow, proven as rules; as good as possible for rings; and better than ECMP elsewhere."""

from pathlib import Path as FilePath
from statistics import median

from controller import own_policies
from controller.job_request import JobRequest
from controller.planning import plan
from controller.proof import ProofError
from controller.routing import RoutingError
from controller.routing.placement import assess
from ringlab.exercises.checking import Checks, Missed, Trial, expect
from ringlab.exercises.measure import Measurement, Setup, simulate
from topologies.traffic import Paths, link_bytes

SMALL, WIDE, TREE = "leaf-spine:leaves=4,spines=2,hosts=2", "leaf-spine:leaves=4,spines=4,hosts=4", "fat-tree:k=4"
RANKS = {SMALL: 8, WIDE: 16, TREE: 16}
POLICY = "file:exercise.py"
SEEDS = 9
NBYTES = 8_000_000
HEADERS = 0.05
"""Of a message: what headers, acknowledgements and frames that were sent again may add to a link's bytes."""

checks = Checks()


def _setup(short_form: str, algorithm: str = "ring") -> Setup:
    return Setup.of(short_form, algorithm, RANKS[short_form], NBYTES, "interleaved")


def _ecmp(trial: Trial, setup: Setup) -> float:
    name = f"ecmp {setup.fabric.name} {setup.schedule.fingerprint}"
    return trial.once(name, lambda: median(simulate(setup, f"ecmp:seed={seed}").busbw for seed in range(SEEDS)))


def _simulated(trial: Trial, setup: Setup) -> float:
    return simulate(setup, trial.call("route", setup.fabric, setup.demands)).busbw


checks.prediction("ECMP's median busbw", " B", lambda trial: _ecmp(trial, _setup(WIDE)))


@checks.check("whole-ways", "Each demand's key needs a Path, as ways(fabric, key) makes them.")
def _whole(trial: Trial) -> str:
    for short_form in RANKS:
        setup = _setup(short_form, "halving-doubling")
        answers = [trial.call("route", setup.fabric, setup.demands) for _ in range(2)]
        try:
            own_policies.check(setup.fabric, setup.demands, answers[0])
        except RoutingError as error:
            raise Missed(f"{short_form}: {error}") from None
        expect(answers[0] == answers[1], f"{short_form}: asked twice, it answers differently")
    return f"a whole way for every flow on {len(RANKS)} fabrics, and the same when asked again"


@checks.check("rules", "What the controller makes of your paths must deliver every packet once.")
def _rules(trial: Trial) -> str:
    setup = _setup(SMALL)
    try:
        own_policies.load(POLICY, FilePath(trial.file))
        made = plan(setup.fabric, JobRequest("exercise", POLICY, tuple(setup.demands)), 1, 0)
    except (RoutingError, ProofError) as error:
        raise Missed(str(error)) from None
    return f"{len(made.entries)} rules and groups, proven"


@checks.check(
    "rings", "Keep count of what each directed link carries, and take the way whose fullest link is the least full."
)
def _rings(trial: Trial) -> str:
    said = []
    for short_form in RANKS:
        found = _simulated(trial, _setup(short_form))
        expect(found >= 0.99, f"{short_form}: the ring gets {found:.3f} B; 1 B is possible")
        said.append(f"{found:.3f} B")
    return "interleaved rings on three fabrics: " + ", ".join(said)


@checks.check("beats-ecmp", "Place the largest flows first; break ties by what all links of the way carry together.")
def _beats(trial: Trial) -> str:
    said = []
    for short_form in RANKS:
        for algorithm in ("halving-doubling", "pairwise"):
            setup = _setup(short_form, algorithm)
            found = _worst_s(setup, trial.call("route", setup.fabric, setup.demands))
            ecmp = median(_worst_s(setup, setup.paths(f"ecmp:seed={seed}")) for seed in range(SEEDS))
            what = f"{short_form}, {algorithm}: its worst links need {found:.2f} s, ecmp's {ecmp:.2f} s"
            expect(ecmp / found >= 1.2, f"{what}; 1.2 times less is asked for")
            said.append(ecmp / found)
    return f"the worst links need {min(said):.2f} to {max(said):.2f} times less than ECMP's in the median, in six cases"


def _worst_s(setup: Setup, paths: Paths) -> float:
    """Step by step what the fullest link needs, as the controller counts it: quicker than a simulation."""
    return assess(setup.fabric, setup.demands, paths).objective_s


def _both(trial: Trial) -> list[Measurement]:
    """By the student's policy, and by ECMP."""
    own_policies.load(POLICY, FilePath(trial.file))
    return trial.once("measured", lambda: trial.measure_all(_setup(SMALL), [POLICY, "ecmp:seed=1"]))


@checks.check(
    "installed", "Every link should carry what your paths say: does route answer the same whenever it is asked?"
)
def _installed(trial: Trial) -> str:
    yours = _both(trial)[0]
    setup = yours.setup
    expected = link_bytes(setup.demands, trial.call("route", setup.fabric, setup.demands))
    near = HEADERS if trial.emulated else 0.0
    for port in setup.fabric.directed_links():
        crossed, wanted = yours.link_bytes[port], expected[port]
        good = abs(crossed - wanted) <= near * max(wanted, setup.nbytes)
        expect(good, f"{setup.fabric.direction(port)} carried {crossed} bytes; your paths say {wanted}")
    where = "by the switches' counters" if trial.emulated else "by the simulator"
    return f"{len(list(setup.fabric.directed_links()))} links carry what your paths say, {where}"


@checks.check("measured", "The ring's paths are installed as they are: does each flow have links of its own?")
def _measured(trial: Trial) -> str:
    yours, ecmp = _both(trial)
    least = 0.9 if trial.emulated else 0.99
    expect(
        yours.busbw >= least, f"busbw is {yours.busbw:.3f} B, not {least:g} B or more; ecmp:seed=1 {ecmp.busbw:.3f} B"
    )
    return f"busbw {yours.busbw:.3f} B; ecmp:seed=1 {ecmp.busbw:.3f} B"
