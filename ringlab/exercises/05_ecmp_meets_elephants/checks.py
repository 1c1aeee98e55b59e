"""The student's ``collide`` counts 16 of 256, and foretells what each seed of a real hash comes to."""

from itertools import product

from ringlab.exercises.checking import Checks, Trial, expect
from ringlab.exercises.measure import Measurement, Setup

SEEDS = {False: range(20), True: range(5)}
"""Of those that are measured, by whether on packets. Seed 0 is a clean one."""

CLEAN, NEAR = 16, {False: 0.01, True: 0.08}

checks = Checks()
checks.prediction("clean outcomes of 256", "", lambda _: CLEAN)


def _setup() -> Setup:
    return Setup.of("leaf-spine:leaves=4,spines=2,hosts=2", "ring", 8, 8_000_000, "interleaved")


def _drawn(trial: Trial) -> list[Measurement]:
    policies = [f"ecmp:seed={seed}" for seed in SEEDS[trial.emulated]]
    return trial.once("seeds", lambda: trial.measure_all(_setup(), policies))


@checks.check(
    "count", "Two flows share an uplink if source leaf and spine are the same; a downlink if spine and target are."
)
def _count(trial: Trial) -> str:
    flows = [(rank % 4, (rank + 1) % 4) for rank in range(8)]
    clean = sum(not trial.call("collide", spines, flows) for spines in product(range(2), repeat=8))
    expect(clean == CLEAN, f"by your collide {clean} of 256 outcomes are clean, not {CLEAN}")
    return f"{clean} of 256 outcomes are clean"


@checks.check("other-fabric", "Write collide for any flows and any number of spines; it gets both.")
def _other(trial: Trial) -> str:
    for what, flows, wanted in (
        ("two flows that go opposite ways never share a link", [(0, 1), (1, 0)], 9),
        ("two flows to one leaf share a downlink if they take one spine", [(0, 2), (1, 2)], 6),
        ("two flows from one leaf share an uplink if they take one spine", [(0, 1), (0, 2)], 6),
    ):
        clean = sum(not trial.call("collide", spines, flows) for spines in product(range(3), repeat=2))
        expect(clean == wanted, f"{what}: of 9 outcomes {wanted} are clean; you find {clean}")
    return "right for flows that part and flows that meet, over three spines"


@checks.check(
    "foretells", "collide should say of each seed whether busbw is 1 B or less: does it look at downlinks, too?"
)
def _foretells(trial: Trial) -> str:
    setup, shares = _setup(), []
    for seed, found in zip(SEEDS[trial.emulated], _drawn(trial), strict=True):
        paths = setup.paths(f"ecmp:seed={seed}")
        nodes = [path.nodes(setup.fabric) for path in paths.values()]
        number = {name: place for place, name in enumerate(setup.fabric.switches)}
        flows = [(number[way[1]], number[way[3]]) for way in nodes]
        said = trial.call("collide", [number[way[2]] for way in nodes], flows)
        wanted = 0.5 if said else 1.0
        expect(
            abs(found.busbw / wanted - 1) <= NEAR[trial.emulated],
            f"seed {seed}: you say {'collision' if said else 'clean'}, and busbw is {found.busbw:.3f} B",
        )
        shares.append(found.busbw)
    return f"{sum(share > 0.75 for share in shares)} of {len(shares)} seeds are clean, the others near 0.5 B"


@checks.check("policy", "One policy is made for collectives: it looks at all flows together.")
def _policy(trial: Trial) -> str:
    policy = trial.text("POLICY")
    expect(not policy.startswith("ecmp"), f"{policy} is luck: another job, another hash")
    found = trial.measure(_setup(), policy).busbw
    expect(found >= 0.95, f"{policy} gives {found:.3f} B; every flow can have a way of its own")
    return f"{policy} gives {found:.3f} B"
