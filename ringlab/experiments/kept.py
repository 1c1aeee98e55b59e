"""The spec of a run that is over, read again from its result alone, wherever that is read and whoever made it.

A result may have moved to another folder, or be handed in by somebody else. So no file that only the result names is
opened: fabric, placement and algorithm are those that the result itself holds, a baseline is left out, and so is every
arm whose policy is a file, for to load one is to run it (``controller.own_policies``).
"""

from __future__ import annotations

from controller.own_policies import OWN
from ringlab.errors import UsageError
from ringlab.experiments import spec as specs
from ringlab.experiments.result import Result
from ringlab.experiments.spec import Spec
from topologies import formats

LEFT_OUT = ("ranks", "faults", "compare", "baseline", "baseline_line_rate_GBps", "line_rate_GBps")


def spec_of(result: Result) -> Spec:
    """What was run, without faults, pairs, a baseline, and arms of policies in files. UsageError if no arm is left."""
    data = {key: value for key, value in result.spec.items() if key not in LEFT_OUT}
    arms = data.get("arms")
    if isinstance(arms, list) and arms:
        data["arms"] = [entry for entry in arms if not is_own(entry)]
        if not data["arms"]:
            raise UsageError(
                f"{result.id}: each of its arms is a policy in a file, and no file that only a result names is run; "
                "simulate its spec instead"
            )
    fabric = formats.to_data(formats.from_data(result.fabric))
    own = {"fabric": fabric, "algorithm": result.algorithm, "placement": list(result.placement)}
    return specs.from_data({**data, **own}, f"the spec of {result.id}")


def has_own_policy(result: Result) -> bool:
    """Was an arm's policy a file?"""
    arms = result.spec.get("arms")
    return isinstance(arms, list) and any(map(is_own, arms))


def is_own(entry: object) -> bool:
    """Does this item of a spec's ``arms``, or this arm's name, name a file? Also ``{file: {option: value}}`` does."""
    names = entry if isinstance(entry, dict) else [entry]
    return any(f"{name}:".startswith(OWN) for name in names)
