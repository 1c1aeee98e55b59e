"""A ring goes at the pace of its slowest link; and each link of the fabric, slowed in secret, is to be named."""

from collections.abc import Mapping
from dataclasses import replace

from ringlab.exercises.checking import Checks, Trial, expect
from ringlab.exercises.measure import Setup, simulate
from ringlab.exercises.probes import FABRIC, Probe, probe_all, trials
from topologies.fabric import Fabric

SHARES = (0.5, 0.25, 0.1)
HIDDEN = (("leaf4-spine1", 0.5), ("leaf2-spine2", 0.25))
"""On packets."""

NEAR = {False: 0.01, True: 0.12}

checks = Checks()


def _setup() -> Setup:
    return Setup.of(FABRIC, "ring", 8, 4_000_000, "interleaved")


checks.prediction("busbw with a link at 1/4", " B", lambda _: simulate(_setup(), slow={"leaf1-spine1": 0.25}).busbw)


@checks.check("pace", "Each rank waits for its neighbour: who decides how fast all of them go?")
def _pace(trial: Trial) -> str:
    said = []
    for share in SHARES:
        guess = trial.call("ring_busbw", [1.0, share, 1.0, 0.9])
        found = _real_ring(trial, share) if trial.emulated else simulate(_setup(), slow={"leaf1-spine1": share}).busbw
        near = abs(found / guess - 1) <= NEAR[trial.emulated] if guess else False
        expect(near, f"a link at {share:g}: you say {guess:g} B, it is {found:.3f} B")
        said.append(f"{found:.3f} B")
    return "a link at 1/2, 1/4 and 1/10 of its rate: " + ", ".join(said)


@checks.check("finds", "Intersect the links of all slow probes; take away those of every fast probe. What is left?")
def _finds(trial: Trial) -> str:
    if trial.emulated:
        return _finds_real(trial)
    names = [link.name for link in _setup().fabric.links]
    for share in SHARES:
        for name in names:
            found = trial.call("find_straggler", probe_all({name: share}))
            expect(found == name, f"{name} had {share:g} of its rate; you say {found or 'nothing'}")
    return f"each of {len(names)} links, at 1/2, 1/4 and 1/10"


def slowed(fabric: Fabric, slow: Mapping[str, float]) -> Fabric:
    """The same cables, some with a share of their rate."""
    links = (replace(one, rate_bps=round(one.rate_bps * slow.get(one.name, 1.0))) for one in fabric.links)
    return replace(fabric, links=tuple(links))


def _real_ring(trial: Trial, share: float) -> float:
    from ringlab.exercises.real import standing  # noqa: PLC0415 - only where packets are sent

    setup = _setup()
    # A host's own link: no policy can go round it, and pinned would try.
    with standing(setup, trial.say, slowed(setup.fabric, {"h1-leaf1": share})) as real:
        return real.measure("pinned").busbw


def _finds_real(trial: Trial) -> str:
    from ringlab.exercises.real import standing  # noqa: PLC0415 - only where packets are sent

    for name, share in HIDDEN:
        probes: list[Probe] = []
        with standing(_setup(), trial.say, slowed(_setup().fabric, {name: share})) as real:
            for one in trials():
                trial.say(f"probing {'-'.join(one.setup.placement)}")
                probes.append(one.probe(real.measure(one.policy, setup=one.setup)))
        found = trial.call("find_straggler", probes)
        expect(found == name, f"{name} had {share:g} of its rate; you say {found or 'nothing'}")
    return f"{' and '.join(name for name, _ in HIDDEN)}, by {len(trials())} probes each"
