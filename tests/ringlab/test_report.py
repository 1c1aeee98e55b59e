"""A report holds what its runs hold, needs no network, and stays small."""

import csv
import html
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ringlab import cli
from ringlab.commands.report import command
from ringlab.errors import UsageError
from ringlab.experiments import simulated, store
from ringlab.experiments import spec as specs
from ringlab.experiments.result import Moment, Result, dumps
from ringlab.report import figures, page, picture, rows, steps

SPEC = """\
name: two-racks
fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G
placement: interleaved
algorithm: ring
sizes: [64K, 4M]
arms: [spanning-tree, {ecmp: {seeds: [1, 2]}}, pinned]
baseline: rtx2080ti-16x1-tcp10g-allreduce-default-linear
"""


@pytest.fixture(scope="module")
def result() -> Result:
    return simulated.run(specs.loads(SPEC))


def _page(result: Result) -> str:
    return page.html([page.Reported(result, SPEC)], result.name)


def test_the_page_holds_every_arm_every_size_the_verdict_and_the_way_to_repeat_it(result: Result) -> None:
    text = html.unescape(_page(result))
    for words in (*(arm.name for arm in result.arms), "64 KiB", "4 MiB", "Verdict: valid", *result.certificate.reasons):
        assert words in text
    assert "simulated: no packet was sent" in text
    assert "ringlab run spec.yaml --backend simulated" in text
    assert SPEC.strip() in text
    assert "rtx2080ti-16x1" in text
    for one in result.comparisons:
        assert one.text in text


def test_nothing_is_fetched_from_anywhere(result: Result) -> None:
    text = _page(result)
    outside = re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?!data:|#)([^\"')\s>]+)", text)
    assert not outside, outside
    assert "<script" not in text
    assert "default-src 'none'" in text


def test_every_picture_has_words_for_those_who_do_not_see_it(result: Result) -> None:
    text = _page(result)
    alts = re.findall(r"<img src=\"[^\"]+\" alt=\"([^\"]*)\"", text)
    assert len(alts) == 3
    assert all("pinned is best" in alt for alt in alts[:2])
    assert "each of 6 steps" in alts[2]
    assert text.count('role="img"') == len(picture.pictures(result)) == 3


def test_texts_of_a_run_are_text_and_no_html(result: Result) -> None:
    hostile = replace(result, failure="<script>alert(1)</script>", name="a<b>&c")
    text = _page(hostile)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "<h1>a&lt;b&gt;&amp;c</h1>" in text


def test_the_fullest_link_is_100_percent_and_a_pinned_ring_loads_links_less(result: Result) -> None:
    hot = picture.hot_links(result)
    assert hot[0].share == 1.0
    assert hot[0].arm == "spanning-tree"
    assert [link.share for link in hot] == sorted((link.share for link in hot), reverse=True)
    tree = {link.name: link.bytes_counted for link in result.links if link.arm == "spanning-tree"}
    assert hot[0].nbytes == max(tree.values())


def test_a_fabric_too_large_to_draw_has_its_links_listed_and_the_page_stays_small() -> None:
    large = "name: large\nfabric: fat-tree:k=10\nalgorithm: ring\nsizes: [1M]\narms: [ecmp:seed=1, pinned]\n"
    text = _page(simulated.run(specs.loads(large)))
    assert len(text.encode()) <= page.MOST_BYTES
    assert "can't be told apart" in text
    assert 'role="img"' not in text
    assert "The fullest links" in text


