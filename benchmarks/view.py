"""What it costs a run to be looked at: busbw with a page of ``ringlab view`` open, and without.

Use:
    python benchmarks/view.py              # about five minutes; needs root
    python benchmarks/view.py --quick      # about a minute
    python benchmarks/view.py --blocks 20 --json -

Theory of operation. One fabric is up with a view's server beside it, and turns of the same all-reduce are measured in
it by the run's own bench. Kinds of turn take turns, in an order drawn anew for each block:
  plain    a turn as of ``ringlab run``: ranks show nobody their steps
  nobody   a turn of a view that no page looks at
  stream   a small program follows /events and drops what it reads: a page in a browser on another machine
  page     Chromium on this machine shows the page, and draws it on the same cores that carry the packets
The effect of a kind is how much less its busbw is than that of ``plain`` in the same block: the mean over blocks, with
Student's interval at 95 %. The goal is met where the whole interval is below it; on a busy machine it seldom is.
How many updates a second came is counted.

The fabric runs at a scale that two cores carry with time to spare: where they are full, the certificate refuses a run.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from collectives import metrics
from collectives.perf.step_board import Board
from ringlab.experiments import runner
from ringlab.experiments import spec as specs
from ringlab.experiments.bench import Bench, bench
from ringlab.web.browser import MISSING, chromium
from ringlab.web.emulated import Emulated
from ringlab.web.events import PhaseChanged
from ringlab.web.server import app
from ringlab.web.serving import serving

SPEC = """
name: view
fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G
placement: interleaved
collective: all_reduce
algorithm: ring
sizes: [2M]
arms: [pinned]
repeats: 1
iterations: 8
warmup: 1
scale: 1000
"""

GOAL_PERCENT, GOAL_UPDATES = 5.0, 2.0
SEED = 1
PLAIN = "plain"

FOLLOW = """
import sys, urllib.request
events = 0
for line in urllib.request.urlopen(sys.argv[1] + "events"):
    if line.startswith(b"event:"):
        events += 1
        print(events, flush=True)
