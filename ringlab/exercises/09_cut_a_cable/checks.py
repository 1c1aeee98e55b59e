"""Who must move moves, nobody else; the rules are proven; the ring keeps half its rate, and the sums stay exact."""

from collections.abc import Mapping
from pathlib import Path as FilePath

from controller import own_policies
from controller.job_request import JobRequest
from controller.planning import plan
from controller.proof import ProofError
from controller.routing import RoutingError, Situation
from ringlab.exercises.checking import Checks, Missed, Trial, against, expect
from ringlab.exercises.measure import Setup, link_names, simulate
from topologies.traffic import FlowKey, Path

SMALL = "leaf-spine:leaves=4,spines=2,hosts=2"
WIDE = "leaf-spine:leaves=2,spines=4,hosts=8"
POSSIBLE = {SMALL: 0.5, WIDE: 1 / 3}
"""busbw after a cut, in B: two flows on the one uplink that is left; eight on three, after two on each of four."""
CUT = "leaf1-spine1"
NEAR = {False: 0.02, True: 0.12}
POLICY = "file:exercise.py"

SPEC = """
name: cut-a-cable
fabric: leaf-spine:leaves=4,spines=2,hosts=2,rate=100M,latency=1us
placement: interleaved
collective: all_reduce
algorithm: ring
sizes: [4M]
arms: ["file:exercise.py"]
repeats: 1
iterations: 3
warmup: 0
scale: 1
timeout_s: 20
transport: {delays: none}
faults:
  - {at_step: 4, operation: 2, down: leaf1-spine1}
"""

checks = Checks()
checks.prediction("busbw after the cut", " B", lambda _: 0.5)


def _setup(short_form: str) -> Setup:
    ranks = 8 if short_form == SMALL else 16
    return Setup.of(short_form, "ring", ranks, 4_000_000, "interleaved")


def _trunks(setup: Setup) -> list[str]:
    return [link.name for link in setup.fabric.links if link.a.node not in setup.fabric.hosts]


def _moved(trial: Trial, setup: Setup, paths: Mapping[FlowKey, Path], link: str) -> dict[FlowKey, Path]:
    found = trial.call("on_port_down", setup.fabric, dict(paths), link)
    expect(isinstance(found, dict), f"on_port_down returns {type(found).__name__}, not a dict")
    return dict(found)


@checks.check("who-moves", "A flow must move if, and only if, the dead link's name is among link_names(fabric, path).")
def _who(trial: Trial) -> str:
    setup = _setup(SMALL)
    paths, number = setup.paths("pinned"), 0
    for link in _trunks(setup):
        crossing = {key for key, path in paths.items() if link in link_names(setup.fabric, path)}
        moved = set(_moved(trial, setup, paths, link))
        lost = crossing - moved
        expect(not lost, f"{link} is cut: {min(lost)} crossed it and is left there" if lost else "")
        astray = moved - crossing
        expect(not astray, f"{link} is cut: {min(astray)} did not cross it and is moved" if astray else "")
        number += len(moved)
    return f"{number} flows moved over {len(_trunks(setup))} cuts, no other"


@checks.check("ways", "Take the new path from ways(fabric, key, frozenset([link])): they avoid the link.")
def _ways(trial: Trial) -> str:
    for short_form in (SMALL, WIDE):
        setup = _setup(short_form)
        paths = setup.paths("pinned")
        for link in _trunks(setup):
            after = {**paths, **_moved(trial, setup, paths, link)}
            try:
                own_policies.check(setup.fabric, setup.demands, after, Situation(frozenset([link])))
            except RoutingError as error:
                raise Missed(f"{link} is cut: {error}") from None
    return "every flow has a whole way over live links, for each cut of two fabrics"


@checks.check("rules", "What route answers must hold for the controller: is the file complete?")
def _rules(trial: Trial) -> str:
    setup = _setup(SMALL)
    number = 0
    try:
        own_policies.load(POLICY, FilePath(trial.file))
        for link in _trunks(setup):
            request = JobRequest("exercise", POLICY, tuple(setup.demands))
            number += len(plan(setup.fabric, request, 1, 0, Situation(frozenset([link]))).entries)
    except (RoutingError, ProofError) as error:
        raise Missed(str(error)) from None
    return f"{number} rules and groups for {len(_trunks(setup))} cuts, each proven: delivered once, and no loop"


@checks.check("balance", "Of the ways that are left take the least full one, and count each flow that you have moved.")
def _balance(trial: Trial) -> str:
    worst = {}
    for short_form in (SMALL, WIDE):
        setup = _setup(short_form)
        paths = setup.paths("pinned")
        shares = []
        for link in (name for name in _trunks(setup) if short_form == SMALL or name.startswith("leaf1")):
            after = {**paths, **_moved(trial, setup, paths, link)}
            with against(f"{link} is cut"):
                shares.append(simulate(setup, after, slow={link: 0.0}).busbw)
        worst[short_form] = min(shares)
        best = POSSIBLE[short_form]
        expect(
            min(shares) >= best * 0.98,
            f"{short_form}: after a cut busbw is {min(shares):.3f} B; {best:.3f} B is possible",
        )
    return f"after any cut at least {worst[SMALL]:.3f} B on a small fabric, {worst[WIDE]:.3f} B on a wide one"


@checks.check("survives", "The spec's allreduce must end with exact sums, and go on at half the rate.")
def _survives(trial: Trial) -> str:
    from ringlab.experiments import runner, simulated, spec  # noqa: PLC0415 - pydantic, only where it is used

    name = FilePath(trial.file).name
    wanted = spec.loads(SPEC.replace("exercise.py", name), "exercise", FilePath(trial.file).parent)
    result = runner.run(wanted, trial.say, trial.say).result if trial.emulated else simulated.run(wanted)
    expect(result.failure is None, f"the run failed: {result.failure}")
    (found,) = result.arms[0].results
    expect(found.wrong == 0, f"{found.wrong} elements came out wrong")
    times_s = [time * 1e-6 for time in found.samples_us[0]]
    before, _, after = (found.size_bytes * 8 * 1.75 / time / 100e6 for time in times_s)
    expect(abs(after / 0.5 - 1) <= NEAR[trial.emulated], f"after the cut busbw is {after:.3f} B, not near 0.5 B")
    lost_s = times_s[1] - (times_s[0] * 4 + times_s[2] * 10) / 14  # cut at the 4th of 14 steps
    return (
        f"busbw {before:.2f} B before, {after:.2f} B after; the cut itself cost {max(lost_s, 0) * 1e3:.0f} ms; #wrong 0"
    )