def test_a_page_too_large_leaves_drawings_out(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(_page(result).encode())
    monkeypatch.setattr(page, "MOST_BYTES", whole - 1)
    text = _page(result)
    assert text.count('role="img"') == 1


def test_faults_stand_out_in_the_timeline(result: Result) -> None:
    moments = (Moment(0.5, "fabric up at scale 500"), Moment(1.25, "block 1, pinned: link a-b is down"))
    broken = replace(result, timeline=moments)
    text = _page(broken)
    assert "<li>0.50 s: fabric up at scale 500</li>" in text
    assert "<strong>✗ block 1, pinned: link a-b is down</strong>" in text
    assert [figures.is_fault(moment) for moment in moments] == [False, True]
    assert [one.name for one in figures.of(broken)] == ["busbw", "latency", "steps", "timeline"]


@pytest.mark.parametrize("algorithm", ["ring", "halving-doubling", "double-binary-tree"])
def test_steps_end_when_the_operation_ends_and_none_begins_before_the_last_one(algorithm: str) -> None:
    run = simulated.run(specs.loads(SPEC.replace("algorithm: ring", f"algorithm: {algorithm}")))
    found = steps.steps(run)
    assert [one.arm for one in found] == ["spanning-tree", "ecmp:seed=1", "pinned"]
    for one in found:
        time_us = next(arm.results[-1].time_us for arm in run.arms if arm.name == one.arm)
        assert max(end for _, end in one.spans) * 1e6 == pytest.approx(time_us)
        begins = [begin for begin, _ in one.spans]
        assert begins == sorted(begins)
        assert all(begin < end for begin, end in one.spans)


def test_csv_has_a_row_an_arm_and_size_with_the_figures_of_the_run(result: Result) -> None:
    read = list(csv.DictReader(io.StringIO(rows.csv_text([result, result]))))
    assert len(read) == 2 * sum(len(arm.results) for arm in result.arms)
    figures_of_all = [(arm.name, found) for arm in result.arms for found in arm.results]
    for row, (name, found) in zip(read, 2 * figures_of_all, strict=True):
        assert (row["arm"], int(row["size_bytes"])) == (name, found.size_bytes)
        assert float(row["time_us"]) == found.time_us
        assert float(row["line_share"]) == found.line_share
        assert row["verdict"] == "valid"
    baseline = {row["size_bytes"]: row["baseline_busbw_GBps"] for row in read}
    assert not baseline["65536"], "the baseline begins at 1 MiB"
    assert float(baseline["4194304"]) > 0


def test_the_command_writes_the_page_rows_and_figures(result: Result, tmp_path: Path) -> None:
    folder = store.save(tmp_path / "runs", result, {}, SPEC)
    words = [folder, "--out", tmp_path / "r.html", "--csv", tmp_path / "r.csv", "--figures", tmp_path / "figures"]
    done = CliRunner().invoke(command, [*map(str, words), "--format", "pdf", "--format", "svg"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "r.csv").read_text().startswith("run,name,")
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {
        "busbw.pdf", "busbw.svg", "latency.pdf", "latency.svg", "steps.pdf", "steps.svg",
    }  # fmt: skip
    assert (tmp_path / "figures" / "busbw.pdf").read_bytes().startswith(b"%PDF")


def test_both_backends_of_one_run_stand_beside_each_other(result: Result, tmp_path: Path) -> None:
    emulated = replace(result, fingerprint={"cpu": "one"})
    folder = store.save(tmp_path, emulated, {}, SPEC, {"simulated.json": dumps(result).encode()})
    done = CliRunner().invoke(command, [str(folder), "--out", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "r.html").read_text()
    assert "The same spec simulated" in text
    assert "emulated, on real packets" in text
    assert text.count("<td>1.000</td>") == 8


def test_another_baseline_than_the_runs_own(result: Result, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(dumps(result))
    words = [str(tmp_path / "r.json"), "--out", str(tmp_path / "r.html"), "--baseline"]
    done = CliRunner().invoke(command, [*words, "h100-2x8-efa3200-allreduce-p5"])
    assert done.exit_code == 0, done.output
    assert "h100-2x8-efa3200-allreduce-p5" in (tmp_path / "r.html").read_text()
    wrong = CliRunner().invoke(command, [*words, "h100-2x8"], standalone_mode=False)
    assert isinstance(wrong.exception, UsageError)


def test_what_is_no_run_is_one_clear_error(tmp_path: Path) -> None:
    wrong = CliRunner().invoke(command, [str(tmp_path)], standalone_mode=False)
    assert isinstance(wrong.exception, UsageError)
    assert "result.json: can't be read" in str(wrong.exception)
    assert not Path("report.html").exists()


AB = """\
name: spines
base:
  {fabric: "leaf-spine:leaves=2,spines=2,hosts=2", placement: interleaved, algorithm: ring, sizes: [1M], policy: pinned}
arms: {two: {}, one: {fabric.spines: 1}}
"""


def test_an_ab_has_its_verdicts_its_intervals_and_its_specs(tmp_path: Path) -> None:
    (tmp_path / "ab.yaml").write_text(AB)
    assert cli.main(["ab", str(tmp_path / "ab.yaml"), "--backend", "simulated", "--out", str(tmp_path / "runs")]) == 0
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if (path / store.AB).is_file())
    done = CliRunner().invoke(command, [str(folder), "--out", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    text = html.unescape((tmp_path / "r.html").read_text())
    assert "spines: an A/B" in text
    assert re.search(r"one +\d.* 0\.5\d* .*slower", text)
    assert "spines: 1" in text or "spines=1" in text
    assert text.count("<img ") == 1
    (folder / store.AB).write_text("{")
    broken = CliRunner().invoke(command, [str(folder)], standalone_mode=False)
    assert isinstance(broken.exception, UsageError)
    assert "not JSON" in str(broken.exception)


@pytest.fixture(scope="module")
def ab_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``ringlab ab --json`` writes it."""
    folder = tmp_path_factory.mktemp("ab")
    (folder / "ab.yaml").write_text(AB)
    words = ["--backend", "simulated", "--out", folder / "runs", "--json", folder / "found.json"]
    assert cli.main(["ab", str(folder / "ab.yaml"), *map(str, words)]) == 0
    return folder / "found.json"


def test_an_abs_file_has_its_page_its_figure_and_its_rows(ab_file: Path, tmp_path: Path) -> None:
    words = [ab_file, "--out", tmp_path / "r.html", "--csv", tmp_path / "r.csv", "--figures", tmp_path / "figures"]
    done = CliRunner().invoke(command, [*map(str, words)])
    assert done.exit_code == 0, done.output
    assert "spines: an A/B" in (tmp_path / "r.html").read_text()
    assert [file.name for file in (tmp_path / "figures").iterdir()] == ["ab.svg"]
    (row,) = csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text()))
    (one,) = json.loads(ab_file.read_text())["found"]["comparisons"]
    assert (row["name"], row["arm"], row["than"], row["verdict"]) == ("spines", "one", "two", "slower")
    assert int(row["size_bytes"]) == 1 << 20
    for name in ("ratio", "low", "high", "confidence", "blocks"):
        assert float(row[name]) == one[name]
    assert row["method"] == one["method"]


def test_rows_of_runs_and_of_abs_do_not_go_into_one_file(result: Result, ab_file: Path, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(dumps(result))
    words = [ab_file, tmp_path / "r.json", "--out", tmp_path / "r.html"]
    wrong = CliRunner().invoke(command, [*map(str, words), "--csv", "-"], standalone_mode=False)
    assert isinstance(wrong.exception, UsageError)
    assert "report the A/Bs by themselves" in str(wrong.exception)
    done = CliRunner().invoke(command, [*map(str, words), "--figures", str(tmp_path / "figures")])
    assert done.exit_code == 0, done.output
    assert any(file.name.endswith("-ab.svg") for file in (tmp_path / "figures").iterdir())


def test_rows_on_standard_output_are_rows_alone(result: Result, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(dumps(result))
    words = [tmp_path / "r.json", "--out", tmp_path / "r.html", "--csv", "-", "--figures", tmp_path / "figures"]
    done = CliRunner().invoke(command, [*map(str, words)])
    read, wanted = (list(csv.reader(io.StringIO(text))) for text in (done.stdout, rows.csv_text([result])))
    assert read == wanted
    assert "busbw.svg" in done.stderr
