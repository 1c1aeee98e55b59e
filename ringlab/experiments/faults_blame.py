"""What faults mean for the error of a run that they ended, and for the certificate of one that they did not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from emulation.faults import At, Degrade, Fault, KillController, KillRank, KillSwitch, PauseHost, touches
from emulation.fidelity import Check, Observation, Verdict

if TYPE_CHECKING:  # simulated runs ask too, and start no process
    from emulation.hosts import Failure, RanksError
    from emulation.plan import Plan
    from topologies.fabric import Port
    from topologies.traffic import Paths

Broken = Sequence[tuple[Fault, float]]
"""The faults that are on, and since when (seconds after the turn's work began)."""

NOT_JUDGED = frozenset({"reach", "laggard", "retransmissions"})
"""Checks that measure a fabric against its whole self, or count what TCP repairs."""

_PORT_DOWN = re.compile(r"Network is down$|^dpif_netdev\|ERR\|Dropped \d+ log messages")
_SILENCE = re.compile(r"rank (\d+) \(\S+\) (?:heard nothing from|could not send to|lost) rank (\d+) ")


def explain(error: RanksError, broken: Broken, paths: Paths, placement: Sequence[str]) -> str:
    """One line: the rank that tells most, its peer and step, and what was broken between them."""
    if any(failure.signal for failure in error.failures):
        return _with(str(error), [fault for fault in broken if isinstance(fault[0].action, KillRank)])
    for failure in error.failures:  # the first to give up, of those whose way was broken
        if found := _between(failure, broken, paths, placement):
            return _with(str(failure), found)
    return _with(str(error), broken)


def of_the_machine(seen: Observation, faults: Sequence[Fault]) -> Observation:
    """Without the switch's complaints of ports that faults took down."""
    if not faults:
        return seen
    return replace(seen, log_lines=tuple(line for line in seen.log_lines if not _PORT_DOWN.search(line)))


def unjudged(checks: Sequence[Check], faults: Sequence[Fault]) -> list[Check]:
    """The checks of a run with ``faults``: what the faults themselves bring about invalidates nothing."""
    if not faults:
        return list(checks)
    return [
        replace(check, verdict=Verdict.VALID, detail=f"{check.detail} (not judged: faults)")
        if check.name in NOT_JUDGED
        else check
        for check in checks
    ]


def failed(failure: str | None) -> Iterator[Check]:
    """An invalid check where a turn failed."""
    if failure:
        yield Check("turns", 1, "turns that failed", 0, Verdict.INVALID, f"the run failed: {failure}")


def patience_s(faults: Sequence[Fault], whole_s: float, plan: Plan, timeout_s: float) -> float:
    """What a turn may take that takes ``whole_s`` on a whole fabric: ranks that are stuck give up by themselves."""
    slower = [
        plan.rate_bps(port) / action.rate_bps
        for action in (fault.action for fault in faults)
        if isinstance(action, Degrade) and action.rate_bps
        for port in action.ports
    ]
    latest_s = max((fault.trigger.after_s for fault in faults if isinstance(fault.trigger, At)), default=0.0)
    return whole_s * max([1.0, *slower]) + latest_s + 2 * sum(fault.span_s for fault in faults) + 2 * timeout_s


def missed(never_came: Sequence[tuple[str, Fault]]) -> Iterator[Check]:
    """A doubtful check where faults did not come: ``never_came`` holds each with the turn that ended before."""
    if never_came:
        turn, fault = never_came[0]
        more = f", and {len(never_came) - 1} more" if len(never_came) > 1 else ""
        detail = f"a fault never came: {turn} was over before '{fault}'{more}; make it earlier, or the turn longer"
        yield Check("faults", len(never_came), "faults that never came", 0, Verdict.DOUBTFUL, detail)


def notes(faults: Sequence[Fault]) -> Iterator[str]:
    """What a reader must know of a run with faults."""
    if faults:
        yield (
            "the fabric was broken on purpose in every turn (see the timeline): predictions, and bytes per link where "
            "rules were lost, are those of the whole fabric"
        )


def _between(failure: Failure, broken: Broken, paths: Paths, placement: Sequence[str]) -> Broken:
    """The faults on the way between the two ranks that the failure names, there or back."""
    named = _SILENCE.search(failure.said)
    if not named:
        return []
    hosts = {placement[int(rank)] for rank in named.groups()}
    hops = [port for key, path in paths.items() if {key.src, key.dst} == hosts for port in path.hops]
    return [(fault, since_s) for fault, since_s in broken if _hits(fault, hops, hosts)]


def _hits(fault: Fault, hops: Sequence[Port], hosts: set[str]) -> bool:
    if isinstance(fault.action, PauseHost):
        return fault.action.host in hosts
    return touches(fault.action, hops)


def _with(text: str, broken: Broken) -> str:
    words = [_state(fault, since_s) for fault, since_s in broken]
    return "; ".join([text, *words])


def _state(fault: Fault, since_s: float) -> str:
    """``link leaf1-spine1 is down since 1.52 s``, as the spec has it."""
    action = fault.action
    verb = "was killed at" if isinstance(action, KillRank) else f"is {action.now} since"
    why = ", as the spec says" if isinstance(action, KillRank | KillSwitch | KillController) else ""
    return f"{action.target} {verb} {since_s:.2f} s{why}"
