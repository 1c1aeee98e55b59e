"""Take the pictures for the guides in a real Chromium: the live view, and a report.

Use:
    python docs/screenshots.py               # figures/view.png of a simulated run: half a minute, no root
    python docs/screenshots.py --emulated    # of the same spec on real packets; needs root
    python docs/screenshots.py --report RUN  # figures/report.html of a kept run, and its head as figures/report.png

What is seen of the view is ``examples/leaf-spine.yaml`` with one link cut by hand and the way of one flow shown.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ringlab.web.browser import MISSING, chromium

DOCS = Path(__file__).resolve().parent
SPEC = DOCS.parent / "examples" / "leaf-spine.yaml"
PICTURE = DOCS / "figures" / "view.png"
REPORT = DOCS / "figures" / "report.html"
WIDTH, HEIGHT = 1280, 1000
CUT = "leaf1-spine1"
PATIENCE_MS = 300_000


@contextmanager
def viewed(backend: str) -> Iterator[str]:
    """The address of a view with control."""
    words = ["view", SPEC, "--backend", backend, "--control", "--port", "0", "--seconds", "24", "--out", "runs"]
    argv = [sys.executable, "-m", "ringlab", *map(str, words)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"http\S+", said)
        if not found:
            sys.exit(said)
        try:
            yield found[0]
        finally:
            process.terminate()


def take(page: Any, address: str) -> None:
    """Wait for the last arm, cut a link, show a flow's way, and take the picture."""
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.locator("#state").get_by_text(re.compile(r"^pinned, block 1.*4M")).wait_for()
    page.get_by_label("Link", exact=True).select_option(CUT)
    page.get_by_role("button", name="Cut").click()
    page.get_by_text(f"{CUT}: down", exact=True).wait_for()
    page.get_by_label("Flow to show").select_option(label="rank 0 to 1 (h1 to h3)")
    page.wait_for_timeout(1500)  # until loads are those of the ways that are left
    page.mouse.move(0, 0)
    page.screenshot(path=PICTURE, full_page=True)


def write_report(run: Path) -> None:
    words = [sys.executable, "-m", "ringlab", "report", str(run), "--out", str(REPORT)]
    subprocess.run(words, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emulated", action="store_true", help="on real packets")
    parser.add_argument("--report", type=Path, metavar="RUN", help="of this run's report, not of the view")
    options = parser.parse_args()
    program = chromium()
    if program is None:
        sys.exit(MISSING)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        if options.report:
            write_report(options.report)
            page.goto(REPORT.as_uri())
            picture = REPORT.with_suffix(".png")
            page.screenshot(path=picture, clip={"x": 0, "y": 0, "width": WIDTH, "height": 2 * HEIGHT}, full_page=True)
        else:
            picture = PICTURE
            with viewed("emulated" if options.emulated else "simulated") as address:
                take(page, address)
        browser.close()
    print(f"{picture}: {picture.stat().st_size / 1e3:.0f} KB", file=sys.stderr)


if __name__ == "__main__":
    main()