"""


@dataclass
class Kind:
    """A way to look; ``look(address)`` is a context, and what it yields counts updates when it is left."""

    name: str
    look: Callable[[str], contextmanager]
    busbw: list[float] = field(default_factory=list)
    updates: list[float] = field(default_factory=list)


@contextmanager
def nobody(_: str) -> Iterator[Callable[[], int]]:
    yield lambda: 0


@contextmanager
def stream(address: str) -> Iterator[Callable[[], int]]:
    with subprocess.Popen([sys.executable, "-c", FOLLOW, address], stdout=subprocess.PIPE, text=True) as process:
        try:
            first = int(process.stdout.readline())

            def count() -> int:
                process.terminate()
                return len(process.stdout.readlines())

            assert first == 1
            yield count
        finally:
            process.terminate()


def chromium_page(page) -> Callable[[str], contextmanager]:
    @contextmanager
    def look(address: str) -> Iterator[Callable[[], int]]:
        page.goto(address)
        page.get_by_text("connected", exact=True).wait_for()
        count = "() => Number(document.documentElement.dataset.updates)"
        before = page.evaluate(count)
        yield lambda: page.evaluate(count) - before
        page.goto("about:blank")

    return look


def measured(
    ready: Bench, source: Emulated, spec: specs.Spec, block: int, *, viewed: bool = True
) -> tuple[float, float]:
    """Of a turn: busbw in GB/s as emulated, and the seconds that it took."""
    began = time.monotonic()
    (size,) = spec.sizes
    installed = ready.install(spec.arms[0].policy, size)
    if viewed:
        source.turn_begins(spec.arms[0], block, installed, [spec.iterations])
    found = ready.measure([size], spec.warmup, [spec.iterations], 300.0, source.line)
    if viewed:
        source.turn_ends()
    (one,) = found.sizes
    if one.wrong:
        sys.exit(f"{one.wrong} elements came out wrong")
    factor = metrics.busbw_factor(spec.collective, len(spec.placement))
    return size / statistics.median(one.times_us) / 1e3 * factor, time.monotonic() - began


def turns(ready: Bench, source: Emulated, spec: specs.Spec, address: str, kinds: list[Kind], blocks: int) -> None:
    order = random.Random(SEED)
    measured(ready, source, spec, 0)  # pages of memory, caches, Python's files: not counted
    for block in range(1, blocks + 1):
        for kind in order.sample(kinds, len(kinds)):
            with kind.look(address) as count:
                busbw, lasted_s = measured(ready, source, spec, block, viewed=kind.name != PLAIN)
                updates = count() / lasted_s
            kind.busbw.append(busbw)
            kind.updates.append(updates)
            say(f"block {block} of {blocks}: {kind.name:7s} busbw {busbw * 1e3:.2f} MB/s, {updates:.1f} updates/s")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def effect(kind: Kind, base: Kind) -> dict[str, object]:
    """In percent of the busbw without a page; positive is slower."""
    lost = [100 * (1 - one / other) for one, other in zip(kind.busbw, base.busbw, strict=True)]
    low, high = interval(lost)
    value = statistics.mean(lost)
    return {
        "name": f"view.effect.{kind.name}", "value": round(value, 2), "unit": "% of busbw", "goal": GOAL_PERCENT,
        "better": "lower", "met": high < GOAL_PERCENT, "interval": [round(low, 2), round(high, 2)],
        "samples": [round(one, 3) for one in lost],
    }  # fmt: skip


def interval(values: list[float]) -> tuple[float, float]:
    from scipy.stats import t  # noqa: PLC0415 - slow to import

    mean = statistics.mean(values)
    if len(values) < 2:
        return float("-inf"), float("inf")
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return mean - half, mean + half


def rate(kind: Kind) -> dict[str, object]:
    value = statistics.median(kind.updates)
    return {
        "name": f"view.updates.{kind.name}", "value": round(value, 2), "unit": "1/s", "goal": GOAL_UPDATES,
        "better": "higher", "met": value >= GOAL_UPDATES, "samples": [round(one, 2) for one in kind.updates],
    }  # fmt: skip


def show(figures: list[dict[str, object]], kinds: list[Kind]) -> None:
    for kind in kinds:
        spread = f"{min(kind.busbw) * 1e3:.2f} to {max(kind.busbw) * 1e3:.2f}"
        print(f"{kind.name:8s} busbw median {statistics.median(kind.busbw) * 1e3:7.2f} MB/s ({spread})")
    for one in figures:
        within = "  95 % interval {} to {}".format(*one["interval"]) if "interval" in one else ""
        sign = "<" if one["better"] == "lower" else ">="
        unsure = not one["met"] and one["better"] == "lower" and one["value"] < one["goal"]
        verdict = "met" if one["met"] else "not shown, too noisy" if unsure else "NOT MET"
        print(f"{one['name']:22s} {one['value']:7.2f} {one['unit']} (goal {sign} {one['goal']:g}: {verdict}){within}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=10, help="turns of every kind (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="three blocks of shorter turns")
    parser.add_argument("--json", metavar="FILE", help="the figures, with - on standard output")
    options = parser.parse_args()
    spec = specs.loads(SPEC.replace("iterations: 8", "iterations: 5") if options.quick else SPEC)
    plan = runner.plan_of(spec.fabric, spec.transport, spec.scale)
    kinds = [Kind(PLAIN, nobody), Kind("nobody", nobody), Kind("stream", stream)]
    with ExitStack() as stack:
        if program := chromium():
            from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

            driver = stack.enter_context(sync_playwright())
            browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
            stack.callback(browser.close)
            kinds.append(Kind("page", chromium_page(browser.new_page())))
        else:
            say(f"without the turns of a page on this machine: {MISSING}")
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        board = stack.enter_context(Board(Path(folder, "steps"), len(spec.placement)))
        source = Emulated(spec, board, control=False)
        ready = stack.enter_context(bench(plan, runner.job_of(spec), say, onlooker=source))
        source.fabric_up(spec, ready, say)
        port = stack.enter_context(serving(app(source.hub, source), "127.0.0.1", 0))
        turns(ready, source, spec, f"http://127.0.0.1:{port}/", kinds, 3 if options.quick else options.blocks)
        source.run_ends(PhaseChanged("ended"))
    figures = [effect(kind, kinds[0]) for kind in kinds[1:]] + [rate(kind) for kind in kinds[2:]]
    if options.json == "-":
        print(json.dumps(figures, indent=2))
    else:
        show(figures, kinds)
    if options.json not in {None, "-"}:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if all(one["met"] for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
