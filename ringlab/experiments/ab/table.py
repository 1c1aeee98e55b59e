"""An A/B in the terminal: what was compared and how, a row an arm and size, the sentences, what was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from statistics import median

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ringlab.experiments.ab.interval import ALIKE, BCA, NONE, STUDENT
from ringlab.experiments.ab.outcome import Found, Outcome
from ringlab.experiments.ab.runner import BROKEN, INTERRUPTED, UNFIT
from ringlab.experiments.ab.stopping import ALPHA, NARROW
from ringlab.experiments.ab.verdict import Judged, figures
from ringlab.experiments.figures import UNKNOWN, size_text, time_text

STYLES = {"faster": "bold green", "slower": "bold red", "same": "bold blue", "unknown": "bold yellow"}
METHODS = {
    BCA: "BCa bootstrap over blocks",
    STUDENT: "Student's t on the blocks' log ratios",
    ALIKE: "none, as all blocks are alike",
    NONE: "none of a single block",
}
MAX_REASONS = 3


def show(outcome: Outcome, out: Console) -> None:
    for part in render(outcome):
        out.print(part, soft_wrap=isinstance(part, str))


def render(outcome: Outcome) -> Iterator[RenderableType]:
    yield Text.assemble((outcome.name, "bold"), f"  {_counts(outcome)}")
    if outcome.aa:
        yield from _aa(outcome.aa)
    found = outcome.found
    if found is None:
        return
    if found.last:
        yield Text()
        yield _table(found)
        yield Text()
        for one in found.last.judged:
            yield Text(one.text, STYLES[one.verdict])
    yield from _footnotes(outcome, found)


def _counts(outcome: Outcome) -> str:
    found = outcome.found or outcome.aa
    assert found is not None
    scale = f", time dilation {outcome.scale:g}x" if outcome.scale != 1 else ""
    blocks = f"{found.counted} blocks in {_seconds(found):.0f} s"
    return f"{' | '.join(outcome.specs)}, {blocks}, seed {found.rules.seed}{scale}"


def _seconds(found: Found) -> float:
    return sum(block.seconds for block in found.blocks)


def _aa(aa: Found) -> Iterator[RenderableType]:
    said = "no difference between equal arms"
    if aa.differs():
        said = "the bench shows a difference between equal arms"
    elif not aa.last:
        said = f"nothing can be said. {stop_text(aa)}"
    yield Text(f"A/A first, {aa.counted} blocks: {said}", "bold red" if aa.differs() or not aa.last else "")
    if not aa.last:
        yield from _refused(aa)
    for one in aa.last.judged if aa.last else ():
        yield Text(f"  {size_text(one.size_bytes)}: {figures(one.interval)}")


def _table(found: Found) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("arm", overflow="fold")
    for head in ("time", "times as fast", f"all within, {1 - ALPHA:.0%}"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    first = found.arms[0]
    judged = {(one.arm, one.size_bytes): one for one in found.last.judged} if found.last else {}
    for size in sorted({size for block in found.blocks for times in block.times_us.values() for size in times}):
        table.add_row(size_text(size), first, _time(found, first, size), "1", "", "")
        for arm in found.arms[1:]:
            table.add_row("", arm, _time(found, arm, size), *_cells(judged.get((arm, size))))
    return table


def _cells(one: Judged | None) -> tuple[str, str, Text]:
    if one is None:
        return UNKNOWN, "", Text("unknown", STYLES["unknown"])
    ratio, _, bounds = figures(one.interval).partition(" ")
    return ratio, bounds, Text(one.verdict, STYLES[one.verdict])


def _time(found: Found, arm: str, size: int) -> str:
    times = [block.times_us[arm][size] for block in found.blocks if block.counted]
    return time_text(median(times)) if times else UNKNOWN


def _footnotes(outcome: Outcome, found: Found) -> Iterator[RenderableType]:
    yield Text()
    yield Text(stop_text(found))
    yield Text(_method(found))
    doubtful = sum(verdict == "doubtful" for block in found.blocks for verdict in block.verdicts.values())
    if doubtful:
        yield Text(f"{doubtful} turns are doubtful, and count")
    yield from _refused(found)
    for note in outcome.notes:
        yield Text(f"note: {note}")


def stop_text(found: Found) -> str:
    """Why it ended when it did."""
    told = {
        UNFIT: "Stopped: block after block had turns that can't be believed; the machine does not carry this.",
        BROKEN: f"Stopped after {found.counted} blocks: {found.error}",
        INTERRUPTED: f"Stopped by hand after {found.counted} blocks.",
        NARROW: f"Stopped after {found.counted} blocks: "
        f"every interval is within {found.rules.within:.3g} of its middle.",
    }
    if found.stopped in told:
        return told[found.stopped]
    if not found.last:
        return "Stopped: the time was over before a block was whole."
    widest = max(one.interval.width for one in found.last.judged)
    if widest <= found.rules.within:
        return f"All {found.counted} blocks are done."
    return (
        f"Stopped after {found.counted} blocks, which was the budget; the widest interval is +-{widest * 100:.2g} % "
        f"(wanted: {found.rules.within * 100:.3g} %)."
    )


def _method(found: Found) -> str:
    if not found.last:
        return "No block was whole: nothing can be said."
    methods = Counter(one.interval.method for one in found.last.judged)
    told = ", ".join(METHODS[method] for method in methods)
    trim = max(one.interval.trim for one in found.last.judged)
    told += f", without {trim:.0%} of the blocks at either end" if trim else ""
    return (
        f"Intervals: {told}; with {1 - ALPHA:.0%} all {len(found.last.judged)} hold at every look "
        f"(Bonferroni over comparisons, spending over {len(found.looks)} looks)."
    )


def _refused(found: Found) -> Iterator[RenderableType]:
    if not found.refused:
        return
    dropped = sum(not block.counted for block in found.blocks[1:])
    blocks = f"; blocks dropped: {dropped}" if dropped else ""
    yield Text(f"{len(found.refused)} turns refused, and made again where that could help{blocks}:")
    reasons = Counter(one.reason for one in found.refused).most_common()
    for reason, times in reasons[:MAX_REASONS]:
        yield Text(f"  {times}x {reason}")
    if len(reasons) > MAX_REASONS:
        yield Text(f"  ... and {len(reasons) - MAX_REASONS} other reasons: --json gives all")
