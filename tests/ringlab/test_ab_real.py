"""``ringlab ab`` on packets: whole blocks give a verdict, and what can't be believed is refused and told."""

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.root, pytest.mark.timeout(240), pytest.mark.usefixtures("nothing_left")]


def test_two_policies_take_turns_and_the_better_one_is_called_faster(tmp_path):
    argv = [
        sys.executable, "-m", "ringlab", "ab", "leaf-spine:leaves=2,spines=2,hosts=2", "spanning-tree", "pinned",
        "--size", "1M", "--blocks", "3", "--time", "2m", "--scale", "1000", "--seed", "1", "--out", str(tmp_path),
    ]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, timeout=230, check=False)
    (folder,) = tmp_path.iterdir()
    found = json.loads((folder / "ab.json").read_text())["found"]
    assert all(one["reason"] for one in found["refused"])
    assert all("invalid" not in block["verdicts"].values() for block in found["blocks"])
    if not found["looks"]:  # a machine that is too busy: that is an answer too, and not a table
        assert done.returncode == 1
        assert "too few valid turns" in done.stderr
        assert found["refused"]
        return
    assert done.returncode == 0, done.stderr
    (judged,) = found["comparisons"]
    assert judged["ratio"] == pytest.approx(2, rel=0.25)  # one spine, or two
    assert judged["blocks"] == sum(block["counted"] for block in found["blocks"])
    assert f"pinned is {judged['ratio']:.2f}" in done.stdout or judged["verdict"] == "unknown"
