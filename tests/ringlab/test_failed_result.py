"""A run that failed late keeps what it has: the table, the plot and the files say so, and the exit code is 4."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from ringlab.commands.run import check_outcome
from ringlab.errors import RunError
from ringlab.experiments import store
from ringlab.experiments.result import Certificate, from_data, loads, to_data
from ringlab.experiments.table import show

WHY = "block 2, pinned: rank 3 (h4) heard nothing from rank 2 (h3) at step 5 for 10 s; link leaf1-spine1 is down"


def failed(result, *, arms):
    """``result`` with only the first ``arms`` of its arms measured."""
    kept = [arm if place < arms else replace(arm, results=()) for place, arm in enumerate(result.arms)]
    certificate = Certificate("invalid", (f"the run failed: {WHY}",), ())
    return replace(result, arms=tuple(kept), comparisons=(), certificate=certificate, failure=WHY)


@pytest.mark.parametrize("arms", [0, 2])
def test_what_was_finished_is_shown_and_kept(make_result, tmp_path, arms):
    result = failed(make_result(baseline=None), arms=arms)
    folder = store.save(tmp_path, result, {}, "fabric: x\n")
    assert loads((folder / store.RESULT).read_text()) == result
    out = io.StringIO()
    show(result, Console(file=out, width=110))
    text = out.getvalue()
    assert "Timeline (seconds of the run):" in text
    assert "1.50  block 1" in text
    assert ("spanning-tree" in text) == (arms > 0)
    assert "pinned  " not in text
    with pytest.raises(RunError, match=r"rank 3 \(h4\) heard nothing from rank 2"):
        check_outcome(result)


def test_a_whole_run_shows_no_timeline_unless_it_broke_on_purpose(make_result):
    for spec, shown in (({}, False), ({"faults": []}, False), ({"faults": [{"at": 1}]}, True)):
        out = io.StringIO()
        show(make_result(spec=spec), Console(file=out, width=110))
        assert ("Timeline" in out.getvalue()) == shown
        assert ("Slowest operation at 16 MiB: spanning-tree" in out.getvalue()) == shown


def test_results_of_before_there_were_failures_are_read(make_result):
    data = to_data(make_result())
    del data["failure"]
    assert from_data(data).failure is None
