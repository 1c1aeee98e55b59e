"""A kept run is reported and viewed from anywhere, and no file that only its result names is opened or run."""

import html
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ringlab.cli import main
from ringlab.errors import UsageError
from ringlab.experiments import kept, simulated
from ringlab.experiments import spec as specs
from ringlab.experiments.result import Result, dumps, loads
from ringlab.report import steps
from ringlab.web import recorded
from topologies import formats
from topologies.catalog import from_short_form
from topologies.yaml_lines import DocumentError

SPEC = """\
name: two-racks
fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G
placement: interleaved
algorithm: ring
sizes: [64K, 4M]
arms: [spanning-tree, pinned]
compare: [pinned, spanning-tree]
"""

LOG = """\
# Collective test starting: all_reduce_perf
#  Rank  0 Group  0 Pid   1 on lab device  0 [0x07] one
#  Rank  1 Group  0 Pid   2 on lab device  1 [0x0a] one
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
       65536         16384     float     sum      -1    100.0    0.66    1.15      0    100.0    0.66    1.15      0
"""


@pytest.fixture(scope="module")
def result() -> Result:
    return loads(dumps(simulated.run(specs.loads(SPEC))))


def _lab(folder: Path) -> None:
    """A folder whose spec names files beside it."""
    folder.mkdir()
    fabric = from_short_form("leaf-spine:leaves=2,spines=2,hosts=2,rate=100G")
    (folder / "mine.yaml").write_text(formats.dumps(fabric))
    (folder / "gpus.txt").write_text(LOG)
    text = SPEC.replace("leaf-spine:leaves=2,spines=2,hosts=2,rate=100G", "{file: mine.yaml}")
    (folder / "s.yaml").write_text(f"{text}baseline: {{file: gpus.txt, line_rate: 50}}\n")


def test_a_run_whose_spec_names_files_is_reported_and_viewed_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _lab(tmp_path / "lab")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "lab/s.yaml", "--backend", "simulated"]) == 0
    capsys.readouterr()
    assert main(["report", "last"]) == 0, capsys.readouterr().err
    text = html.unescape(Path("report.html").read_text())
    assert "each of 6 steps" in text
    assert main(["view", "last", "--seconds", "1", "--port", "0", "--exit-with-run"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    "entry", ["file:eve.py", {"file:eve.py": {"library": "gloo"}}, "file:eve.py+gloo", {"file": {"eve": ".py"}}]
)
def test_a_policy_that_a_result_names_is_not_run(
    result: Result, entry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("eve.py", "eve=.py"):
        Path(name).write_text("raise AssertionError('it ran')\n")
    eve = replace(result, spec={**result.spec, "arms": ["pinned", entry]})
    Path("eve.json").write_text(dumps(eve))
    assert main(["report", "eve.json"]) == 0
    assert steps.steps(eve) == ()
    spec = recorded.spec_of(eve)
    assert [arm.name for arm in spec.arms] == ["pinned"]
    assert {turn.arm.name for turn in recorded.program(eve, spec)} == {"pinned"}
    with pytest.raises(UsageError, match="no file that only a result names is run"):
        recorded.spec_of(replace(eve, spec={**result.spec, "arms": [entry]}))


def test_a_fabric_that_a_result_names_is_not_read(result: Result, tmp_path: Path) -> None:
    _lab(tmp_path / "lab")
    with pytest.raises(DocumentError):
        kept.spec_of(replace(result, fabric={"file": str(tmp_path / "lab" / "mine.yaml")}))


def test_a_policy_in_a_file_is_told_to_be_left_out_of_a_film(result: Result) -> None:
    mine = replace(result.arms[0], name="file:mine.py", group="file:mine.py")
    said = recorded.said(replace(result, arms=(mine, *result.arms[1:])))
    assert said == ["left out, as a result alone does not say how they move: file:mine.py"]


def test_what_auto_chose_has_its_steps(result: Result) -> None:
    chosen = simulated.run(specs.loads(SPEC.replace("algorithm: ring", "algorithm: auto")))
    assert chosen.spec["algorithm"] == "auto"
    assert kept.spec_of(chosen).algorithm == chosen.algorithm
    assert steps.steps(chosen)
