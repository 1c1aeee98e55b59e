"""The view of a run on real packets, in a real browser: what it shows, and a link that is cut in it by hand."""

import json
import re
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("nothing_left"), pytest.mark.timeout(240)]

SPEC = """
name: live
fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G
placement: interleaved
collective: all_reduce
algorithm: ring
sizes: [4M]
arms: [pinned]
repeats: 1
iterations: 20
warmup: 0
scale: 1000
"""


@pytest.fixture
def live(tmp_path):
    """The process of a view with control, and its address."""
    file = tmp_path / "live.yaml"
    file.write_text(SPEC)
    words = ["view", file, "--control", "--port", "0", "--exit-with-run", "--out", tmp_path / "runs"]
    argv = [sys.executable, "-m", "ringlab", *map(str, words)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, re.search(r"http\S+", process.stderr.readline())[0]
        finally:
            process.terminate()


def test_a_real_run_is_shown_and_a_link_is_cut_and_restored_in_it(browser, live, tmp_path):
    process, address = live
    page = browser.new_page()
    page.set_default_timeout(90_000)
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.get_by_text("connected", exact=True).wait_for()
    assert page.locator("#kind").inner_text().lower() == "live"
    page.get_by_text("pinned, block 1; 4M").wait_for()
    page.locator("#ranks li").nth(3).wait_for()
    page.locator("#now").get_by_text(re.compile(r"\d of 6|to \d of 6")).wait_for()
    page.get_by_role("row", name=re.compile(r"leaf\d->spine\d \S+ ([5-9]\d|1\d\d)%")).first.wait_for()
    page.get_by_label("Flow to show").select_option(label="rank 0 to 1 (h1 to h3)")
    before = page.locator("#path").inner_text()
    spine = re.search(r"spine\d", before)[0]

    page.get_by_label("Link", exact=True).select_option(f"leaf1-{spine}")
    page.get_by_role("button", name="Cut").click()
    page.get_by_text(f"leaf1-{spine}: down", exact=True).wait_for()
    other = "spine2" if spine == "spine1" else "spine1"
    page.locator("#path").get_by_text(re.compile(f"h1 → leaf1 → {other} → leaf2 → h3")).wait_for()
    page.get_by_role("button", name="Restore").click()
    page.locator("#down li").first.wait_for(state="detached")

    page.get_by_text("the run has ended").first.wait_for(timeout=150_000)
    assert page.locator("#rows tbody tr").count() == 1
    out, complaints = process.communicate(timeout=60)
    assert process.returncode == 0, complaints
    page.close()
    assert said == [] or all("ERR_" in line for line in said), "but for the server, which went with the run"

    (folder,) = (tmp_path / "runs").iterdir()
    result = json.loads((folder / "result.json").read_text())
    assert result["certificate"]["verdict"] == "invalid"
    assert f"link leaf1-{spine} cut in block 1, pinned" in result["certificate"]["reasons"][0]
    events = [moment["event"] for moment in result["timeline"]]
    assert any(re.match(rf"block 1, pinned: link leaf1-{spine} down", event) for event in events)
    assert any(re.match(rf"block 1, pinned: link leaf1-{spine} up again", event) for event in events)
    assert "pinned" in out
